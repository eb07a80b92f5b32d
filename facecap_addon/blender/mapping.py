"""The mapping of a character in the panel: what can be chosen, and a channel shown on the character without keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import bpy

from .present import WEIGHT, settings_in, window_manager_in
from .scene.controls.stored_mapping import group_of, link_of, read_mapping

if TYPE_CHECKING:
    from ..rig.mapping.mapping import Mapping
    from .properties.mapping import FACECAP_PG_link, FACECAP_PG_link_point

_quiet = False


@contextmanager
def quietly() -> Iterator[None]:
    """While a whole mapping is put into the table, nothing is shown."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before


def give_mapping(obj: bpy.types.Object, mapping: Mapping) -> None:
    """Give a character another mapping; a test that runs is ended first."""
    from .scene.controls.stored_mapping import store_mapping

    end_test(obj)
    with quietly():
        store_mapping(obj, mapping)


def link_changed(row: FACECAP_PG_link | FACECAP_PG_link_point) -> None:
    """A link that was changed by hand is sure; a test shows it as it is now."""
    obj = row.id_data
    if _quiet or not isinstance(obj, bpy.types.Object):
        return
    group = group_of(obj)
    for link in group.links:
        if link == row or any(point == row for point in link.points):
            link.sure = True
    if group.tested:
        show_test(bpy.context, getattr(window_manager_in(bpy.context), WEIGHT))


def source_channels(context: bpy.types.Context) -> list[str]:
    """Channels that a link may be of: the shown take's, ARKit's, and where the eyes look."""
    from ..rig.channels import ARKIT_CHANNELS
    from ..takes.gaze_channels import GAZE_CHANNELS
    from .present import scene_in
    from .scene.shown_take import shown_take

    take = shown_take(scene_in(context))
    return list(dict.fromkeys([*(() if take is None else take.channels), *ARKIT_CHANNELS, *GAZE_CHANNELS]))


def target_names(row: FACECAP_PG_link) -> list[str]:
    """What a link may move, by name, of the kind that it has."""
    from .scene.controls.targets import read_targets

    obj = row.id_data
    if not isinstance(obj, bpy.types.Object):
        return []
    targets = read_targets(obj)
    if row.kind == "property":
        return list(dict.fromkeys(t.name for t in targets if t.kind == "property" and t.axis == row.bone))
    return list(dict.fromkeys(target.name for target in targets if target.kind == row.kind))


def bone_names(row: FACECAP_PG_link) -> list[str]:
    """Bones that have custom properties."""
    from .scene.controls.targets import read_targets

    obj = row.id_data
    targets = read_targets(obj) if isinstance(obj, bpy.types.Object) else ()
    return list(dict.fromkeys(target.axis for target in targets if target.kind == "property" and target.axis))


def show_test(context: bpy.types.Context, weight: float) -> None:
    """Show the chosen link's channel on the chosen character, without keys; at 0 all is put back.

    What stood there before is kept with the character itself, so that undo, redo and a saved file cannot lose it.
    """
    import numpy as np

    from ..rig.mapping.evaluate import evaluate
    from .scene.controls.hold import put_back, read_values, set_targets
    from .scene.controls.targets import controls_of

    obj = settings_in(context).character
    if obj is None or obj.library is not None:
        return
    group = group_of(obj)
    if weight <= 0.0 or not 0 <= group.active < len(group.links):
        end_test(obj)
        return
    controls = controls_of(obj)
    if group.tested:
        put_back(controls, json.loads(group.tested))
    else:
        group.tested = json.dumps(read_values(controls))
    channel = group.links[group.active].channel
    moved = {link_of(link).target for link in group.links if link.channel == channel}
    whole = read_mapping(obj)
    targets, values = evaluate(whole, [channel], np.array([[weight]], np.float32))
    set_targets(obj, {t: float(v) for t, v in zip(targets, values[0], strict=True) if t in moved}, controls=controls)


def end_test(obj: bpy.types.Object) -> None:
    """Put back what a test has moved."""
    from .scene.controls.hold import put_back
    from .scene.controls.targets import controls_of

    group = group_of(obj)
    if not group.tested:
        return
    before, group.tested = json.loads(group.tested), ""
    put_back(controls_of(obj), before)
    windows = bpy.context.window_manager
    if windows is not None and getattr(windows, WEIGHT):
        setattr(windows, WEIGHT, 0.0)  # shows nothing: no test runs any more


def end_tests() -> None:
    """Put back what tests have moved, of every character: before saving and baking, after undo and loading."""
    for obj in bpy.data.objects:
        if obj.library is None and group_of(obj).tested:
            end_test(obj)
