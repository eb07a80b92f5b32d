"""The contact sheet of a training set: frames of every shot as the network sees them, and what they are to give."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ...errors import FacecapError
from ...footage.read import read_frames
from ...images.draw import draw_polyline, draw_text
from ...solvers.crop import PictureKind, cut
from .crops import frame_shot
from .training_set import ShotFacts, TrainingSet

_KIND = PictureKind(160, 120, colour=True)
_COLUMNS, _LABEL_PX, _TEXT_PX, _CURVE_PX = 8, 20, 12, 44
_PAPER, _INK, _KEPT, _CURVE = (250, 250, 248), (40, 40, 40), (180, 90, 30), (40, 110, 200)


def draw_contact_sheet(training_set: TrainingSet, on_progress: Callable[[int, int], None]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB: eight frames of each shot in its crop, a curve of how much the face moves below.

    Args:
        on_progress: called with (shots done, shots); it may raise to cancel.
    """
    splits = training_set.split_shots()
    kept = {s.name: "validation" for s in splits.validation} | {s.name: "test" for s in splits.test}
    strips = []
    for i, shot in enumerate(training_set.shots):
        on_progress(i, len(training_set.shots))
        strips.append(_draw_strip(training_set, shot, kept.get(shot.name)))
    return np.concatenate(strips) if strips else np.full((40, 400, 3), 250, np.uint8)


def _draw_strip(training_set: TrainingSet, shot: ShotFacts, kept_for: str | None) -> NDArray[np.uint8]:
    rows = training_set.read_rows(shot)
    chosen = np.unique(np.linspace(0, shot.frames - 1, min(_COLUMNS, shot.frames)).astype(int))
    wanted = {int(rows.rows[i]): place for place, i in enumerate(chosen)}
    out = np.full((_LABEL_PX + _KIND.height + _CURVE_PX, _COLUMNS * _KIND.width, 3), _PAPER, np.uint8)
    words = f"{shot.name}  {shot.frames} frames  {kept_for or 'training'}  {shot.source}"
    try:
        crop = (0.0, 0.0, 1.0, 1.0) if training_set.crop is None else frame_shot(training_set, shot, _KIND)
        reader = read_frames(training_set.open_shot_footage(shot))
    except FacecapError as error:  # the other shots are shown all the same
        draw_text(out, (4, _LABEL_PX + _KIND.height // 2), error.what, _TEXT_PX, _KEPT)
    else:
        try:
            for row, frame in enumerate(reader):
                if row in wanted:
                    x = wanted[row] * _KIND.width
                    picture = cut(frame.image, crop, _KIND).transpose(1, 2, 0)
                    out[_LABEL_PX : _LABEL_PX + _KIND.height, x : x + _KIND.width] = picture
                if row >= max(wanted):
                    break
        finally:
            reader.close()
    draw_text(out, (4, 14), words, _TEXT_PX, _KEPT if kept_for else _INK)
    _draw_curve(out[-_CURVE_PX:], _measure_activity(training_set, shot, rows.weights))
    return out


def _measure_activity(training_set: TrainingSet, shot: ShotFacts, weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """(F,) how far the face is from neutral."""
    vertices = training_set.read_vertices(shot)
    if vertices is None:
        return np.abs(weights).sum(1).astype(np.float64)
    some = training_set.rig.neutral[::7]
    return np.array([np.abs(frame[::7] - some).mean() for frame in vertices], np.float64)


def _draw_curve(strip: NDArray[np.uint8], values: NDArray[np.float64]) -> None:
    height, width = strip.shape[:2]
    x = np.linspace(2, width - 3, len(values))
    y = height - 4 - (height - 8) * values / max(float(values.max(initial=0.0)), 1e-9)
    draw_polyline(strip, np.stack([x, y], 1), _CURVE)
