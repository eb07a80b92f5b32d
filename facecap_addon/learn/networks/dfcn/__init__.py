"""A deep fully convolutional teacher and the small network that it teaches."""
