"""Nonlinear least squares over frames: normal equations, Levenberg and Marquardt, banded solves."""
