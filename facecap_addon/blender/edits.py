"""The edits of a scene: as a stack for the take, put back from one, and shown on the character while they change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..errors import FacecapError
from ..settings_schema import checked, fields_of
from ..takes.edits.kinds import KIND_OF
from .present import settings_of
from .properties.edits import COMMON, has_list, prefix_of
from .scene.objects import key_blocks_of, keys_of
from .session import Handle
from .takes import take_file

if TYPE_CHECKING:
    from ..arrays import F32
    from ..takes.edits.evaluate import Evaluator
    from ..takes.edits.kinds import Edit, Stack
    from ..takes.take import Take
    from .properties.edits import FACECAP_PG_edit

_MOMENT_S = 0.15
_OF_HEAD = ("retime", "mirror")
"""Kinds of edits that change the head's pose or its times."""
_quiet = False
_waiting: Handle | None = None
_KEPT = 2
"""How many takes stay ready to be edited again: the chosen one, and the one that it is compared with."""
_ready: dict[Path, tuple[tuple[object, ...], Evaluator]] = {}


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

    The present frame is shown at once. Where the present action is the take's own, its keys follow when nothing has
    been changed for a moment; other actions are only changed by a bake. What keeps edits from being shown is said in
    the panel.
    """
    if _quiet or not _is_shown(scene):
        return
    if bpy.app.background:  # timers do not run
        write_edits(scene)
        return
    from .operators.take.bake import chosen_bake
    from .scene.animation.show_take import show_frame

    with _told(scene):
        settings = settings_of(scene)
        if settings.character is not None:
            take, bake = _edited_now(scene, settings.character), chosen_bake(settings)
            show_frame(settings.character, take, bake, scene, head=moves_head(scene, settings.character))
    global _waiting
    _waiting = Handle.of(scene)
    if bpy.app.timers.is_registered(_write_waiting):
        bpy.app.timers.unregister(_write_waiting)
    bpy.app.timers.register(_write_waiting, first_interval=_MOMENT_S)


def write_edits(scene: bpy.types.Scene) -> None:
    """Write a scene's edits into the keys of its take's own action; elsewhere the present frame is shown."""
    from .operators.take.bake import chosen_bake
    from .scene.animation.show_take import own_action, show_frame, write_take

    character = settings_of(scene).character
    if character is None or not _is_shown(scene):
        return
    with _told(scene):
        take, bake = _edited_now(scene, character), chosen_bake(settings_of(scene))
        head = moves_head(scene, character)
        if own_action(character, take) is None:
            show_frame(character, take, bake, scene, head=head)
        else:
            write_take(character, take, bake, scene, edits_text(scene), head=head)
        _follow_comparisons(scene, head=head)


def _follow_comparisons(scene: bpy.types.Scene, *, head: bool) -> None:
    """What is compared with the chosen take is edited, too."""
    listed = settings_of(scene).take_list
    if listed.against:
        from .difference import follow_edits

        follow_edits(scene)
    if listed.beside:
        from .operators.take.compare import follow_beside

        follow_beside(scene, head=head)


def moves_head(scene: bpy.types.Scene, character: bpy.types.Object) -> bool:
    """Whether edits change where the head is, or those did that its keys show."""
    from .scene.animation.show_take import EDITS

    keys = keys_of(character)
    animation = None if keys is None else keys.animation_data
    action = None if animation is None else animation.action
    shown = "" if action is None else str(action.get(EDITS, ""))
    kinds = {edit.kind for edit in stack_in(scene) if edit.on}
    return any(kind in kinds or f'"{kind}"' in shown for kind in _OF_HEAD)


def edits_text(scene: bpy.types.Scene) -> str:
    """A scene's edits as the text by which an action remembers them; "" without any. Raises FacecapError."""
    import json

    from ..takes.edits.stack_file import stack_facts

    stack = stack_in(scene)
    return json.dumps(stack_facts(stack)) if stack else ""


def catch_up() -> None:
    """Write what waits to be written, now: the file is about to be saved."""
    if bpy.app.timers.is_registered(_write_waiting):
        bpy.app.timers.unregister(_write_waiting)
        _write_waiting()


def follow_undo(scene: bpy.types.Scene) -> None:
    """After an undo step: keys that were written after the step was kept are written again."""
    from .scene.animation.show_take import EDITS

    character = settings_of(scene).character
    keys = None if character is None else keys_of(character)
    animation = None if keys is None else keys.animation_data
    action = None if animation is None else animation.action
    if action is None or EDITS not in action or not _is_shown(scene):
        return
    with _told(scene):
        if action[EDITS] != edits_text(scene):
            show_edits(scene)


def _write_waiting() -> None:
    global _waiting
    scene = None if _waiting is None else _waiting.find(bpy.data.scenes)
    _waiting = None
    if scene is not None:
        write_edits(scene)


def _is_shown(scene: bpy.types.Scene) -> bool:
    settings = settings_of(scene)
    return settings.character is not None and bool(settings.result.take)


def edited_take(scene: bpy.types.Scene, character: bpy.types.Object, path: Path) -> Take:
    """A take with the names of a character's keys and a scene's edits; quick when asked again. Raises FacecapError."""
    stack = stack_in(scene)
    return _evaluator_of(scene, character, path, contacts=_has_contacts(stack)).evaluate(stack)


def plain_take(scene: bpy.types.Scene, character: bpy.types.Object, path: Path) -> Take:
    """A take with the names of a character's keys, without edits. Raises FacecapError."""
    return _evaluator_of(scene, character, path, contacts=_has_contacts(stack_in(scene))).take


def _edited_now(scene: bpy.types.Scene, character: bpy.types.Object) -> Take:
    return edited_take(scene, character, take_file(settings_of(scene).result))


@contextmanager
def _told(scene: bpy.types.Scene) -> Iterator[None]:
    """What keeps edits from being shown is said in the panel, where there are any."""
    edits, problem = settings_of(scene).edits, ""
    try:
        yield
    except FacecapError as error:
        problem = f"{error.what} {error.way_out}"
    if edits.problem != problem:
        edits.problem = problem


@contextmanager
def quietly() -> Iterator[None]:
    """While many settings change, nothing is shown."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before


def _evaluator_of(scene: bpy.types.Scene, character: bpy.types.Object, path: Path, *, contacts: bool) -> Evaluator:
    """A take, ready to be edited again and again; its stages stay until the file or the character changes."""
    from ..takes.edits.evaluate import Evaluator
    from ..takes.npz import load_take
    from .character_gaps import gaps_in, gaps_key
    from .operators.take.bake import fitted

    ranges = tuple((block.name, block.slider_min, block.slider_max) for block in key_blocks_of(character))
    mapping = settings_of(scene).take_list
    names = tuple((row.source, row.key) for row in mapping.mapping) if mapping.use_mapping else ()
    key = (path.stat().st_mtime_ns, character.name_full, ranges, names, gaps_key(character) if contacts else None)
    found = _ready.pop(path, None)
    if found is None or found[0] != key:
        take, _ = fitted(settings_of(scene), character, load_take(path))
        gaps = gaps_in(character, take, path) if contacts else None
        found = key, Evaluator(take, limits=limits_of(character, take), gaps=gaps)
    while len(_ready) >= _KEPT:
        del _ready[next(iter(_ready))]  # used longest ago
    _ready[path] = found
    return found[1]


def _has_contacts(stack: Stack) -> bool:
    return any(edit.on and edit.kind in ("lip-seal", "lid-contact") for edit in stack)


def _short(value: float) -> float:
    return float(f"{value:.6g}")
