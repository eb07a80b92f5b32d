"""Training of the appearance network that ships with the add-on: people are drawn, a small network learns from crops of
their faces what landmarks hardly show. Needs torch, numba and OpenCV; never imported by the add-on."""
