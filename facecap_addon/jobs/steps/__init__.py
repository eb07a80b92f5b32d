"""What several jobs do on their way: the character, its landmarks, the files at the end."""
