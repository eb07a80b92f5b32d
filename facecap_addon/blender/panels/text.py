"""Text that fits the sidebar: Blender's labels do not wrap by themselves."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import bpy

from ..present import system_preferences

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

_PX_PER_CHARACTER = 6.3  # of the default font at interface scale 1
_WIDE = 1.8  # a Chinese or Japanese character, in others
_FIRST_WIDE = "\u2e80"  # where Unicode's radicals, kana and ideographs begin
_MARGIN_PX = 62.0  # panel margin, scroll bar and the icon


def wrapped(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, *, icon: IconItems = "NONE") -> None:
    """A label of as many lines as the region's width asks for, translated; the icon stands at the first."""
    scale = system_preferences().ui_scale
    width = 240.0 if context.region is None else context.region.width / scale
    words: str = bpy.app.translations.pgettext_iface(text)  # pyright: ignore[reportAssignmentType]  its stub
    characters = max(12, int((width - _MARGIN_PX) / (_PX_PER_CHARACTER * mean_width(words))))
    column = layout.column(align=True)
    column.scale_y = 0.85
    for number, line in enumerate(textwrap.wrap(words, characters)):
        column.label(text=line, icon=icon if number == 0 else "BLANK1", translate=False)


def mean_width(text: str) -> float:
    """Of a text's characters, in widths of a Latin one."""
    wide = sum(letter >= _FIRST_WIDE for letter in text)
    return 1.0 + (_WIDE - 1.0) * wide / max(1, len(text))
