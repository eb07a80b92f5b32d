"""Rigs as animators have them, built by script around the sample head."""
