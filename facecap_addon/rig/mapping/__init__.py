"""Which controls of a character a take moves: by hand, by preset, guessed."""
