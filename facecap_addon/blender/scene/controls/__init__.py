"""What moves a character, whatever it is: shape keys of several meshes, pose bones, custom properties."""
