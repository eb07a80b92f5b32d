"""The sample head: a neutral adult head sculpted by code, with the 52 ARKit shape keys."""
