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
    source: str | None = setting(None, help="Head whose keys are carried over; absent: the sample head's 52")
    symmetric: bool = setting(False, help="Make left and right keys mirror images of each other")
    contact: bool = setting(True, help="Mend blinks so that lids meet, and mouthClose so that lips do")
    strength: float = setting(1.0, help="Factor on every key", min=0.1, max=3.0)
    strengths: str | None = setting(
        None, help="Factors on single keys besides, for example: jawOpen=1.2, mouthFunnel=0.8"
    )
    only: str | None = setting(None, help="Names of the keys to make, separated by commas; absent: all")
    blend: bool = setting(True, help="Write a copy of the character's .blend with the keys on it")
    blender: Path | None = setting(None, help="Blender program to open .blend characters with")
    threads: int = setting(2, help="Threads", min=1, max=64)
