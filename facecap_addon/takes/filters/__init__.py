"""Filters of curves over time: of whole takes, and live."""
