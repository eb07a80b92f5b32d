"""Where a trim starts and ends: a frame number or a time, as people type it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal

from ..errors import FacecapError

# A frame belongs to a trim that names its time to the millisecond, although its own timestamp is a fraction.
TIME_TOLERANCE_S = 5e-4

_FRAMES = re.compile(r"(\d+)\s*f?", re.IGNORECASE)
_SECONDS = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*s", re.IGNORECASE)
_DECIMAL = re.compile(r"\d+\.\d*|\.\d+")
_CLOCK = re.compile(r"(?:(\d+):)?(\d{1,2}):(\d{1,2}(?:\.\d*)?)")


@dataclass(frozen=True)
class Position:
    """A place in footage.

    Attributes:
        value: frame number counted from 0, or seconds from the first picture.
        unit: which of the two.
    """

    value: float
    unit: Literal["frames", "seconds"]

    def __str__(self) -> str:
        return f"frame {self.value:.0f}" if self.unit == "frames" else f"{self.value:g} s"


@dataclass(frozen=True)
class Trim:
    """The part of the footage to use: both ends belong to it, None means the footage's own end."""

    start: Position | None = None
    end: Position | None = None

    def is_before(self, index: int, time_s: float) -> bool:
        """Whether a frame lies before the start.

        Args:
            index: frame number in the untrimmed footage.  time_s: seconds from the first picture.
        """
        if self.start is None:
            return False
        if self.start.unit == "frames":
            return index < self.start.value
        return time_s < self.start.value - TIME_TOLERANCE_S

    def is_after(self, index: int, time_s: float) -> bool:
        """Whether a frame lies behind the end; arguments as in `is_before`."""
        if self.end is None:
            return False
        if self.end.unit == "frames":
            return index > self.end.value
        return time_s > self.end.value + TIME_TOLERANCE_S


def parse_position(text: str | float) -> Position:
    """Read a frame number or a time.

    Args:
        text: "120f" or "120" (frame, counted from 0), "4.5s" or "4.5" (seconds), "01:02.5" or "00:01:02.5"
            (minutes and hours); an int is a frame number, a float is seconds.
    Raises:
        FacecapError: it is none of these.
    """
    if isinstance(text, int):
        text = f"{text}f"
    elif isinstance(text, float):
        text = f"{text:.9f}s" if math.isfinite(text) else str(text)
    stripped = text.strip()
    if match := _FRAMES.fullmatch(stripped):
        return Position(float(match[1]), "frames")
    if match := _SECONDS.fullmatch(stripped):
        return Position(float(match[1]), "seconds")
    if _DECIMAL.fullmatch(stripped):
        return Position(float(stripped), "seconds")
    if match := _CLOCK.fullmatch(stripped):
        hours, minutes, seconds = float(match[1] or 0), float(match[2]), float(match[3])
        return Position(hours * 3600 + minutes * 60 + seconds, "seconds")
    raise FacecapError(
        f"“{stripped}” is neither a frame number nor a time.",
        "Write a frame as 120f, or a time as 4.5s or 00:01:02.5.",
    )
