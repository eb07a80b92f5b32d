"""The only room that imports bpy."""
