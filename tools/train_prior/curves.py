"""Weights to draw: recorded performances, varied so that no combination is taken for granted."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

TRAINING_SECONDS = 90.0
"""Of `alex_rom_3.csv` only this much is used; later rows are kept for tests."""


def recorded_weights(path: Path, channels: tuple[str, ...], rate_hz: float = 30.0) -> F32:
    """(N, 52) float32 weights of a Live Link Face recording, ARKit order, its first 90 seconds."""
    with path.open(newline="") as stream:
        rows = list(csv.reader(stream))
    columns = [rows[0].index(c[0].upper() + c[1:]) for c in channels]
    kept = rows[1 : 1 + int(TRAINING_SECONDS * rate_hz)]
    return np.clip(np.array([[float(row[c]) for c in columns] for row in kept], np.float32), 0, 1)


def vary(
    base: F32, count: int, groups: list[NDArray[np.intp]], mirror: NDArray[np.intp], random: np.random.Generator
) -> F32:
    """Draw `count` weight vectors from recorded ones.

    Brows, eyes and mouth may come from different moments, each scaled by its own factor; single channels are raised,
    dropped or made one-sided now and then, or shown alone; half of the rows are mirrored.

    Args:
        base: (N, K).  groups: index arrays that partition the channels.  mirror: (K,) index of each channel's mirror.
    """
    channels = base.shape[1]
    out = np.empty((count, channels), np.float32)
    for i in range(count):
        row = base[random.integers(len(base))].copy()
        if random.random() < 0.1:
            row *= random.uniform(0, 0.2)  # so that what follows shows alone
        if random.random() < 0.5:
            for group in groups:
                row[group] = base[random.integers(len(base))][group]
        for group in groups:
            row[group] *= random.choice([1.0, random.uniform(0.1, 1.3)])
        if random.random() < 0.5:
            some = random.integers(channels, size=random.integers(1, 5))
            level = random.uniform(0, 1, some.size)
            row[some] = level
            if random.random() < 0.7:
                row[mirror[some]] = level
        if random.random() < 0.35:  # a wink, a raised brow, a crooked smile
            group = groups[random.integers(len(groups))]
            one_side = group[(mirror[group] > group) if random.random() < 0.5 else (mirror[group] < group)]
            row[one_side] *= random.uniform(0, 1)
            raised = one_side[random.integers(one_side.size, size=2)]
            row[raised] = np.maximum(row[raised], random.uniform(0, 1) * (random.random() < 0.5))
        if random.random() < 0.3:
            row[random.integers(channels, size=6)] *= random.uniform(0, 1)
        row *= np.exp(random.normal(0, 0.12, channels))
        if random.random() < 0.5:
            row = row[mirror]
        out[i] = row
    return np.clip(out, 0, 1)
