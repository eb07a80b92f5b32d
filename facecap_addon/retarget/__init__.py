"""Landmarks onto meshes: radial basis functions, and shape keys for heads that have none."""
