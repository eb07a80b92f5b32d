"""A head in Blender's data: the mesh, its shape keys, colours, modifiers, parts and rest."""
