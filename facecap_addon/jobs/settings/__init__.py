"""What each job is asked to do: one dataclass per job."""
