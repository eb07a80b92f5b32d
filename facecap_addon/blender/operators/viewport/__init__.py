"""Operators that go on in a view until the mouse is let go: landmarks dragged, footage shown."""
