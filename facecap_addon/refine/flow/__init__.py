"""Optical flow, and what it says about the surface."""
