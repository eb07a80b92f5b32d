"""What a job leaves behind: names of files, takes and what they came from, reports."""
