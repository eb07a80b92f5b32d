"""What jobs are asked that read other programs' performances and write takes for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting

FORMATS: dict[str, tuple[str, str, str]] = {
    "live-link": ("Live Link CSV", "Live Link Face's 61 columns, with timecode", ".livelink.csv"),
    "arkit-json": ("ARKit JSON", "Names of blend shapes, and weights by frame", ".arkit.json"),
    "unreal": ("Unreal Curve Table", "CSV that Unreal imports as curves, for MetaHumans with a mapping", ".unreal.csv"),
    "unity": ("Unity Animation", "An animation clip of blend shapes", ".anim"),
    "vrma": ("VRM Animation", "Expressions and the head's turn, for any VRM model", ".vrma"),
    "glb": ("glTF (.glb)", "The character, its shape keys keyed at the footage's own times", ".glb"),
    "fbx": ("FBX", "The character, sampled on every frame", ".fbx"),
    "usd": ("USD", "The character with UsdSkel's blend shapes", ".usdc"),
    "abc": ("Alembic", "Every vertex of every frame, with parts", ".abc"),
    "pc2": ("PC2", "Point cache of the mesh, evenly spaced", ".pc2"),
    "mdd": ("MDD", "Point cache of the mesh, at the footage's own times", ".mdd"),
}
"""Formats of export, each with its name, what it holds, and the ending of its files."""
MESH_FORMATS, CACHE_FORMATS = ("glb", "fbx", "usd", "abc"), ("pc2", "mdd")


@dataclass(frozen=True, kw_only=True)
class ImportSettings:
    """Settings of reading another program's performance."""

    file: Path = setting(
        help="A Live Link Face CSV or take folder, JSON of ARKit's blend shapes, curves of Unreal, or, with a "
        "character, moving vertices: PC2, MDD, Alembic, USD"
    )
    out: Path | None = setting(None, help="Take to write; if not given: beside the file, under its name")
    character: str | None = setting(
        None,
        help="FILE.blend, FILE.blend:OBJECT or rig .npz that moves in a file of vertices: its keys get the weights",
    )
    fps: float | None = setting(
        None,
        help="Frames per second of files that count frames; if not given: what their program is known for",
        min=1.0,
        max=1000.0,
    )
    live_link: bool = setting(True, help="Write the Live Link Face CSV")
    blender: Path | None = setting(None, help="Blender program to read .blend, Alembic and USD files with")
    threads: int = setting(1, help="Threads", min=1, max=64)


@dataclass(frozen=True, kw_only=True)
class ExportSettings:
    """Settings of writing a take for another program."""

    take: Path = setting(help="Take to export (.take.npz), or anything that facecap import reads")
    format: str = setting(
        help="What to write",
        choices=tuple(FORMATS),
        choice_labels={name: (label, text) for name, (label, text, _) in FORMATS.items()},
    )
    out: Path | None = setting(None, help="File to write; if not given: beside the take, under its name")
    character: str | None = setting(
        None,
        help="FILE.blend, FILE.blend:OBJECT or, for PC2 and MDD, rig .npz; if not given: the take's own, else the "
        "sample head",
    )
    mapping: Path | None = setting(
        None, help="Mapping (.json) that is applied: what it moves is written instead of the take's channels"
    )
    mesh: str = setting("", help="Unity: path of the mesh below the object that has the Animator, as Body/Face")
    fps: float | None = setting(
        None, help="Frames per second of formats that sample; if not given: the take's", min=1.0, max=1000.0
    )
    blender: Path | None = setting(None, help="Blender program to write GLB, FBX, USD and Alembic with")
    threads: int = setting(1, help="Threads", min=1, max=64)
