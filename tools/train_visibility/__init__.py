"""Training of the visibility network that ships with the add-on: things are drawn before drawn and filmed faces; a
small network learns from crops of them where those are. Needs torch, numba and OpenCV; never imported by the add-on."""
