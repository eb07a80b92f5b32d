"""What a job that makes shape keys is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting


@dataclass(frozen=True, kw_only=True)
class ShapeKeysSettings:
    """Settings of one transfer of shape keys."""

    character: str = setting(help="FILE.blend, FILE.blend:OBJECT or rig .npz: the head that gets the keys")
    out: Path = setting(Path("facecap_out"), help="Folder for the results")
    source: str | None = setting(None, help="Head whose keys are transferred; if not given: the sample head's 52")
    symmetric: bool = setting(False, help="Make left and right keys mirror images of each other")
    contact: bool = setting(
        True,
        help="Adjust the blinks until the lids meet, and mouthClose until the lips do",
        label="Close Lids and Lips",
    )
    strength: float = setting(1.0, help="Multiply every key by this", min=0.1, max=3.0)
    strengths: str | None = setting(
        None, help="Multiply single keys by more, for example: jawOpen=1.2, mouthFunnel=0.8"
    )
    only: str | None = setting(None, help="Names of the keys to make, separated by commas; if not given: all")
    blend: bool = setting(True, help="Write a copy of the character's .blend with the keys on it")
    blender: Path | None = setting(None, help="Blender program to open .blend characters with")
    threads: int = setting(2, help="Threads", min=1, max=64)
