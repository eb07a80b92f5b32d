"""LandmarkSequence: how the landmarks of a face move, from a neutral one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from ..arrays import F32, F64
from ..atomic_file import atomic_path
from ..errors import UNREADABLE, FacecapError
from ..landmarks.layout import layout_of, mediapipe_of

FPS = 25.0
FRAMES = 135
"""Seo and Luo's sequences: 135 frames at 25 a second."""
ENDING = ".landmarks.npz"
_MOST_FRAMES, _MOST_BYTES = 200_000, 2 << 30


@dataclass(frozen=True)
class LandmarkSequence:
    """Moving landmarks.

    Attributes:
        scheme: their layout.
        rest: (L, 3) float32 m, head space (x the face's left, y back, z up): the neutral face they belong to.
        displacements: (F, L, 3) float32 m, head space at rest: from `rest`, head motion included.
        fps: frames per second.
        name: what it shows.
        facts: how it was made, JSON-able text by name.
    """

    scheme: str
    rest: F32
    displacements: F32
    fps: float = FPS
    name: str = ""
    facts: dict[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        count = layout_of(self.scheme).count
        fits = self.rest.shape == (count, 3) and self.displacements.shape[1:] == (count, 3)
        if not fits or not np.isfinite(self.rest).all() or not np.isfinite(self.displacements).all():
            raise FacecapError("The landmark sequence is inconsistent.", "Make it again.")
        if not 1.0 <= self.fps <= 1000.0 or len(self.displacements) > _MOST_FRAMES:
            raise FacecapError("The landmark sequence has an absurd length or rate.", "Make it again.")

    @property
    def frame_count(self) -> int:
        return len(self.displacements)

    @property
    def time_s(self) -> F64:
        """(F,) float64 s."""
        return np.arange(self.frame_count) / self.fps


def save_sequence(path: Path, sequence: LandmarkSequence) -> None:
    """Write a sequence to an `.npz`, completely or not at all."""
    names = list(sequence.facts)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(
            stream,
            scheme=np.array(sequence.scheme),
            rest=sequence.rest,
            displacements=sequence.displacements,
            fps=np.array(sequence.fps),
            name=np.array(sequence.name),
            fact_names=np.array(names, np.str_),
            fact_values=np.array([sequence.facts[name] for name in names], np.str_),
        )


def load_sequence(path: Path) -> LandmarkSequence:
    """Read what `save_sequence` wrote. Raises FacecapError if it is damaged."""
    try:
        with ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > _MOST_BYTES:
                raise FacecapError(f"{path.name} is too large for a landmark sequence.", "Make it again.")
        with np.load(path, allow_pickle=False) as data:
            names = [str(n) for n in data["fact_names"]]
            return LandmarkSequence(
                str(data["scheme"]),
                data["rest"].astype(np.float32),
                data["displacements"].astype(np.float32),
                float(data["fps"]),
                str(data["name"]),
                dict(zip(names, [str(v) for v in data["fact_values"]], strict=True)),
            )
    except UNREADABLE as error:
        raise FacecapError(f"{path.name} is no landmark sequence ({error}).", "Make it again.") from error


def prepare_sequence(sequence: LandmarkSequence, scheme: str = "bu-83", fps: float = FPS) -> LandmarkSequence:
    """A sequence in the layout and at the rate that generators learn, from one in the mesh layout at any rate.

    Raises FacecapError if its layout has no such points, or it is over before it began.
    """
    if sequence.frame_count < 2:
        raise FacecapError(f"{sequence.name or 'A sequence'} has only one frame.", "Leave it out.")
    rest, moved = sequence.rest, sequence.displacements
    if sequence.scheme != scheme:
        if sequence.scheme != "mediapipe-478":
            raise FacecapError(
                f"A sequence of {sequence.scheme} landmarks cannot be learned beside others.", f"Give {scheme} ones."
            )
        twins = mediapipe_of(scheme)
        rest, moved = rest[twins], moved[:, twins]
    if abs(sequence.fps - fps) > 1e-3:
        wanted = np.arange(0.0, sequence.time_s[-1] + 1e-9, 1.0 / fps)
        moved = PchipInterpolator(sequence.time_s, moved.astype(np.float64), axis=0)(wanted).astype(np.float32)
    return replace(sequence, scheme=scheme, rest=rest, displacements=moved, fps=fps)


def to_steps(displacements: NDArray[np.floating], frames: int = FRAMES) -> F32:
    """Displacements from frame to frame, as Seo and Luo's networks see them (their section 4, figure 3).

    Args:
        displacements: (F, L, 3) m from rest.  frames: longer sequences are cut to, shorter ones padded with zeros.
    Returns:
        (frames, 3 L) float32 mm; the first is zero.
    """
    out = np.zeros((frames, displacements.shape[1] * 3), np.float32)
    steps = 1000.0 * np.diff(np.asarray(displacements, np.float64)[:frames], axis=0)
    out[1 : len(steps) + 1] = steps.reshape(len(steps), -1)
    return out


def to_displacements(steps: NDArray[np.floating]) -> F32:
    """The inverse of `to_steps`: (F, 3 L) mm from frame to frame to (F, L, 3) m from rest."""
    moved = np.cumsum(np.asarray(steps, np.float64), axis=0) * 1e-3
    return moved.reshape(len(moved), -1, 3).astype(np.float32)
