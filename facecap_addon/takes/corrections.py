"""Corrections: what an animator says a frame should look like, kept as data and hit by the next solve.

A correction moves landmarks of one frame to where they should have been seen, or says how far shape keys are on it.
Frames around it follow, the less the farther away they are.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..atomic_file import atomic_path
from ..errors import UNREADABLE, FacecapError
from ..geometry.easing import smoothstep
from ..json_types import Decoded, Facts
from .merge import BLEND_S
from .small_json import load_json
from .take import Take

ENDING = ".corrections.json"
FORMAT_VERSION = 1
REACH_S = 0.2
"""How far a correction reaches in time to either side where nothing else is asked."""
MOST_REACH_S = 10.0
SAME_S = 1e-4
"""Times this near are the same: files round them."""
CORRECTIONS = "corrections"
"""In a take's provenance: those it was solved with."""
_KIND, _MOST_BYTES, _MOST_LANDMARKS, _FAR_PX, _FAR_WEIGHT = "corrections", 64_000_000, 2000, 20_000.0, 100.0


def _no_indices() -> NDArray[np.intp]:
    return np.zeros(0, np.intp)


def _no_offsets() -> F64:
    return np.zeros((0, 2))


@dataclass(frozen=True, eq=False)
class Correction:
    """What is right on one frame.

    Attributes:
        time_s: of the frame, seconds from the start of the footage.
        landmarks: (N,) int, landmarks of the scheme that are moved, ascending; empty for a pose.
        offsets_px: (N, 2) float64, px in the upright picture, from where the landmark network saw them.
        pose: weight by channel, as the take is to have it; empty where landmarks are moved.
        reach_s: frames nearer in time than this follow, to either side.
        muted: whether it is kept without being used.
        scheme: landmark layout, "" for a pose.
        seen: weight by channel, as the landmark fit gave it before the pose was corrected and before the actor's gains;
            empty where that is not known.
    """

    time_s: float
    landmarks: NDArray[np.intp] = field(default_factory=_no_indices)
    offsets_px: F64 = field(default_factory=_no_offsets)
    pose: dict[str, float] = field(default_factory=dict[str, float])
    reach_s: float = REACH_S
    muted: bool = False
    scheme: str = ""
    seen: dict[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        count = len(self.landmarks)
        if self.landmarks.shape != (count,) or self.offsets_px.shape != (count, 2) or count > _MOST_LANDMARKS:
            raise ValueError(f"{self.landmarks.shape} landmarks with {self.offsets_px.shape} offsets are no correction")
        if count and (self.landmarks[0] < 0 or (np.diff(self.landmarks) <= 0).any()):
            raise ValueError("landmarks are not in order")
        if not np.isfinite(self.offsets_px).all() or np.abs(self.offsets_px).max(initial=0.0) > _FAR_PX:
            raise ValueError("offsets do not fit on a picture")
        if bool(count) == bool(self.pose):
            raise ValueError("a correction moves landmarks or holds a pose, one of both")
        if not np.isfinite(self.time_s) or not 0 <= self.reach_s <= MOST_REACH_S:
            raise ValueError("time and reach are out of range")
        if not all(abs(value) <= _FAR_WEIGHT for value in (*self.pose.values(), *self.seen.values())):
            raise ValueError("the pose holds no weights")

    @property
    def span_s(self) -> tuple[float, float]:
        """First and last time that a solve with it may change, the blends at both ends included."""
        return self.time_s - self.reach_s - BLEND_S, self.time_s + self.reach_s + BLEND_S


def write_json(corrections: Sequence[Correction]) -> Facts:
    """Corrections as a JSON object; `read_json` reads it."""
    return {
        "facecap": _KIND,
        "version": FORMAT_VERSION,
        "corrections": [
            {
                "time_s": round(one.time_s, 6),
                "landmarks": one.landmarks.tolist(),
                "offsets_px": np.round(one.offsets_px, 3).tolist(),
                "pose": {name: round(value, 6) for name, value in one.pose.items()},
                "reach_s": round(one.reach_s, 6),
                "muted": one.muted,
                "scheme": one.scheme,
                "seen": {name: round(value, 6) for name, value in one.seen.items()},
            }
            for one in corrections
        ],
    }


def read_json(facts: object) -> tuple[Correction, ...]:
    """The corrections of a JSON object. Raises one of UNREADABLE, or FacecapError if a newer FaceCap wrote it."""
    if not isinstance(facts, dict):
        raise ValueError("it holds no corrections")
    facts = cast(Decoded, facts)
    if facts.get("facecap") != _KIND:
        raise ValueError("it holds no corrections")
    if int(facts["version"]) > FORMAT_VERSION:
        raise FacecapError(
            f"The corrections were saved by a newer FaceCap (format {facts['version']}).", "Update FaceCap."
        )
    return tuple(_read_one(one) for one in facts["corrections"])


def _read_one(facts: Decoded) -> Correction:
    landmarks = np.asarray(facts["landmarks"])
    if landmarks.size and landmarks.dtype.kind not in "iu":
        raise ValueError("landmarks are whole numbers")
    return Correction(
        time_s=float(facts["time_s"]),
        landmarks=landmarks.astype(np.intp),
        offsets_px=np.asarray(facts["offsets_px"], np.float64).reshape(-1, 2),
        pose={str(name): float(value) for name, value in facts["pose"].items()},
        reach_s=float(facts["reach_s"]),
        muted=facts["muted"] is True,
        scheme=str(facts["scheme"]),
        seen={str(name): float(value) for name, value in facts["seen"].items()},
    )


def save_corrections(path: Path, corrections: Sequence[Correction]) -> None:
    """Write corrections to a `.corrections.json`, completely or not at all.

    Raises FacecapError: the disk is full or the folder cannot be written.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(write_json(corrections), ensure_ascii=False, indent=1), encoding="utf-8")


def load_corrections(path: Path) -> tuple[Correction, ...]:
    """Read what `save_corrections` wrote.

    Raises:
        FacecapError: it is missing, damaged, holds no corrections, or is of a newer FaceCap.
    """
    missing = FacecapError(f"There is no corrections file {path}.", "Check the path.")
    return load_json(path, read_json, _MOST_BYTES, missing=missing, what="holds no FaceCap corrections", ending=ENDING)


def active(corrections: Sequence[Correction]) -> tuple[Correction, ...]:
    """Those that are not muted, in the order of their times; where two are about one frame the later one holds."""
    return tuple(sorted((one for one in corrections if not one.muted), key=lambda one: one.time_s))


def corrections_of(take: Take) -> tuple[Correction, ...]:
    """The corrections a take was solved with; none where it does not say."""
    facts = take.provenance.get(CORRECTIONS)
    try:
        return () if facts is None else read_json(facts)
    except UNREADABLE:
        return ()


def add_corrections(take: Take, corrections: Sequence[Correction]) -> Take:
    """The take with the corrections it was solved with."""
    return replace(take, provenance={**take.provenance, CORRECTIONS: write_json(active(corrections))})


def changed_spans(before: Sequence[Correction], now: Sequence[Correction]) -> list[tuple[float, float]]:
    """(first, last) times, s, that differ by the corrections that are in one of two lists alone; those that overlap are
    one span."""
    one, other = ({json.dumps(item): correction for item, correction in _facts_of(each)} for each in (before, now))
    changed = [each[key] for each, rest in ((one, other), (other, one)) for key in each if key not in rest]
    spans: list[tuple[float, float]] = []
    for first, last in sorted(correction.span_s for correction in changed):
        if spans and first <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(last, spans[-1][1])
        else:
            spans.append((first, last))
    return spans


def _facts_of(corrections: Sequence[Correction]) -> list[tuple[object, Correction]]:
    kept = active(corrections)
    return list(zip(cast("list[object]", write_json(kept)["corrections"]), kept, strict=True))


def fade(at_s: F64, reach_s: F64, time_s: F64) -> F64:
    """How far frames follow corrections of one thing: wholly on their own frames, not at all on another's.

    Between two corrections that reach each other the shares add up to 1.

    Args:
        at_s: (C,) ascending times.  reach_s: (C,).  time_s: (F,).
    Returns:
        (C, F) float64 in 0..1.
    """
    share = np.zeros((len(at_s), len(time_s)))
    for c, (middle, reach) in enumerate(zip(at_s.tolist(), reach_s.tolist(), strict=True)):
        before = middle - at_s[c - 1] if c > 0 else np.inf
        after = at_s[c + 1] - middle if c + 1 < len(at_s) else np.inf
        away = time_s - middle
        length = np.maximum(np.where(away < 0, min(reach, before), min(reach, after)), 1e-9)
        share[c] = smoothstep(1 - np.abs(away) / length)
    return share


def about_frames(corrections: Sequence[Correction], time_s: F64) -> tuple[Correction, ...]:
    """Those that are about one of the frames (F,) there are; others lie a frame or more before or after all of them."""
    if len(time_s) == 0:
        return ()
    step_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 0.0
    far_s = max(step_s - SAME_S, SAME_S)
    return tuple(one for one in corrections if abs(nearest_time_s(time_s, one.time_s) - one.time_s) <= far_s)


def nearest_time_s(time_s: F64, at_s: float) -> float:
    """The time of the frame, of (F,), that a correction is about."""
    return float(time_s[np.argmin(np.abs(time_s - at_s))])


def by_channel(corrections: Sequence[Correction], time_s: F64) -> dict[str, tuple[F64, F64, F64]]:
    """What poses say of each channel.

    Args:
        time_s: (F,), frames there are.
    Returns:
        by channel (C,) times of frames, ascending, (C,) reaches in s and (C,) weights.
    """
    found: dict[str, dict[float, tuple[float, float]]] = {}
    for one in active(corrections):
        for name, weight in one.pose.items():
            found.setdefault(name, {})[nearest_time_s(time_s, one.time_s)] = one.reach_s, weight
    return {
        name: (np.array(list(each)), *np.array(list(each.values()), np.float64).T.copy())
        for name, each in found.items()
    }


def seen_and_wanted(corrections: Sequence[Correction]) -> dict[str, list[tuple[float, float]]]:
    """By channel, weights that the fit gave before the actor's gains, each with the one that was right."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for one in active(corrections):
        for name in one.pose.keys() & one.seen.keys():
            pairs.setdefault(name, []).append((one.seen[name], one.pose[name]))
    return pairs


def hold_poses(take: Take, corrections: Sequence[Correction], ranges: NDArray[np.floating] | None = None) -> Take:
    """A take that has corrected poses exactly; frames around them are moved by the same, the less the farther away.

    Args:
        ranges: (K, 2) smallest and largest weights, or None.
    """
    solved = take.solved
    if not solved.any() or not any(one.pose for one in active(corrections)):
        return take
    weights = take.weights.astype(np.float64)
    time_s = take.time_s[solved]
    for name, (at_s, reach_s, wanted) in by_channel(corrections, take.time_s).items():
        if name not in take.channels:
            continue
        k = take.channels.index(name)
        if ranges is not None:
            wanted = np.clip(wanted, *ranges[k])
        curve = weights[solved, k]
        curve = curve + (wanted - np.interp(at_s, time_s, curve)) @ fade(at_s, reach_s, time_s)
        weights[solved, k] = curve if ranges is None else np.clip(curve, *ranges[k])
    posed = {name for one in active(corrections) for name in one.pose}
    shown = tuple(name for name in take.not_observed if name not in posed)
    return replace(take, weights=weights.astype(np.float32), not_observed=shown)
