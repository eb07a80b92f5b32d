"""Faces from frame to frame: which one, where, which way up."""
