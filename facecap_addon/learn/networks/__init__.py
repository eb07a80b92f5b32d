"""Networks of the learned solvers, layer by layer as their papers have them."""
