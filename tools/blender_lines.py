"""Which Blender brings which Python: an extension's compiled wheels serve one Python each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BlenderLine:
    """Versions of Blender that share a Python.

    Attributes:
        python: theirs.
        first: the oldest of them, as `blender_version_min` has it.
        end: the first that is too new, as `blender_version_max` has it.
        name: theirs in the names of zips.
    """

    python: str
    first: str
    end: str
    name: str


LINES = (
    BlenderLine("3.11", "4.2.0", "5.1.0", "blender_4.2_to_5.0"),
    BlenderLine("3.13", "5.1.0", "5.3.0", "blender_5.1_to_5.2"),
)


def wheels_for(files: list[str], line: BlenderLine) -> list[str]:
    """Those of the wheels (file names) that the line's Python takes: its own, and those that serve every Python."""
    tag = "cp" + line.python.replace(".", "")
    return [file for file in files if f"-{tag}-{tag}-" in file or "-abi3-" in file or "-py3-none-" in file]
