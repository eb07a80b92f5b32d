"""How anything is trained: the loop, its schedule, checkpoints, logs, several GPUs."""
