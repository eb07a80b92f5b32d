"""Long work: what runs, waits, was stopped, or is finished and waits to be put to use."""
