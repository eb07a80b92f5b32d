"""How a job is run, anywhere: runners, the worker process, progress, faults."""
