"""What a job that maps a character's controls is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting

ENDING = ".mapping.json"
"""What a mapping's file is usually called."""


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """Settings of one mapping of a character."""

    character: str = setting(help="FILE.blend, FILE.blend:OBJECT or rig .npz: the character whose keys are to be moved")
    preset: str | None = setting(
        None,
        help="Name of a preset, as “VRoid”, or a mapping's file (.json); if not given: guessed by names and motion",
    )
    motion: bool = setting(True, help="Where names do not say it, guess by what each key moves")
    take: Path | None = setting(
        None, help="Take (.take.npz) or Live Link Face CSV whose values are written under the names of the targets"
    )
    out: Path | None = setting(None, help="Mapping to write (.json); if not given: facecap_out/CHARACTER.mapping.json")
    json_values: bool = setting(False, help="Write the take's values as JSON, not as CSV")
    blender: Path | None = setting(None, help="Blender program to open .blend characters with")
    threads: int = setting(2, help="Threads", min=1, max=64)
