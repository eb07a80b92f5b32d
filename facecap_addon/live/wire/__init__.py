"""How faces travel over a network: one module for each format, both ways."""
