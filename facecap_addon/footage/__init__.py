"""Frames of a video or an image sequence, each with its real timestamp."""
