"""The sample head, which is solved onto when no character is given."""

from __future__ import annotations

from pathlib import Path

from ...errors import FacecapError

FOLDER = Path(__file__).resolve().parents[3] / "sample_scenes"
CACHE = FOLDER / "cache"
"""Its rig and landmarks, made by `tools.build_sample_cache`, so that neither Blender nor waiting is needed."""


def sample_head() -> Path:
    """The sample head's .blend. Raises FacecapError where it is not part of the installation."""
    path = FOLDER / "head.blend"
    if not path.is_file():
        raise FacecapError("The sample head is not part of this installation.", "Name a character with --character.")
    return path
