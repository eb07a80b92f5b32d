"""What the filters do to real curves with noise: `python -m benchmarks.filters`.

The sample take's true curves get the noise that a solve has; printed for each filter, offline and live: jitter D (Meng
and Wen, equation 5) of what is there besides the motion itself, in parts of the raw one's; loss of peak amplitude; how
far shut lids open; and the error against the curves without noise.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from benchmarks.ground_truth import MOVING_M
from benchmarks.learned_actor import RESULTS
from benchmarks.sample_head import sample_rig
from benchmarks.sample_take import TRUTH
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.takes.filters.apply import apply_filter, make_online_filter
from facecap_addon.takes.filters.options import FilterChoice
from facecap_addon.takes.filters.take_filter import keep_closed
from facecap_addon.takes.measures.metrics import driven_rmse, measure_jitter, moving_vertices
from facecap_addon.takes.npz import load_take

NOISE, PROMINENCE = (0.01, 0.02, 0.03), 0.25


def amplitude_lost(clean: NDArray, found: NDArray) -> float:
    """Mean share of its height that a peak of the clean curves has lost, in its own frame: noise averages out there."""
    lost = []
    for k in range(clean.shape[1]):
        for at in find_peaks(clean[:, k], prominence=PROMINENCE)[0]:
            lost.append((clean[at, k] - found[at, k]) / clean[at, k])
    return float(np.mean(lost)) if lost else 0.0


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0]).parse_args()
    take, rig = load_take(TRUTH), sample_rig()
    rig = BlendshapeRig(rig.neutral, rig.triangles, rig.deltas, rig.channels, rig.ranges)
    clean = take.weights.astype(np.float64)
    deltas = rig.deltas[[rig.channels.index(c) for c in take.channels]]
    moving = moving_vertices(deltas, MOVING_M)
    deltas = deltas[:, moving]
    active = np.ptp(clean, axis=0) > 0.02
    lines = ["python -m benchmarks.filters"]
    for noise in NOISE:
        random = np.random.default_rng(1)
        raw = clean + active * random.normal(0, noise, clean.shape)
        solved = np.ones(len(raw), bool)

        def d(weights: NDArray) -> float:
            return float(np.nanmean(measure_jitter(weights, deltas)))

        for kind in ("hybrid", "kalman-sg", "one-euro", "median"):
            choice = FilterChoice(kind)
            live, filtered = make_online_filter(choice), apply_filter(choice, take.time_s, raw)
            results = {
                "take": filtered if kind == "kalman-sg" else keep_closed(take.channels, raw, filtered, solved, None),
                "live": np.stack([live.step(float(t), row)[1] for t, row in zip(take.time_s, raw, strict=True)]),
            }
            for name, found in results.items():
                # Jitter is what is there besides the motion itself.
                rest = d(found - clean) / d(raw - clean)
                error = [1000 * np.sqrt((driven_rmse(w, clean, deltas) ** 2).mean()) for w in (raw, found)]
                lids = [take.channels.index(c) for c in ("eyeBlinkLeft", "eyeBlinkRight")]
                shut = raw[:, lids] > 0.75
                opened = float((raw[:, lids] - found[:, lids])[shut].max(initial=0.0))
                lines.append(
                    f"noise {noise:.2f}, {kind:9} {name}: jitter {rest:.2f} of the raw, D {d(raw) * 1000:.3f} -> "
                    f"{d(found) * 1000:.3f} mm (clean {d(clean) * 1000:.3f}), peaks lose "
                    f"{amplitude_lost(clean, found):.1%}, shut lids open by {opened:.3f}, error {error[0]:.2f} -> "
                    f"{error[1]:.2f} mm"
                )
    print("\n".join(lines))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "dfcn_filters.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
