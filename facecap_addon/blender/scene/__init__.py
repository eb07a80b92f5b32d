"""Arrays to and from Blender's data: characters in, keys, cameras and footage out."""
