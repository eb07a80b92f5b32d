"""How many keys a take needs: of the sample head's performance, and the cost for 52 channels x 10,000 frames.

    python -m benchmarks.key_reduction [--frames 10000]

The cost is told as a multiple of a linear interpolation of all curves at twice as many places, in the same run.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.processor import processor
from facecap_addon.takes.npz import load_take
from facecap_addon.takes.reduce_keys import reduce_curves

TAKE = Path(__file__).parents[1] / "sample_scenes" / "take_01.npz"
TOLERANCES = (0.002, 0.005, 0.01, 0.02)


def count(frames: np.ndarray, weights: np.ndarray, tolerance: float, *, linear: bool) -> int:
    """Keys that are left of all curves."""
    return sum(len(curve.rows) for curve in reduce_curves(frames, weights, tolerance, linear=linear))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    options = parser.parse_args()
    weights = load_take(TAKE).weights.astype(np.float64)
    moving = weights[:, np.ptp(weights, axis=0) > 0.0]
    frames = 1.0 + np.arange(len(weights))
    print(processor())
    print(f"{moving.shape[1]} moving channels x {len(frames)} frames: {moving.size} keys")
    print("tolerance  Bézier  straight lines")
    for tolerance in TOLERANCES:
        fewer = [moving.size / count(frames, moving, tolerance, linear=linear) for linear in (False, True)]
        print(f"{tolerance:9.3f}  {fewer[0]:5.1f}x  {fewer[1]:5.1f}x fewer")
    repeats = -(-options.frames // len(weights))
    long = np.concatenate([weights if turn % 2 == 0 else weights[::-1] for turn in range(repeats)])[: options.frames]
    frames = 1.0 + np.arange(options.frames)
    started = time.perf_counter()
    kept = count(frames, long, 0.005, linear=False)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    for column in long.T:
        np.interp(np.linspace(frames[0], frames[-1], 2 * len(frames)), frames, column)
    bare = time.perf_counter() - started
    print(f"{long.shape[1]} channels x {options.frames} frames to {kept} keys: {seconds:.2f} s,")
    print(f"{seconds / bare:.0f} times what interpolating them takes")


if __name__ == "__main__":
    main()
