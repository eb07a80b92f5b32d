"""Edits of a take as an ordered stack: the solve stays as it is, and every choice can be changed again."""
