"""Keys on meshes: actions, curves, strips, head pose, the take's own point cache."""
