"""Laine et al.: pictures to vertices, convolutional or dense."""
