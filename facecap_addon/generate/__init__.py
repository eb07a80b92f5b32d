"""Expression sequences that nobody performed: authored data, recurrent networks, and what is made of their output."""
