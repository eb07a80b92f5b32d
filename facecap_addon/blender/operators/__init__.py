"""What the buttons do. Each operator only translates: to Blender's data on one side, to words on the other."""
