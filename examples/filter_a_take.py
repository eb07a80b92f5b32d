"""Smooth a take; say how much steadier it is: filter_a_take.py TAKE.npz [CUTOFF_HZ]"""

from __future__ import annotations

import sys

import numpy as np

from facecap_addon import api as facecap


def jitter(weights: np.ndarray) -> float:
    """Mean size of the second difference between frames."""
    return float(np.abs(np.diff(weights, 2, axis=0)).mean())


def main(path: str, cutoff_hz: str = "3") -> int:
    before = facecap.load_take(path)
    after = facecap.filter_take(path, cutoff_hz=float(cutoff_hz))
    print(f"jitter {jitter(before.weights):.5f} -> {jitter(after.weights):.5f}")
    print(f"largest change of a weight {np.abs(after.weights - before.weights).max():.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
