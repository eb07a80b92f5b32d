"""Who performs: her neutral face, her proportions and sizes, and a calibration by held expressions."""
