"""Training of the expression prior that ships with the add-on: rigs are drawn, the landmark network looks, a small
network learns what weights made it see that. Needs torch and numba; never imported by the add-on."""
