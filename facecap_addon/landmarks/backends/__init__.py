"""Networks that find faces and landmarks, and what they need."""
