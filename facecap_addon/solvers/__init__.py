"""Trained solvers: bundles of networks and their inference, without torch."""
