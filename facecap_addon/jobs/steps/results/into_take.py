"""Which take a solved range goes into, and what of the footage has to be looked at for that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....arrays import F32, F64
from ....errors import FacecapError
from ....footage.footage import Footage, open_footage
from ....footage.position import Position, parse_position
from ....landmarks.observations import Observations
from ....settings_schema import to_json
from ....takes.corrections import (
    SAME_S,
    Correction,
    about_frames,
    active,
    add_corrections,
    changed_spans,
    corrections_of,
    hold_poses,
    load_corrections,
    nearest_time_s,
)
from ....takes.merge import RANGE, SPANS, merge_takes, rows_of
from ....takes.names import Origin
from ....takes.npz import load_take
from ....takes.take import Take
from ....takes.versions import MADE
from ...runtime.crash_report import versions
from ...settings.solve import SolveSettings
from .provenance import CLIP, origin_in, settings_of

_SAME_FOCAL = 0.01
REFINED = "refined"
"""Under which the provenance of a take says how it was refined."""


@dataclass(frozen=True)
class Base:
    """The take that a range goes into.

    Attributes:
        take, path: the take.  settings: with the range of the footage that both cover together.
        footage: that range, opened.
    """

    take: Take
    path: Path
    settings: SolveSettings
    footage: Footage


@dataclass(frozen=True)
class Corrected:
    """What a solve is to make of corrections.

    Attributes:
        corrections: all there are.
        spans: (first, last) times, s, of what is solved for them; empty: all that is asked.
    """

    corrections: tuple[Correction, ...] = ()
    spans: tuple[tuple[float, float], ...] = ()

    def pieces_of(self, part: Take) -> list[Take]:
        """What was solved, one span after the other."""
        if not self.spans:
            return [part]
        rows = [near_spans(part.time_s, (span,)) for span in self.spans]
        return [rows_of(part, each) for each in rows if each.any()]


def near_spans(time_s: F64, spans: Sequence[tuple[float, float]]) -> NDArray[np.bool_]:
    """(F,) bool: which times lie in a span; all where there is none."""
    inside = [(time_s >= first) & (time_s <= last) for first, last in spans]
    return np.any(inside, axis=0) if inside else np.ones(len(time_s), bool)


def read_corrections(settings: SolveSettings, named: Path) -> tuple[SolveSettings, Corrected]:
    """The corrections of a solve; where it is asked for no range, what they change of the take that is there.

    Args:
        named: the folder's take of the same footage.
    Returns:
        the settings, with the range of what changes; the corrections.
    Raises:
        FacecapError: they cannot be read, are in the take already, or the method cannot heed them.
    """
    if settings.corrections is None:
        return settings, Corrected()
    corrections = load_corrections(settings.corrections)
    if settings.method == "deep":
        raise FacecapError(
            "Refining does not know corrections.", "Solve around them with the method “landmarks”, after refining."
        )
    if settings.method != "landmarks" and any(len(one.landmarks) for one in active(corrections)):
        raise FacecapError(
            "A trained network does not look at corrected landmarks.",
            "Correct poses instead, or solve around them with the method “landmarks”.",
        )
    path = settings.into or named
    whole = settings.start is not None or settings.end is not None or not settings.merge
    if whole or (settings.into is None and not path.is_file()):
        return settings, Corrected(corrections)
    take = load_take(path)
    first, last = float(take.time_s[0]), float(take.time_s[-1])
    changed = changed_spans(corrections_of(take), about_frames(corrections, take.time_s))
    spans = tuple((max(a, first), min(b, last)) for a, b in changed if b >= first and a <= last)
    if not spans:
        raise FacecapError(
            "The take has these corrections already.", "Correct another frame, or solve the whole clip again."
        )
    return replace(settings, start=f"{spans[0][0]:.4f}s", end=f"{spans[-1][1]:.4f}s"), Corrected(corrections, spans)


def find_base(
    settings: SolveSettings, footage: Footage, named: Path, origin: Origin, *, always: bool = False
) -> tuple[Base | None, str]:
    """The take that a solve's range goes into, if it goes into one.

    Args:
        footage: the range.  named: the folder's take of the same footage.  origin: of the footage.
        always: whether a range goes into it or nowhere, one that covers all of it, too.
    Returns:
        the take, or None; and why the range is a take of its own where one might expect otherwise ("" else).
    Raises:
        FacecapError: the take that was named with `into`, or that a range has to go into, is none, or of other footage.
    """
    asked = settings.into is not None
    if not settings.merge or (settings.start is None and settings.end is None):
        return None, ""
    path = settings.into or named
    if not asked and not path.is_file():
        return None, ""
    try:
        take = load_take(path)
        before = settings_of(take, path)
        _check_same(take, before, settings, origin)
    except FacecapError as error:
        if asked or always:
            raise
        return None, f"The range was solved as a take of its own. {error.what}"
    whole = _join_ranges(before, settings, footage)
    if whole is None and always:
        whole = before.start, before.end
    if whole is None:
        return None, ""
    if not whole:
        return None, "The range was solved as a take of its own: the clip's take covers another part of it."
    start, end = whole
    together = replace(settings, start=start, end=end, fps=settings.fps or before.fps)
    if settings.neutral_frame is None:
        together = replace(together, neutral_frame=before.neutral_frame)
    opened = open_footage(settings.video, start=start, end=end, fps=together.fps, mirror=settings.mirror)
    opened = replace(opened, upside_down=bool(take.provenance.get("upside_down")))
    return Base(take, path, together, opened), ""


def settings_as_filmed(base: Base) -> SolveSettings:
    """The settings of a range with the camera of its take."""
    if base.take.focal_px <= 0:
        return base.settings
    return replace(base.settings, focal_px=base.take.focal_px, lens_mm=None)


def merge_into(
    base: Base,
    part: Take,
    settings: SolveSettings,
    origin: Origin,
    given_px: float | None,
    warnings: list[str],
    corrected: Corrected,
) -> Take:
    """The take with the range in it; the warnings say so.

    Args:
        settings: of the range.  given_px: focal length that was asked for; a take has one.
        corrected: of the range.
    """
    pieces, take = corrected.pieces_of(part), base.take
    for piece in pieces:
        take = merge_takes(take, piece)
    known = _join_corrections(take.time_s, pieces, corrections_of(base.take), corrected.corrections)
    first, last = pieces[0].time_s[0], pieces[-1].time_s[-1]
    made, focal_px = base.take.provenance.get(MADE), base.take.focal_px
    warnings.append(
        (
            f"What is around corrected frames, between {first:.2f} and {last:.2f} s, was solved anew"
            if corrected.spans
            else f"The range from {first:.2f} to {last:.2f} s was solved anew"
        )
        + " and merged into the clip's take"
        + (f" of {made}." if made else ".")
    )
    if given_px and focal_px > 0 and abs(given_px - focal_px) > _SAME_FOCAL * given_px:
        warnings.append(f"The take's focal length of {focal_px:.0f} px was kept for the range.")
    before = take.provenance.get("settings")
    whole = {**(before if isinstance(before, dict) else {}), "start": base.settings.start, "end": base.settings.end}
    facts = {
        "settings": whole,
        "range_settings": to_json(settings),
        CLIP: {"path": origin.path, "key": origin.key},
        "versions": versions(),
        SPANS: [[float(piece.time_s[0]), float(piece.time_s[-1])] for piece in pieces],
        RANGE: [float(first), float(last)],
    }
    take = replace(take, provenance={**take.provenance, **facts})
    return add_corrections(take, known) if known or corrections_of(base.take) else take


def add_to_refined(
    refined: Take, now: Take, before: Take, corrections: Sequence[Correction], ranges: NDArray[np.floating]
) -> Take:
    """A part of a refined take with what its corrections change: what refining found stays under it.

    Args:
        now, before: the fast fit of the part with the corrections of now, and with those that the refined take has.
        corrections: those of now; poses are reached exactly.
        ranges: (K, 2) smallest and largest weights.
    """
    at = [int(np.abs(refined.time_s - time_s).argmin()) for time_s in now.time_s.tolist()]
    known = refined.solved[at] & now.solved & before.solved
    low, high = np.asarray(ranges, np.float64).T
    weights = np.clip(refined.weights[at] + now.weights.astype(np.float64) - before.weights, low, high)
    gaze = refined.gaze_rad[at] + now.gaze_rad - before.gaze_rad

    def kept(values: NDArray[np.floating], otherwise: NDArray[np.floating]) -> F32:
        return np.where(known.reshape(-1, *[1] * (values.ndim - 1)), values, otherwise).astype(np.float32)

    part = replace(
        now,
        weights=kept(weights, now.weights),
        gaze_rad=kept(gaze, now.gaze_rad),
        head_rotation_wxyz=kept(refined.head_rotation_wxyz[at], now.head_rotation_wxyz),
        head_translation_m=kept(refined.head_translation_m[at], now.head_translation_m),
        jaw=kept(refined.jaw[at], now.jaw),
    )
    return hold_poses(part, about_frames(corrections, part.time_s), ranges)


def _join_corrections(
    time_s: F64, pieces: Sequence[Take], before: Sequence[Correction], now: Sequence[Correction]
) -> list[Correction]:
    """The corrections that a take of (F,) frames was solved with: in the pieces those of now, elsewhere as before."""

    def is_solved(one: Correction) -> bool:
        at_s = nearest_time_s(time_s, one.time_s)
        return any(piece.time_s[0] - SAME_S <= at_s <= piece.time_s[-1] + SAME_S for piece in pieces)

    kept = [one for one in about_frames(before, time_s) if not is_solved(one)]
    return kept + [one for one in about_frames(now, time_s) if is_solved(one)]


def find_rows(footage: Footage, observations: Observations) -> NDArray[np.bool_]:
    """(F,) bool: which observed frames lie in a piece of footage's range."""
    trim = footage.trim
    pairs = zip(observations.frame_index.tolist(), observations.time_s.tolist(), strict=True)
    return np.array([not (trim.is_before(i, t) or trim.is_after(i, t)) for i, t in pairs], bool)


def _check_same(take: Take, before: SolveSettings, settings: SolveSettings, origin: Origin) -> None:
    theirs = origin_in(take)
    same = theirs is not None and (theirs.key == origin.key if theirs.key else theirs.is_same(origin))
    if not same:
        raise FacecapError(
            f"The take is of other footage than {settings.video.name}, or of another cut of it.",
            "Choose its own footage, solve the whole clip first, or do not merge.",
        )
    if settings.into is None and before.character != settings.character:
        raise FacecapError(
            "The clip's take is of another character.", "Solve the whole clip with this character first."
        )
    if before.mirror != settings.mirror:
        raise FacecapError(
            "The clip's take was solved with the other sides as left and right.",
            "Solve the whole clip first, or set Mirrored as it was.",
        )
    if before.landmarker != settings.landmarker:
        raise FacecapError(
            "The clip's take was solved with another landmark network.", "Use the same, or solve the whole clip again."
        )


def _join_ranges(
    before: SolveSettings, settings: SolveSettings, footage: Footage
) -> tuple[str | None, str | None] | tuple[()] | None:
    """Start and end of what a take and a range cover together; None where the range covers all of the take.

    Empty where they do not touch: what lies between would have to be looked at for nothing.
    """
    rate = float(footage.frame_rate)
    far = float(footage.frame_count)

    def frame(text: str | None, absent: float) -> float:
        return absent if text is None else _to_frames(parse_position(text), rate)

    old_first, old_last = frame(before.start, 0.0), frame(before.end, far)
    first, last = frame(settings.start, 0.0), frame(settings.end, far)
    if first <= old_first and last >= old_last:
        return None
    if first > old_last + 1.5 or last < old_first - 1.5:
        return ()
    start = before.start if old_first <= first else settings.start
    end = before.end if old_last >= last else settings.end
    return start, end


def _to_frames(position: Position, rate: float) -> float:
    return position.value if position.unit == "frames" else position.value * rate
