"""Folders of BU-3DFE and BU-4DFE: 83 landmarks per frame in text files with the ending .bnd.

BU-4DFE lies as SUBJECT/EXPRESSION/NUMBER.bnd, one line `index x y z` per landmark, millimetres, y up and z to the
viewer. What lies in the folder is the user's own: neither it nor anything learned from it is part of FaceCap.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..errors import UNREADABLE, FacecapError
from ..retarget.rigid_alignment import fit_rigid_motion
from .authored.emotions import EXPRESSIONS
from .sequence import FPS, LandmarkSequence

COUNT = 83
_NAMES = {"angry": "anger", "happy": "happiness", "sad": "sadness", **{name: name for name in EXPRESSIONS}}
_MOST_BYTES = 1 << 20
_NUMBER = re.compile(r"\d+")
_LIKE_M = 0.02
"""A face whose landmarks lie further than this from a face's, on average, is no face or in another order."""


def read_bnd_folder(folder: Path, expression: str, face: NDArray[np.floating]) -> list[LandmarkSequence]:
    """All sequences of one expression, one per subject.

    Args:
        folder: of subjects.  expression: one of EXPRESSIONS, whatever the folder calls it.
        face: (83, 3) float m, head space, any neutral face in the same order: gives the axes and checks the order.
    Raises:
        FacecapError: no sequence is there, frames are missing or damaged, or landmarks are in another order.
    """
    found = sorted(
        path
        for path in folder.glob("*/*")
        if path.is_dir() and _NAMES.get(path.name.lower()) == expression and any(path.glob("*.bnd"))
    )
    if not found:
        raise FacecapError(
            f"There are no .bnd sequences of {expression} in {folder.name}.",
            "Name the folder of subjects, which holds SUBJECT/EXPRESSION/NUMBER.bnd.",
        )
    return [_read_sequence(path, expression, np.asarray(face, np.float64)) for path in found]


def _read_sequence(folder: Path, expression: str, face: F64) -> LandmarkSequence:
    files = sorted((_read_number(path), path) for path in folder.glob("*.bnd"))
    numbers = np.array([number for number, _ in files])
    gaps = np.flatnonzero(np.diff(numbers) != 1)
    if len(gaps):
        after = int(numbers[gaps[0]])
        raise FacecapError(
            f"{folder.parent.name}/{folder.name} goes from frame {after} to {int(numbers[gaps[0] + 1])}.",
            "Restore the frames that are missing, or leave the sequence out.",
        )
    points = 1e-3 * np.stack([read_bnd(path) for _, path in files])
    rotation, shift, scale = _fit_to_head(points[0], face)
    points = scale * points @ rotation.T + shift
    rest = points[0]
    distance = float(np.linalg.norm(rest - face, axis=1).mean())
    if distance > _LIKE_M:
        raise FacecapError(
            f"{folder.parent.name}/{folder.name} does not look like a face: its landmarks are in another order, or no "
            "BU-3DFE landmarks.",
            "Check the folder.",
        )
    facts = {"source": "bnd", "subject": folder.parent.name, "expression": expression}
    return LandmarkSequence(
        "bu-83", rest.astype(np.float32), (points - rest).astype(np.float32), FPS, expression, facts
    )


def read_bnd(path: Path) -> F64:
    """(83, 3) float64, one frame's landmarks in the file's unit and axes. Raises FacecapError if it is damaged."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError("it is too large")
        rows = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
        values = np.array([[float(value) for value in row[-3:]] for row in rows])
        if values.shape != (COUNT, 3) or not np.isfinite(values).all():
            raise ValueError(f"it has {len(rows)} landmarks")
    except UNREADABLE as error:
        raise FacecapError(
            f"{path.parent.name}/{path.name} holds no {COUNT} landmarks ({error}).", "Restore the file."
        ) from error
    return values


def _fit_to_head(points: F64, face: F64) -> tuple[F64, F64, float]:
    """Rotation and shift to head space; the scale is one, unless the file is in metres."""
    size = float(np.sqrt(((face - face.mean(0)) ** 2).sum() / ((points - points.mean(0)) ** 2).sum()))
    scale = 1.0 if 0.5 < size < 2.0 else size
    rotation, shift = fit_rigid_motion(scale * points, face[None])
    return rotation[0], shift[0], scale


def _read_number(path: Path) -> int:
    digits = _NUMBER.findall(path.stem)
    if not digits:
        raise FacecapError(f"{path.name} has no frame number.", "Name the files 000.bnd, 001.bnd, …")
    return int(digits[-1])
