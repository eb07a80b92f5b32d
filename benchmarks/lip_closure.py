"""Do the lips close when the talker's lips close: `python -m benchmarks.lip_closure [--data ../shared/data]`.

GRID clips come with word times. At the first sound of words that begin with b, p or m the talker's lips close. Around
each such onset the narrowest gap of the solved character's inner lips is measured on its mesh, in millimetres between
the two lips' landmarks on a life-size head; it counts as closed below `CLOSED_MM` over the gap of the neutral. Printed
beside it: the narrowest gap that the landmark network saw in the picture.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.ground_truth import embedding_of, observe_clip, response_of
from benchmarks.sample_head import sample_rig
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.layout import MEDIAPIPE_478 as LAYOUT
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.rig.embedding import OUTER_EYE_CORNERS_M, LandmarkEmbedding, landmark_geometry
from facecap_addon.rig.network_response import NetworkResponse
from facecap_addon.takes.measures.metrics import lip_gap

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


@dataclass(frozen=True)
class Onset:
    """A word that begins with closed lips: narrowest gaps around it, mm, on the character's mesh (over the neutral's)
    and as the landmark network saw it."""

    clip: str
    word: str
    second: float
    solved_mm: float
    seen_mm: float

    @property
    def closed(self) -> bool:
        return self.solved_mm < CLOSED_MM


def closures(folder: Path, rig: BlendshapeRig, embedding: LandmarkEmbedding, response: NetworkResponse) -> list[Onset]:
    """Solve every clip of a folder and measure all onsets."""
    neutral, deltas = landmark_geometry(rig, embedding)
    rest_mm = float(middle_gap_mm(neutral[None])[0])
    found: list[Onset] = []
    for clip in sorted(folder.glob("*.mpg")):
        alignment = clip.with_suffix(".align")
        if not alignment.exists():
            continue
        observations = observe_clip(clip)
        take = solve_take(observations, rig, embedding, FitSettings(), response=response)
        solved = middle_gap_mm(neutral + np.tensordot(take.weights, deltas, axes=1)) - rest_mm
        seen = middle_gap_mm(observations.landmarks_px)
        for word, second in onsets(alignment):
            near = (take.time_s >= second - BEFORE_S) & (take.time_s <= second + AFTER_S)
            found.append(Onset(clip.stem, word, second, float(solved[near].min()), float(seen[near].min())))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    folder = parser.parse_args().data / "clips" / "grid"
    rig = sample_rig()
    found = closures(folder, rig, embedding_of(rig, "sample_head"), response_of(rig, "sample_head"))
    for onset in found:
        print(
            f"{onset.clip} {onset.second:5.2f} s {onset.word:8s} solved {onset.solved_mm:5.2f} mm over the neutral, "
            f"seen {onset.seen_mm:5.2f} mm  {'closed' if onset.closed else 'OPEN'}"
        )
    closed = sum(onset.closed for onset in found)
    print(f"closed on {closed} of {len(found)} onsets (asked: 9 of 10)")
    return 0 if closed >= 0.9 * len(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
