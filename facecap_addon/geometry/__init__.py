"""Cameras, rotations, barycentrics, rasterising: small pure functions on arrays."""
