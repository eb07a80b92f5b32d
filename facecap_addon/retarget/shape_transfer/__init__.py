"""Shape keys of one head on another: what corresponds, and how its triangles deform."""
