"""Expressions written as rules: emotions, other faces, and what a face does meanwhile."""
