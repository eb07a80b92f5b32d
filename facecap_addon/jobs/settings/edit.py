"""What an edit job is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting

ENDING = ".edited"
"""What stands between an edited take's name and its ending."""


@dataclass(frozen=True, kw_only=True)
class EditSettings:
    """Settings of one stack of edits over a finished take."""

    take: Path = setting(help="Take to edit (.take.npz), or a Live Link Face CSV; it stays as it is")
    stack: str = setting(help="File with the edits (.edits.json), or the name of a preset, as “Speech Clean-Up”")
    out: Path | None = setting(None, help="Take to write; if not given: beside the other, named …edited")
    character: str | None = setting(
        None,
        help="FILE.blend or rig .npz: its lips and lids show what is closed, its sliders how far keys go; "
        "if not given: judged by the weights alone, keys go from 0 to 1",
    )
    live_link: bool = setting(True, help="Write the Live Link Face CSV")
    plot: bool = setting(True, help="Write a plot of curves before and after")
    blender: Path | None = setting(None, help="Blender program to read .blend characters with")
    threads: int = setting(1, help="Threads", min=1, max=64)
