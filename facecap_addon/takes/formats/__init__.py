"""Files of other programs and other shapes of a take: curves, tables, caches of points."""
