"""What the sections of the FaceCap tab share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from .. import session
from ..present import settings_in
from ..torch_there import what_torch_lacks
from ..translations import CONTEXT
from .text import wrapped

if TYPE_CHECKING:
    from bpy.stub_internal.rna_enums import IconItems

    _Panel, _UIList = bpy.types.Panel, bpy.types.UIList  # what the classes are that mix these in
else:
    _Panel = _UIList = object


class FacecapPanel(_Panel):
    """Mixin: a section of the FaceCap tab. Implement `draw_section`."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "FaceCap"
    bl_translation_context = CONTEXT

    def draw(self, context: bpy.types.Context) -> None:
        if self.layout is not None:
            self.draw_section(self.layout, context)

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        """Fill the section."""
        raise NotImplementedError


class FacecapList(_UIList):
    """Mixin: a list of the FaceCap tab. Implement `draw_row`."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: Any,
        item: Any,
        icon: int | None,
        active_data: Any,
        active_property: str | None,
        index: int | None = 0,
        flt_flag: int | None = 0,
    ) -> None:
        self.draw_row(layout, context, item)

    def draw_row(self, layout: bpy.types.UILayout, context: bpy.types.Context, item: Any) -> None:
        """Show one item of the list."""
        raise NotImplementedError


def with_names(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """The layout, its values with their names beside them and without dots for keys."""
    layout.use_property_split = True
    layout.use_property_decorate = False
    return layout


def draw_button(layout: bpy.types.UILayout, operator: str, icon: IconItems) -> None:
    """The button that a section is there for."""
    row = layout.row()
    row.scale_y = 1.3
    row.operator(operator, icon=icon)


def draw_outcome(layout: bpy.types.UILayout, context: bpy.types.Context, *names: str) -> None:
    """How the latest thing ended that this section's operators were asked; of a take's, Result says the rest."""
    outcome = session.outcome
    if outcome is None or outcome.of not in names:
        return
    lines = outcome.lines
    if outcome.ok and outcome.take:
        if outcome.take != settings_in(context).result.take:  # undone
            return
        lines = lines[:1]
    column = layout.column(align=True)
    for number, line in enumerate(lines):
        wrapped(column, context, line, icon="BLANK1" if number else "CHECKMARK" if outcome.ok else "ERROR")


def draw_checkbox(layout: bpy.types.UILayout, owner: bpy.types.bpy_struct, name: str) -> None:
    """A box to check across the section's width, so that its words are read in a narrow sidebar, too."""
    row = layout.row()
    row.use_property_split = False
    row.prop(owner, name)


def draw_next(
    layout: bpy.types.UILayout, context: bpy.types.Context, *, character: bool = False, take: bool = False
) -> None:
    """What has to be done first, where a section wants a character or a take and there is none."""
    settings = settings_in(context)
    if character and settings.character is None:
        wrapped(layout, context, "First choose a character, above", icon="INFO")
    elif take and not settings.result.take:
        wrapped(layout, context, "First solve, above: this works on a take", icon="INFO")


def draw_torch(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What a section that needs PyTorch lacks."""
    lacking = what_torch_lacks()
    if lacking:
        wrapped(layout, context, lacking, icon="INFO")


def draw_optional(layout: bpy.types.UILayout, owner: bpy.types.bpy_struct, name: str, heading: str) -> None:
    """A value with a box beside it that says whether it is used."""
    row = layout.row(heading=heading, align=True)
    row.prop(owner, f"use_{name}", text="")
    value = row.row(align=True)
    value.active = getattr(owner, f"use_{name}")
    value.prop(owner, name, text="")
