"""Pictures in memory: resampling, drawing, encoding."""
