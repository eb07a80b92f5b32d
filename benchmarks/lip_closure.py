"""Do the lips close when the talker's lips close: `python -m benchmarks.lip_closure [--data ../shared/data]`.

GRID clips come with word times. At the first sound of words that begin with b, p or m the talker's lips close. Around
each such onset the narrowest gap of the solved character's inner lips is measured on its mesh, in millimetres between
the two lips' landmarks on a life-size head; it counts as closed below `CLOSED_MM` over the gap of the neutral. Printed
beside it: the narrowest gap that the landmark network saw in the picture, and the widest gap of the clip.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.ground_truth import embedding_of, observe_clip, rehearsal_of
from benchmarks.sample_head import sample_rig
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.layout import MEDIAPIPE_478 as LAYOUT
from facecap_addon.rig.embedding import OUTER_EYE_CORNERS_M, landmark_geometry
from facecap_addon.takes.metrics import lip_gap

ROOT = Path(__file__).resolve().parent.parent
UNIT_S = 1 / 25_000  # of the alignments: a thousandth of a frame at 25 Hz
BEFORE_S, AFTER_S = 0.16, 0.12
CLOSED_MM = 0.5


def onsets(path: Path) -> list[tuple[str, float]]:
    """(word, second) of the words that begin with closed lips."""
    rows = [line.split() for line in path.read_text().splitlines() if line.strip()]
    return [(word, int(start) * UNIT_S) for start, _, word in rows if word[0] in "bpm"]


def middle_gap_mm(points: NDArray[np.floating], unit_m: float = OUTER_EYE_CORNERS_M) -> NDArray[np.float64]:
    """(F,) mean gap of the inner lips, mm on a head whose outer eye corners are `unit_m` apart.

    Args:
        points: (F, L, 2 or 3), landmarks of any unit.
    """
    return lip_gap(points, LAYOUT.scheme) * unit_m * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    folder = parser.parse_args().data / "clips" / "grid"
    rig = sample_rig()
    embedding, rehearsal = embedding_of(rig, "sample_head"), rehearsal_of(rig, "sample_head")
    neutral, deltas = landmark_geometry(rig, embedding)
    rest_mm = float(middle_gap_mm(neutral[None])[0])
    print(f"gap of the neutral {rest_mm:.1f} mm; closed is less than {CLOSED_MM:.1f} mm more")
    closed = total = 0
    for clip in sorted(folder.glob("*.mpg")):
        alignment = clip.with_suffix(".align")
        if not alignment.exists():
            continue
        observations = observe_clip(clip)
        take = solve_take(observations, rig, embedding, FitSettings(), rehearsal=rehearsal)
        solved = middle_gap_mm(neutral + np.tensordot(take.weights, deltas, axes=1)) - rest_mm
        seen = middle_gap_mm(observations.landmarks_px)
        print(
            f"{clip.stem}: widest solved {solved.max():.1f} mm, seen {seen.max():.1f} mm, narrowest {seen.min():.1f} mm"
        )
        for word, second in onsets(alignment):
            near = (take.time_s >= second - BEFORE_S) & (take.time_s <= second + AFTER_S)
            ok = bool(solved[near].min() < CLOSED_MM)
            closed, total = closed + ok, total + 1
            print(
                f"  {second:5.2f} s {word:8s} solved {solved[near].min():5.2f} mm, seen {seen[near].min():5.2f} mm"
                f"  {'closed' if ok else 'OPEN'}"
            )
    print(f"closed on {closed} of {total} onsets (asked: 9 of 10)")
    return 0 if closed >= 0.9 * total else 1


if __name__ == "__main__":
    raise SystemExit(main())
