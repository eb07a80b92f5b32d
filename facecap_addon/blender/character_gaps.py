"""How far a character's lips and lids gape, where a solve has placed landmarks on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FacecapError
from .scene.objects import mesh_of

if TYPE_CHECKING:
    import bpy

    from ..takes.edits.contacts import Gaps
    from ..takes.take import Take

_latest: tuple[tuple[object, ...], Gaps | None] | None = None


def gaps_in(character: bpy.types.Object, take: Take, path: Path) -> Gaps | None:
    """A character's gaps; None where its landmarks are not kept beside the take, or not of this mesh.

    What was found is kept until there is another mesh, shape or take, or landmarks are put elsewhere.

    Args:
        path: of the take.
    """
    global _latest
    key = (str(path), *gaps_key(character))
    if _latest is None or _latest[0] != key:
        _latest = key, _find(character, take, path)
    return _latest[1]


def gaps_key(character: bpy.types.Object) -> tuple[object, ...]:
    """What a character's gaps depend on: its shapes, however they were sculpted, its size, its mapping, and where
    landmarks are."""
    from .scene.controls.stored_mapping import mapping_of
    from .scene.head.character import shape_sums
    from .scene.head.edited_landmarks import edits_text

    return (mesh_of(character).name_full, shape_sums(character), mapping_of(character), edits_text(character))


def _find(character: bpy.types.Object, take: Take, path: Path) -> Gaps | None:
    from ..fit.contact_pass import find_gaps
    from ..jobs.steps.character import characters_in, find_stored_embedding
    from ..rig.embedding import edit_embedding, load_embedding
    from ..takes.versions import home_of
    from .scene.head.character import extract_rig

    try:
        rig = extract_rig(character)
        stored = find_stored_embedding(rig, str(take.provenance.get("landmarks")), characters_in(home_of(path)))
        if stored is None:
            return None
        return find_gaps(rig, edit_embedding(load_embedding(stored), rig.edits, rig.triangles))
    except FacecapError:
        return None
