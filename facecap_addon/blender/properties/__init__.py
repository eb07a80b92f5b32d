"""What a .blend file remembers about its performance capture."""
