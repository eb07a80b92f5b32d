"""Time to map a take of 10,000 frames and 52 channels to 120 controls: `python -m benchmarks.mapping_speed`."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.rig.mapping.evaluate import evaluate
from facecap_addon.rig.mapping.mapping import BONE_AXES, Link, Mapping, Target

RESULTS = Path(__file__).resolve().parent / "results"
FRAMES, CONTROLS, LINKS = 10_000, 120, 360


def main() -> None:
    """Measure, print and keep the result."""
    random = np.random.default_rng(1)
    targets = [
        Target("key", f"Key {k}") if k % 2 else Target("bone", f"bone {k}", BONE_AXES[k % len(BONE_AXES)])
        for k in range(CONTROLS)
    ]
    curve = ((0.0, 0.0), (0.25, 0.1), (0.5, 0.5), (1.0, 1.0))
    links = tuple(
        Link(ARKIT_CHANNELS[k % 52], targets[k % CONTROLS], 0.5, 0.01, curve if k % 3 == 0 else ())
        for k in range(LINKS)
    )
    weights = random.random((FRAMES, 52), np.float32)
    seconds: list[float] = []
    for _ in range(9):
        began = time.perf_counter()
        found, values = evaluate(Mapping("speed", links), ARKIT_CHANNELS, weights)
        seconds.append(time.perf_counter() - began)
        assert values.shape == (FRAMES, CONTROLS) and len(found) == CONTROLS
    line = (
        f"{FRAMES} frames, 52 channels, {LINKS} links (every third with a curve) to {CONTROLS} controls: "
        f"{np.median(seconds):.3f} s, slowest of nine {max(seconds):.3f} s"
    )
    (RESULTS / "mapping_speed.txt").write_text(f"python -m benchmarks.mapping_speed\n{line}\n", encoding="utf-8")
    print(line)


if __name__ == "__main__":
    main()
