"""Accuracy on the rendered take of the sample head: `python -m benchmarks.sample_take`.

`sample_scenes/take_01.mp4` is solved on the head that it shows and compared with `take_01.npz`: weights, shape,
closures of lips and lids, head pose, gaze.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from benchmarks.ground_truth import (
    MOVING_M,
    MOVING_STD,
    agreement,
    embedding_of,
    mean_hardly_shown,
    observe_clip,
    response_of,
    rmse_mm,
)
from benchmarks.sample_head import HEAD, sample_rig
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.takes.npz import load_take
from facecap_addon.takes.take import Take
from sample_scenes.head.arrays import sculpted_head
from sample_scenes.head.layout import MOUTH

CLIP, TRUTH = HEAD.with_name("take_01.mp4"), HEAD.with_name("take_01.npz")


@dataclass(frozen=True)
class Comparison:
    """A solve of the take against its truth.

    Attributes:
        rmse_mm: of vertices that move, over all frames.  still_mm: the same for a face that never moves.
        correlation, absolute_error: means over moving channels.
        rotation_deg: median error of the head's rotation, after the best constant offset between both head spaces.
        gaze_deg: mean absolute error, relative to the mean.
        blinks: median solved blink in frames with both lids shut, and its 95th percentile in frames with open eyes.
        lips_mm: how far the lips' middles are apart where they touch in truth, 95th percentile; and the mean absolute
            error of their distance where they are more than 4 mm apart.
        rows: per moving channel its name, correlation, absolute error, true and solved deviation.
    """

    rmse_mm: float
    still_mm: float
    correlation: float
    absolute_error: float
    rotation_deg: float
    gaze_deg: float
    blinks: tuple[float, float]
    lips_mm: tuple[float, float]
    rows: list[tuple[str, float, float, float, float]]


def compare(take: Take, truth: Take, rig: BlendshapeRig) -> Comparison:
    """Compare a solved take with the truth; `rig` has the channels of both."""
    order = [truth.channels.index(name) for name in rig.channels]
    true = truth.weights[:, order]
    mine = take.weights[:, [take.channels.index(name) for name in rig.channels]]
    moving = rig.deltas[:, np.linalg.norm(rig.deltas, axis=2).max(0) > MOVING_M]
    rows = []
    for k in np.flatnonzero(true.std(0) > MOVING_STD):
        a, b = mine[:, k], true[:, k]
        rows.append((rig.channels[k], *agreement(a, b), float(b.std()), float(a.std())))
    blink = [rig.channels.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    shut, wide = true[:, blink[0]] > 0.99, true[:, blink[0]] < 0.01
    gap, true_gap = (_lip_gap_mm(rig, weights) for weights in (mine, true))
    touching, apart = true_gap < 0.3, true_gap > 4.0
    return Comparison(
        rmse_mm(mine, true, moving),
        rmse_mm(true * 0, true, moving),
        float(np.mean([row[1] for row in rows])),
        float(np.mean([row[2] for row in rows])),
        _rotation_error_deg(take.head_rotation_wxyz, truth.head_rotation_wxyz),
        _gaze_error_deg(take.gaze_rad, truth.gaze_rad),
        (float(np.median(mine[shut][:, blink])), float(np.quantile(mine[wide][:, blink], 0.95))),
        (float(np.quantile(gap[touching], 0.95)), float(np.abs(gap - true_gap)[apart].mean())),
        rows,
    )


def _lip_gap_mm(rig: BlendshapeRig, weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """(F,) height of the gap between the seams' middles; negative where the lips press into each other."""
    upper, lower = (sculpted_head().half.ring(MOUTH, 6)[i] for i in (0, -1))
    rest = rig.neutral[upper, 2] - rig.neutral[lower, 2]
    return (rest + weights @ (rig.deltas[:, upper, 2] - rig.deltas[:, lower, 2])).astype(np.float64) * 1000


def _rotation_error_deg(mine: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    a, b = (Rotation.from_quat(q[:, [1, 2, 3, 0]]) for q in (mine, true))
    difference = a.inv() * b
    return float(np.degrees(np.median((difference.mean().inv() * difference).magnitude())))


def _gaze_error_deg(mine: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    difference = mine - true
    return float(np.degrees(np.abs(difference - np.median(difference, axis=0)).mean()))


def solve(*, match: str = "weights", fresh: bool = False, pixels: bool = True) -> tuple[Take, BlendshapeRig]:
    """Solve the clip on its own head, camera unknown."""
    rig = sample_rig()
    embedding = embedding_of(rig, "sample_head", fresh=fresh)
    response = response_of(rig, "sample_head", fresh=fresh)
    seen = observe_clip(CLIP, fresh=fresh, pixels=pixels)
    take = solve_take(seen, rig, embedding, FitSettings(match=match), response=response)
    return take, rig


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--fresh", action="store_true", help="ignore cached landmarks, embeddings and responses")
    parser.add_argument("--landmarks-only", action="store_true", help="without the appearance network")
    options = parser.parse_args()
    truth = load_take(TRUTH)
    for match in ("weights", "look"):
        take, rig = solve(match=match, fresh=options.fresh and match == "weights", pixels=not options.landmarks_only)
        show(match, take, truth, compare(take, truth, rig))


def show(match: str, take: Take, truth: Take, found: Comparison) -> None:
    """Print the numbers of one solve."""
    print(f"\nmatch {match}")
    for name, r, error, true_std, std in found.rows:
        print(f"  {name:20s} r {r:5.2f}  abs {error:.3f}   deviation true {true_std:.2f} solved {std:.2f}")
    print(f"{len(found.rows)} moving channels: correlation {found.correlation:.3f}, error {found.absolute_error:.3f}")
    hardly, count = mean_hardly_shown(found.rows)
    print(f"{count} of them that landmarks hardly show: correlation {hardly:.3f}")
    print(f"vertex RMSE {found.rmse_mm:.2f} mm (a still face: {found.still_mm:.2f} mm)")
    print(f"head rotation {found.rotation_deg:.2f}°, gaze {found.gaze_deg:.1f}°")
    print(f"blink {found.blinks[0]:.2f} where the lids are shut, below {found.blinks[1]:.2f} where they are open")
    print(f"lips within {found.lips_mm[0]:.1f} mm where they touch, {found.lips_mm[1]:.1f} mm off where they are apart")
    print(f"focal length {take.focal_px:.0f} px (true {truth.focal_px:.0f})")


if __name__ == "__main__":
    main()
