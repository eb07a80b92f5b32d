"""Jobs that learn: training sets, networks, generators, and what is told of them."""
