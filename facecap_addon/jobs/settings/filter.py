"""What a filter job is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting
from .live import CurveFilterSettings

ENDING = ".filtered"
"""What stands between a filtered take's name and its ending."""


@dataclass(frozen=True, kw_only=True)
class FilterSettings(CurveFilterSettings):
    """Settings of one filter over a finished take."""

    take: Path = setting(help="Take to filter (.take.npz), or a Live Link Face CSV; it stays as it is")
    out: Path | None = setting(None, help="Take to write; if not given: beside the other, named …filtered")
    character: str | None = setting(
        None,
        help="FILE.blend or rig .npz: its lips and lids show what is closed; if not given: judged by the weights alone",
    )
    live_link: bool = setting(True, help="Write the Live Link Face CSV")
    plot: bool = setting(True, help="Write a plot of curves before and after")
    blender: Path | None = setting(None, help="Blender program to read .blend characters with")
    threads: int = setting(1, help="Threads", min=1, max=64)
