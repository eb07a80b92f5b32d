"""The simplest thing instead of the network: a ridge regression on the crops' grey difference from the calm pictures.

python -m tools.train_appearance.ridge SET.npz... --unseen SET.npz...
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .train import F32, Set, load, report

COMPONENTS = 300
PENALTY = 3.0


def differences(data: Set, wanted: NDArray[np.bool_]) -> tuple[F32, F32, F32]:
    """Grey crops at half size, exposure taken out, less the mean of their clip's calm ones; weights; has."""
    greys = []
    for values in data.crops:
        grey = values[wanted].astype(np.float32).mean(-1)
        height, width = (side // 2 * 2 for side in grey.shape[1:])
        grey = grey[:, :height, :width].reshape(len(grey), height // 2, 2, width // 2, 2).mean((2, 4))
        grey = grey.reshape(len(grey), -1)
        greys.append((grey - grey.mean(1, keepdims=True)) / (grey.std(1, keepdims=True) + 4))
    every = np.concatenate(greys, axis=1)
    clip, calm = data.clip[wanted], data.calm[wanted]
    keep = np.zeros(len(every), bool)
    for number in np.unique(clip):
        rows = np.flatnonzero(clip == number)
        if calm[rows].any():
            every[rows] -= every[rows[calm[rows]]].mean(0)
            keep[rows] = ~calm[rows]
    return every[keep], data.weights[wanted][keep], data.has[wanted][keep]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--unseen", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    data = load(options.sets)
    is_test = np.isin(data.person % 10, (7, 8))
    x, y, has = differences(data, ~is_test)
    basis = np.linalg.svd(x[:: max(1, len(x) // 4000)], full_matrices=False)[2][:COMPONENTS].T
    x = np.concatenate([x @ basis, np.ones((len(x), 1), np.float32)], axis=1)
    penalty = np.eye(x.shape[1]) * PENALTY * x[:, :-1].var(0).mean() * len(x) / 100
    fits = [np.linalg.solve(x[h].T @ x[h] + penalty, x[h].T @ y[h, k]) for k, h in enumerate((has > 0).T)]
    solution = np.stack(fits, axis=1)

    def judge(name: str, other: Set, wanted: NDArray[np.bool_]) -> None:
        given, true, own = differences(other, wanted)
        mean = np.concatenate([given @ basis, np.ones((len(given), 1), np.float32)], axis=1) @ solution
        report(name, (mean.astype(np.float32), np.full_like(true, 0.2), true, own))

    judge("held out", data, is_test)
    for path in options.unseen:
        other = load([path])
        judge(f"{path.stem}, unseen", other, np.ones(len(other.person), bool))


if __name__ == "__main__":
    main()
