"""The difference that a scene looks at: its chosen take and another one, both as edited; kept for what draws it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..errors import FacecapError
from .edits import edited_take, plain_take
from .present import settings_of
from .scene.editors import redraw_editors
from .takes import kept_path, take_file

if TYPE_CHECKING:
    from ..takes.measures.difference import Comparison
    from ..takes.take import Take

_Key = tuple[tuple[str, int], tuple[str, int]]
_latest: tuple[_Key, Comparison | None] | None = None


def start_difference(scene: bpy.types.Scene, path: Path) -> Comparison:
    """Look at where the chosen take differs from another one, or from itself without edits. Raises FacecapError."""
    found = _compare(scene, path)
    settings_of(scene).take_list.against = kept_path(path)
    _keep(scene, found)
    return found


def end_difference(scene: bpy.types.Scene) -> None:
    """Look at it no longer."""
    settings_of(scene).take_list.against = ""
    redraw_editors()


def shown_difference(scene: bpy.types.Scene) -> Comparison | None:
    """What a scene looks at; None where it does not, or the takes cannot be compared any more."""
    if not settings_of(scene).take_list.against:
        return None
    key = _key_of(scene)
    if key is None:
        return None
    if _latest is None or _latest[0] != key:
        follow_edits(scene)
    return None if _latest is None or _latest[0] != key else _latest[1]


def follow_edits(scene: bpy.types.Scene) -> None:
    """Compare again: edits have changed."""
    path = _other(scene)
    if path is None:
        return
    try:
        found = _compare(scene, path)
    except FacecapError:
        found = None
    _keep(scene, found)


def take_beside(scene: bpy.types.Scene, path: Path) -> Take:
    """The take that the chosen one is compared with: as edited, or, if it is the chosen one itself, without edits."""
    character = settings_of(scene).character
    itself = path == take_file(settings_of(scene).result)
    if character is None:
        from ..takes.npz import load_take

        return load_take(path)
    return plain_take(scene, character, path) if itself else edited_take(scene, character, path)


def _compare(scene: bpy.types.Scene, path: Path) -> Comparison:
    from ..takes.measures.difference import compare
    from ..takes.npz import load_take

    chosen, character = take_file(settings_of(scene).result), settings_of(scene).character
    mine = load_take(chosen) if character is None else edited_take(scene, character, chosen)
    return compare(mine, take_beside(scene, path))


def _keep(scene: bpy.types.Scene, found: Comparison | None) -> None:
    global _latest
    key = _key_of(scene)
    _latest = None if key is None else (key, found)
    redraw_editors()


def _key_of(scene: bpy.types.Scene) -> _Key | None:
    """Of the files that are compared, which and of when; None if one is gone."""
    other = _other(scene)
    try:
        chosen = take_file(settings_of(scene).result)
        if other is None:
            return None
        return (str(chosen), chosen.stat().st_mtime_ns), (str(other), other.stat().st_mtime_ns)
    except (FacecapError, OSError):
        return None


def _other(scene: bpy.types.Scene) -> Path | None:
    against = settings_of(scene).take_list.against
    return Path(bpy.path.abspath(against)) if against else None
