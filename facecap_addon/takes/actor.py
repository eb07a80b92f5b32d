"""Actor: what stays the same from take to take of one person, kept with a take and in a file of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..atomic_file import atomic_path
from ..errors import FacecapError
from ..json_types import Decoded, Facts
from .region_scale import SCALE_LIMITS, RegionScale
from .small_json import load_json

ENDING = ".actor.json"
FORMAT_VERSION = 1
PROPORTIONS = ("mouth_width", "lip_height", "eye_opening", "brow_distance", "jaw_length")
_KIND, _MOST_BYTES, _MOST_POINTS, _DIGITS = "actor", 4_000_000, 2000, 7
_FAR_M = 1.0


@dataclass(frozen=True)
class ChannelGain:
    """What a calibration learned of a channel.

    Attributes:
        gain: factor on what is above the offset.  offset: the channel's weight on the actor's neutral face.
        companions: channels that move with it without being meant, and how far, per unit of this one.
    """

    gain: float = 1.0
    offset: float = 0.0
    companions: dict[str, float] = field(default_factory=dict[str, float])


def _no_points() -> F64:
    return np.zeros((0, 3))


def _no_indices() -> NDArray[np.intp]:
    return np.zeros(0, np.intp)


@dataclass(frozen=True, eq=False)
class Actor:
    """Who performed. Lengths are those of a life-size head, in head space (see `Take`).

    Attributes:
        scheme: landmark layout.
        landmarks: (M,) int, landmarks of the scheme that are known, ascending.
        neutral_m: (M, 3) float64 m, where they lie on the actor's neutral face, as the landmark network sees it.
        offsets_m: (M, 3) float64 m, the same minus the character's.
        span_ends: (S, 2) int, landmarks of the scheme.
        spans_m: (S, 3) float64 m, from the second to the first at rest.
        proportions: of the neutral face, by name (PROPORTIONS), in distances of the outer eye corners.
        scales: by region (`region_scale.SCALED_REGIONS`).
        gains: by ARKit channel; empty without a calibration.
        face_landmarks, face: (P,) int and (P, 3) float64, the neutral face as the expression prior sees it, in
            distances of the outer eye corners; empty where no prior took part.
        character: name of the character it was found on.
    """

    scheme: str
    landmarks: NDArray[np.intp]
    neutral_m: F64
    offsets_m: F64
    span_ends: NDArray[np.intp]
    spans_m: F64
    proportions: dict[str, float]
    scales: dict[str, RegionScale]
    gains: dict[str, ChannelGain] = field(default_factory=dict[str, ChannelGain])
    face_landmarks: NDArray[np.intp] = field(default_factory=_no_indices)
    face: F64 = field(default_factory=_no_points)
    character: str = ""

    def __post_init__(self) -> None:
        points, spans, face = len(self.landmarks), len(self.span_ends), len(self.face_landmarks)
        expected = {
            "landmarks": (points,),
            "neutral_m": (points, 3),
            "offsets_m": (points, 3),
            "span_ends": (spans, 2),
            "spans_m": (spans, 3),
            "face_landmarks": (face,),
            "face": (face, 3),
        }
        for name, shape in expected.items():
            value = getattr(self, name)
            if value.shape != shape or max(shape[0], 0) > _MOST_POINTS or not np.isfinite(value).all():
                raise ValueError(f"{name} has the shape {value.shape}, not {shape}, or holds no numbers")
        for name in ("neutral_m", "offsets_m", "spans_m"):
            if np.abs(getattr(self, name)).max(initial=0.0) > _FAR_M:
                raise ValueError(f"{name} does not fit on a head")
        for name in ("landmarks", "span_ends", "face_landmarks"):
            if getattr(self, name).min(initial=0) < 0:
                raise ValueError(f"{name} holds negative numbers")
        for name in ("landmarks", "face_landmarks"):
            if (np.diff(getattr(self, name)) <= 0).any():
                raise ValueError(f"{name} are not in order")

    def facts(self) -> Facts:
        """What people want to know of an actor, for summaries: proportions, scales, what was calibrated."""
        return {
            "proportions": {name: round(value, 4) for name, value in self.proportions.items()},
            "scales": {
                name: {"found": round(scale.found, 3), "used": round(scale.used, 3), "asked": scale.asked}
                for name, scale in self.scales.items()
            },
            "calibrated_channels": sorted(self.gains),
        }


def write_json(actor: Actor) -> Facts:
    """An actor as a JSON object; `read_json` reads it."""
    return {
        "facecap": _KIND,
        "version": FORMAT_VERSION,
        "scheme": actor.scheme,
        "character": actor.character,
        "landmarks": actor.landmarks.tolist(),
        "neutral_m": np.round(actor.neutral_m, _DIGITS).tolist(),
        "offsets_m": np.round(actor.offsets_m, _DIGITS).tolist(),
        "span_ends": actor.span_ends.tolist(),
        "spans_m": np.round(actor.spans_m, _DIGITS).tolist(),
        "proportions": dict(actor.proportions),
        "scales": {
            name: {"found": scale.found, "used": scale.used, "asked": scale.asked}
            for name, scale in actor.scales.items()
        },
        "gains": {
            name: {"gain": one.gain, "offset": one.offset, "companions": dict(one.companions)}
            for name, one in actor.gains.items()
        },
        "face_landmarks": actor.face_landmarks.tolist(),
        "face": np.round(actor.face, _DIGITS).tolist(),
    }


def read_json(facts: object) -> Actor:
    """The actor of a JSON object. Raises one of UNREADABLE, or FacecapError if a newer FaceCap wrote it."""
    if not isinstance(facts, dict):
        raise ValueError("it describes no actor")
    facts = cast(Decoded, facts)
    if facts.get("facecap") != _KIND:
        raise ValueError("it describes no actor")
    if int(facts["version"]) > FORMAT_VERSION:
        raise FacecapError(f"The actor was saved by a newer FaceCap (format {facts['version']}).", "Update FaceCap.")
    return Actor(
        scheme=str(facts["scheme"]),
        landmarks=_indices(facts["landmarks"], 1),
        neutral_m=_points(facts["neutral_m"]),
        offsets_m=_points(facts["offsets_m"]),
        span_ends=_indices(facts["span_ends"], 2),
        spans_m=_points(facts["spans_m"]),
        proportions={str(name): _number(value, 0, 100) for name, value in facts["proportions"].items()},
        scales={
            str(name): RegionScale(
                _number(one["found"], *SCALE_LIMITS), _number(one["used"], *SCALE_LIMITS), one["asked"] is True
            )
            for name, one in facts["scales"].items()
        },
        gains={str(name): _read_gain(one) for name, one in facts["gains"].items()},
        face_landmarks=_indices(facts["face_landmarks"], 1),
        face=_points(facts["face"]),
        character=str(facts["character"]),
    )


def save_actor(path: Path, actor: Actor) -> None:
    """Write an actor to a `.actor.json`, completely or not at all.

    Raises FacecapError: the disk is full or the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(write_json(actor), ensure_ascii=False, indent=1), encoding="utf-8")


def load_actor(path: Path) -> Actor:
    """Read what `save_actor` wrote.

    Raises:
        FacecapError: it is missing, damaged, no actor, or of a newer FaceCap.
    """
    missing = FacecapError(f"There is no actor file {path}.", "Check the path, or save the actor again.")
    return load_json(path, read_json, _MOST_BYTES, missing=missing, what="is not a FaceCap actor", ending=ENDING)


def _read_gain(facts: Decoded) -> ChannelGain:
    companions = {str(name): _number(value, -10, 10) for name, value in facts["companions"].items()}
    return ChannelGain(_number(facts["gain"], 0, 10), _number(facts["offset"], -10, 10), companions)


def _indices(values: object, dimensions: int) -> NDArray[np.intp]:
    array = np.asarray(values)
    if array.size == 0:
        return np.zeros((0,) if dimensions == 1 else (0, 2), np.intp)
    if array.dtype.kind not in "iu" or array.ndim != dimensions:
        raise ValueError("landmarks are whole numbers")
    return array.astype(np.intp)


def _points(values: object) -> F64:
    array = np.asarray(values, np.float64)
    return _no_points() if array.size == 0 else array


def _number(value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{value} is no number from {low} to {high}")
    return float(value)
