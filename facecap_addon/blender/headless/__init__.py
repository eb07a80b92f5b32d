"""Blender without a window: requests on .blend files, answered in a child process."""
