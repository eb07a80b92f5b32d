"""The terms that the fit minimises."""
