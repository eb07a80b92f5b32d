"""FaceCap's keys: one table. Blender lists them in Preferences › Keymap, where they can be changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import EventTypeItems, SpaceTypeItems


@dataclass(frozen=True)
class Key:
    """A key of one editor.

    Attributes:
        operator: what it runs.  key: as "F".  keymap: Blender's name of the keymap.  space: the editor it belongs to.
        ctrl, alt, shift: what is held.  options: of the operator.
    """

    operator: str
    key: EventTypeItems
    keymap: str = "3D View"
    space: SpaceTypeItems = "VIEW_3D"
    ctrl: bool = False
    alt: bool = False
    shift: bool = False
    options: dict[str, Any] = field(default_factory=dict[str, Any])


KEYS = (
    Key("wm.call_menu", "F", ctrl=True, alt=True, options={"name": "FACECAP_MT_animation"}),
    Key("facecap.go_to_bad_frame", "RIGHT_ARROW", "Frames", "EMPTY", alt=True, options={"forward": True}),
    Key("facecap.go_to_bad_frame", "LEFT_ARROW", "Frames", "EMPTY", alt=True, options={"forward": False}),
    Key("facecap.cancel", "ESC", keymap="3D View Generic"),  # the keys of the 3D view's sidebar, too
)

_added: list[tuple[bpy.types.KeyMap, bpy.types.KeyMapItem]] = []


def register() -> None:
    manager = bpy.context.window_manager
    config = None if manager is None else manager.keyconfigs.addon
    if config is None:  # without a window there are no keys
        return
    for one in KEYS:
        keymap = config.keymaps.new(name=one.keymap, space_type=one.space)
        item = keymap.keymap_items.new(one.operator, one.key, "PRESS", ctrl=one.ctrl, alt=one.alt, shift=one.shift)
        for name, value in one.options.items():
            setattr(item.properties, name, value)
        _added.append((keymap, item))


def unregister() -> None:
    while _added:
        keymap, item = _added.pop()
        keymap.keymap_items.remove(item)
