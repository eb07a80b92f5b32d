"""Are bad frames found, and good ones left alone? `python -m benchmarks.bad_frames [--frames 150]`.

Faults are planted into real clips other than those on which the bounds were set: pictures without a face, a smeared
picture, a board before the lower face, a hand-sized patch of skin before the mouth, landmarks that leave their place
for one frame. Printed, and kept in `benchmarks/results/bad_frames.txt`: how much of each fault lies in a stretch that
is listed, under which reasons, and how many frames of the clips as they are would be listed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.ground_truth import ROOT, embedding_of, response_of
from benchmarks.sample_head import sample_rig
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import Frame, read_frames
from facecap_addon.landmarks.appearance import open_appearance
from facecap_addon.landmarks.observations import Observations
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.tracking.observe import assemble, observe
from facecap_addon.landmarks.visibility import open_visibility
from facecap_addon.takes.measures.bad_frames import find_bad_stretches
from facecap_addon.takes.take import Take

RESULTS = Path(__file__).resolve().parent / "results" / "bad_frames.txt"
CLIPS = ("faces/f3.mp4", "grid/other_lrwp9a.mpg", "grid/s1_pwij3s.mpg")
U8, F32 = NDArray[np.uint8], NDArray[np.float32]
_EYES, _LIPS, _CHEEK = (33, 263), (13, 14), 50


def remove_face(picture: U8, points: F32) -> U8:
    """An empty picture."""
    return np.full_like(picture, 40)


def smear(picture: U8, points: F32) -> U8:
    """Motion over a third of the eye distance."""
    return np.asarray(cv2.blur(picture, (max(3, int(0.35 * _eyes(points))), 1)), np.uint8)


def cover(picture: U8, points: F32) -> U8:
    """A grey board from the nose down."""
    out, top = picture.copy(), int(points[1, 1])
    out[max(0, top) :] = (90, 95, 100)
    return out


def put_hand(picture: U8, points: F32) -> U8:
    """A patch of skin over the mouth."""
    out, size = picture.copy(), _eyes(points)
    middle = points[list(_LIPS)].mean(0)
    x, y = np.clip(points[_CHEEK].astype(int), 0, (picture.shape[1] - 1, picture.shape[0] - 1))
    skin = tuple(int(v) for v in picture[y, x])
    cv2.ellipse(out, (int(middle[0]), int(middle[1])), (int(0.55 * size), int(0.35 * size)), 20, 0, 360, skin, -1)
    return out


def _eyes(points: F32) -> float:
    return float(np.linalg.norm(points[_EYES[0]] - points[_EYES[1]]))


FAULTS: dict[str, Callable[[U8, F32], U8]] = {
    "no face": remove_face,
    "smeared": smear,
    "board before the lower face": cover,
    "skin before the mouth": put_hand,
}


@dataclass(frozen=True)
class Count:
    """Frames of one fault: planted, listed, and the reasons they are listed for."""

    planted: int
    listed: int
    reasons: tuple[str, ...]


def main() -> None:
    """Plant, solve, count."""
    parser = argparse.ArgumentParser(description="bad frames found, good ones left alone")
    parser.add_argument("--frames", type=int, default=150, help="of each clip")
    options = parser.parse_args()
    rig = sample_rig()
    embedding, response = embedding_of(rig, "sample_head"), response_of(rig, "sample_head")

    def solve(observations: Observations) -> Take:
        return solve_take(observations, rig, embedding, FitSettings(), response=response)

    lines = [f"python -m benchmarks.bad_frames --frames {options.frames}", ""]
    total: dict[str, list[Count]] = {}
    for name in CLIPS:
        path = ROOT.parent / "shared" / "data" / "clips" / name
        if not path.is_file():
            continue
        footage = open_footage(path)
        frames = [frame for frame, _ in zip(read_frames(footage), range(options.frames), strict=False)]
        seen = look_at(frames, footage.size_px)
        take = solve(seen)
        total.setdefault("as it is", []).append(count(take, np.ones(len(frames), bool)))
        for fault, spoil in FAULTS.items():
            rows = np.zeros(len(frames), bool)
            rows[len(frames) // 2 : len(frames) // 2 + 12] = True
            spoilt = [
                replace(frame, image=np.ascontiguousarray(spoil(frame.image, seen.landmarks_px[i])))
                if rows[i]
                else frame
                for i, frame in enumerate(frames)
            ]
            total.setdefault(fault, []).append(count(solve(look_at(spoilt, footage.size_px)), rows))
        rows = np.zeros(len(frames), bool)
        rows[10:-10:15] = True
        moved = seen.landmarks_px.copy()
        moved[rows] += np.float32(0.15) * _eyes(seen.landmarks_px[0])
        total.setdefault("one frame's landmarks elsewhere", []).append(
            count(solve(replace(seen, landmarks_px=moved)), rows)
        )
    for fault, counts in total.items():
        planted, listed = sum(one.planted for one in counts), sum(one.listed for one in counts)
        reasons = sorted({reason for one in counts for reason in one.reasons})
        lines.append(f"{fault:<34} {listed:4d} of {planted:4d} frames listed   {'; '.join(reasons)}")
    RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def look_at(frames: list[Frame], size_px: tuple[int, int]) -> Observations:
    """Landmarks of some frames, and features of their crops."""
    landmarker = open_landmarker()
    appearance, visibility = open_appearance(landmarker.scheme), open_visibility(landmarker.scheme)
    seen = observe(iter(frames), landmarker, appearance=appearance, visibility=visibility)
    return assemble(list(seen), landmarker, size_px)


def count(take: Take, rows: NDArray[np.bool_]) -> Count:
    """How many of some frames (F,) are listed as bad."""
    listed, reasons = np.zeros(take.frame_count, bool), set()
    for one in find_bad_stretches(take):
        here = rows[one.first : one.last + 1]
        listed[one.first : one.last + 1] = True
        if here.any():
            reasons.add(one.text)
    return Count(int(rows.sum()), int((listed & rows).sum()), tuple(sorted(reasons)))


if __name__ == "__main__":
    main()
