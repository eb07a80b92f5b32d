"""Operators on the chosen take: checked, corrected, edited, baked, listed."""
