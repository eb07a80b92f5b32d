"""How good a take is, and how two differ: errors, bad stretches, the calmest frames."""
