"""Capture while it happens: a camera, a video at its own rate or a phone, solved frame by frame."""
