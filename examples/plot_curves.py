"""A take's strongest curves as comma-separated values: plot_curves.py TAKE.npz [COUNT]"""

from __future__ import annotations

import sys

import numpy as np

from facecap_addon import api as facecap


def main(path: str, count: str = "8") -> int:
    take = facecap.load_take(path)
    strongest = np.argsort(-np.ptp(take.weights, axis=0))[: int(count)]
    print(",".join(["time_s", *(take.channels[k] for k in strongest)]))
    for time_s, weights in zip(take.time_s, take.weights, strict=True):
        print(",".join(f"{value:.4f}" for value in (time_s, *weights[strongest])))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]) if len(sys.argv) > 1 else __doc__)
