"""Meng et al.: a face embedding and an LSTM over time."""
