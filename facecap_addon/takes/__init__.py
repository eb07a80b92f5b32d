"""What was solved, over time: the Take, its files, its measures and its report."""
