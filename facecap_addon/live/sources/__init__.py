"""Where live pictures and live curves come from."""
