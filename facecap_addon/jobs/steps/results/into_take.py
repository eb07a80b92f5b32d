"""Which take a solved range goes into, and what of the footage has to be looked at for that."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....errors import FacecapError
from ....footage.footage import Footage, open_footage
from ....footage.position import Position, parse_position
from ....landmarks.observations import Observations
from ....settings_schema import to_json
from ....takes.merge import merge_takes
from ....takes.names import Origin
from ....takes.npz import load_take
from ....takes.take import Take
from ....takes.versions import MADE
from ...runtime.crash_report import versions
from ...settings.solve import SolveSettings
from .provenance import CLIP, origin_in, settings_of

_SAME_FOCAL = 0.01


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


def find_base(settings: SolveSettings, footage: Footage, named: Path, origin: Origin) -> tuple[Base | None, str]:
    """The take that a solve's range goes into, if it goes into one.

    Args:
        footage: the range.  named: the folder's take of the same footage.  origin: of the footage.
    Returns:
        the take, or None; and why the range is a take of its own where one might expect otherwise ("" else).
    Raises:
        FacecapError: the take that was named with `into` is none, or of other footage.
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
        if asked:
            raise
        return None, f"The range was solved as a take of its own. {error.what}"
    whole = _join_ranges(before, settings, footage)
    if whole is None:
        return None, ""
    if not whole:
        return None, "The range was solved as a take of its own: the clip's take covers another part of it."
    start, end = whole
    together = replace(settings, start=start, end=end, fps=settings.fps or before.fps)
    if settings.neutral_frame is None:
        together = replace(together, neutral_frame=before.neutral_frame)
    opened = open_footage(settings.video, start=start, end=end, fps=together.fps)
    opened = replace(opened, upside_down=bool(take.provenance.get("upside_down")))
    return Base(take, path, together, opened), ""


def settings_as_filmed(base: Base) -> SolveSettings:
    """The settings of a range with the camera of its take."""
    if base.take.focal_px <= 0:
        return base.settings
    return replace(base.settings, focal_px=base.take.focal_px, lens_mm=None)


def merge_into(
    base: Base, part: Take, settings: SolveSettings, origin: Origin, given_px: float | None, warnings: list[str]
) -> Take:
    """The take with the range in it; the warnings say so.

    Args:
        settings: of the range.  given_px: focal length that was asked for; a take has one.
    """
    take = merge_takes(base.take, part)
    first, last = part.time_s[[0, -1]]
    made, focal_px = base.take.provenance.get(MADE), base.take.focal_px
    warnings.append(
        f"The range from {first:.2f} to {last:.2f} s was solved anew and merged into the clip's take"
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
    }
    return replace(take, provenance={**take.provenance, **facts})


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
