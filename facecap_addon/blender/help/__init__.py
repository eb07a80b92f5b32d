"""What a user finds by herself: the manual (F1), menus, keys, presets, and a report of a problem."""
