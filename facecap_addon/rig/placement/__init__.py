"""How landmarks find their places on a mesh: where its face is, pictures of it, cast back onto the surface."""
