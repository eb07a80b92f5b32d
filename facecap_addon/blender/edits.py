"""The edits of a scene: as a stack for the take, put back from one, and shown on the character while they change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import bpy

from ..errors import FacecapError
from ..settings_schema import checked, fields_of
from ..takes.edits.kinds import KIND_OF
from .present import settings_of
from .properties.edits import COMMON, has_list, prefix_of
from .scene.objects import key_blocks_of
from .takes import take_file

if TYPE_CHECKING:
    from pathlib import Path

    from ..arrays import F32
    from ..takes.edits.evaluate import Evaluator
    from ..takes.edits.kinds import Edit, Stack
    from ..takes.take import Take
    from .properties.edits import FACECAP_PG_edit

_quiet = False
_latest: tuple[tuple[object, ...], Evaluator] | None = None


def stack_in(scene: bpy.types.Scene) -> Stack:
    """A scene's edits. Raises FacecapError where one's numbers do not fit."""
    return tuple(edit_of(entry) for entry in settings_of(scene).edits.stack)


def edit_of(entry: FACECAP_PG_edit) -> Edit:
    """An edit as the list has it. Raises FacecapError where its numbers do not fit."""
    cls = KIND_OF[entry.kind]
    values: dict[str, Any] = {}
    for item in fields_of(cls):
        name = item.name if item.name in COMMON else prefix_of(entry.kind) + item.name
        if item.optional and not getattr(entry, f"use_{name}"):
            continue
        value = getattr(entry, name)
        # Blender keeps single precision: 1.2 is meant where 1.2000000476837158 stands.
        values[item.name] = checked(item, float(f"{value:.6g}") if isinstance(value, float) else value)
    values["channels"] = tuple(filter(None, (name.strip() for name in entry.channels.split(","))))
    if has_list(cls, "points"):
        values["points"] = tuple((_short(one.x), _short(one.y)) for one in entry.points)
    if has_list(cls, "levels"):
        values["levels"] = tuple((one.name, _short(one.y)) for one in entry.levels)
    return cls(**values)


def put_stack(scene: bpy.types.Scene, stack: Sequence[Edit]) -> None:
    """Give a scene other edits."""
    edits = settings_of(scene).edits
    with quietly():
        edits.stack.clear()
        for edit in stack:
            put_edit(edits.stack.add(), edit)
        edits.active = 0
    show_edits(scene)


def put_edit(entry: FACECAP_PG_edit, edit: Edit) -> None:
    """Make an entry of the list an edit."""
    entry.kind = edit.kind
    for item in fields_of(type(edit)):
        name, value = item.name if item.name in COMMON else prefix_of(edit.kind) + item.name, getattr(edit, item.name)
        if item.optional:
            setattr(entry, f"use_{name}", value is not None)
        if value is not None:
            setattr(entry, name, value)
    entry.channels = ", ".join(edit.channels)
    entry.points.clear()
    entry.levels.clear()
    for x, y in getattr(edit, "points", ()):
        one = entry.points.add()
        one.x, one.y = x, y
    for channel, y in getattr(edit, "levels", ()):
        one = entry.levels.add()
        one.name, one.y = channel, y


def edited(scene: bpy.types.Scene, take: Take, character: bpy.types.Object, path: Path | None = None) -> Take:
    """A take with a scene's edits, inside the ranges of a character's sliders. Raises FacecapError.

    Args:
        path: of the take; None: the one that the scene has chosen.
    """
    if not len(settings_of(scene).edits.stack):
        return take
    from ..takes.edits.evaluate import evaluate
    from .character_gaps import gaps_in

    stack = stack_in(scene)
    gaps = None
    if _has_contacts(stack):
        gaps = gaps_in(character, take, path or take_file(settings_of(scene).result))
    return evaluate(take, stack, limits=limits_of(character, take), gaps=gaps)


def limits_of(character: bpy.types.Object, take: Take) -> F32:
    """(K, 2) float32, least and most that the character's sliders allow each channel of a take."""
    import numpy as np

    ranges = {block.name: (block.slider_min, block.slider_max) for block in key_blocks_of(character)}
    return np.array([ranges.get(channel, (0.0, 1.0)) for channel in take.channels], np.float32).reshape(-1, 2)


def show_edits(scene: bpy.types.Scene) -> None:
    """Show a scene's edits on its character.

    Where the present action is the take's own, its keys are written anew, but for those made by hand. Otherwise the
    present frame alone is shown, until another one is: other actions are only changed by a bake. What keeps edits from
    being shown is said in the panel.
    """
    if _quiet:
        return
    settings = settings_of(scene)
    if settings.character is None or not settings.result.take:
        return
    from .operators.bake import chosen_bake
    from .scene.animation.show_take import show_take

    try:
        stack = stack_in(scene)
        take = _evaluator_of(scene, settings.character, contacts=_has_contacts(stack)).evaluate(stack)
        show_take(settings.character, take, chosen_bake(settings), scene)
    except FacecapError as error:
        settings.edits.problem = f"{error.what} {error.way_out}"
    else:
        settings.edits.problem = ""


@contextmanager
def quietly() -> Iterator[None]:
    """While many settings change, nothing is shown."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before


def _evaluator_of(scene: bpy.types.Scene, character: bpy.types.Object, *, contacts: bool) -> Evaluator:
    """The take of a scene, ready to be edited again and again; its stages stay until there is another take."""
    from ..takes.edits.evaluate import Evaluator
    from ..takes.npz import load_take
    from .character_gaps import gaps_in
    from .operators.bake import fitted

    global _latest
    path = take_file(settings_of(scene).result)
    ranges = tuple((block.name, block.slider_min, block.slider_max) for block in key_blocks_of(character))
    mapping = settings_of(scene).take_list
    names = tuple((row.source, row.key) for row in mapping.mapping) if mapping.use_mapping else ()
    key = (str(path), path.stat().st_mtime_ns, character.name_full, ranges, names, contacts)
    if _latest is None or _latest[0] != key:
        take, _ = fitted(settings_of(scene), character, load_take(path))
        gaps = gaps_in(character, take, path) if contacts else None
        _latest = key, Evaluator(take, limits=limits_of(character, take), gaps=gaps)
    return _latest[1]


def _has_contacts(stack: Stack) -> bool:
    return any(edit.on and edit.kind in ("lip-seal", "lid-contact") for edit in stack)


def _short(value: float) -> float:
    return float(f"{value:.6g}")
