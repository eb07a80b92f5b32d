"""Training sets whose targets are exact: invented curves, and a character rendered under them."""
