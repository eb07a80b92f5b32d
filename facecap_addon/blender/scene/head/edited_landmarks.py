"""Landmarks that were put in their place by hand, kept with the object whose mesh they lie on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import bpy

from ....errors import UNREADABLE, FacecapError

if TYPE_CHECKING:
    from ....rig.landmark_edits import LandmarkEdits

EDITS = "facecap_landmarks"
"""What an object calls them."""


def edits_text(obj: bpy.types.Object) -> str:
    """The edits as the object keeps them; "" without any."""
    text = obj.get(EDITS, "")
    return text if isinstance(text, str) else ""


def is_edited(obj: bpy.types.Object) -> bool:
    """Whether landmarks of an object were put in their place by hand."""
    return bool(edits_text(obj))


def edits_of(obj: bpy.types.Object) -> LandmarkEdits | None:
    """The edits of an object; None without any, and where they are damaged."""
    from ....rig.landmark_edits import read_json

    text = edits_text(obj)
    try:
        return read_json(json.loads(text)) if text else None
    except UNREADABLE:
        return None


def keep_edits(obj: bpy.types.Object, edits: LandmarkEdits) -> None:
    """Keep edits with an object. Raises FacecapError if it is linked."""
    from ....rig.landmark_edits import write_json

    if obj.library is not None:
        raise FacecapError(
            f"“{obj.name}” is linked, so nothing can be kept with it.", "Make a library override of it first."
        )
    obj[EDITS] = json.dumps(write_json(edits))


def forget_edits(obj: bpy.types.Object) -> None:
    """Let an object's landmarks lie where they are found."""
    if EDITS in obj:
        del obj[EDITS]
