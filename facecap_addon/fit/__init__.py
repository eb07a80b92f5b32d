"""Pose and weights by minimising landmark energies."""
