"""Face detector and landmark networks: footage in, Observations out."""
