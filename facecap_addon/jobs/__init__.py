"""Long work: settings, progress, runners, the worker process and the command line."""
