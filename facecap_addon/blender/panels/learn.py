"""Train on an Actor: a training set, and what is trained on it."""

from __future__ import annotations

import bpy

from ...learn.networks.registry import find_useless_settings
from ..present import settings_in
from .base import FacecapPanel, draw_button, draw_next, draw_optional, draw_outcome, draw_torch, with_names

OFFERED = (
    "patience", "mirror", "cutmix", "affine", "stabilise", "lip_lid_weight", "mining", "distil", "compare", "int8",
    "precision", "device",
)  # fmt: skip
"""Under *Advanced*, those of them that the network has a use for."""


class FACECAP_PT_learn(FacecapPanel, bpy.types.Panel):
    bl_label = "Train on This Actor"
    bl_parent_id = "FACECAP_PT_more"
    bl_order = 1
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        with_names(layout)
        learn = settings_in(context).learn
        column = layout.column()
        column.prop(learn, "folder")
        column.prop(learn, "use_crop")
        if learn.use_crop:
            sides = column.column(align=True)
            for index, side in enumerate(("Left", "Top", "Width", "Height")):
                sides.prop(learn, "crop", index=index, text=side)
        draw_next(layout, context, take=True)
        row = layout.row(align=True)
        row.operator("facecap.add_to_set", icon="ADD")
        row.operator("facecap.check_set", icon="VIEWZOOM")
        column = layout.column()
        column.prop(learn, "draw_seconds")
        column.prop(learn, "side")
        layout.operator("facecap.draw_set", icon="USER")
        column = layout.column()
        column.prop(learn, "network")
        useless = find_useless_settings(learn.network)
        for name in ("labelled_images", "preset"):
            if name not in useless:
                column.prop(learn, name)
        draw_button(layout, "facecap.train", "OUTLINER_OB_LIGHTPROBE")
        draw_torch(layout, context)
        names = ("add_to_set", "draw_set", "check_set", "train")
        draw_outcome(layout, context, *(f"facecap.{name}" for name in names))


class FACECAP_PT_learn_options(FacecapPanel, bpy.types.Panel):
    bl_label = "Advanced"
    bl_parent_id = "FACECAP_PT_learn"
    bl_options = {"DEFAULT_CLOSED"}

    def draw_section(self, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        with_names(layout)
        learn = settings_in(context).learn
        useless = find_useless_settings(learn.network)
        if "epochs" not in useless:
            draw_optional(layout, learn, "epochs", "Epochs")
        column = layout.column()
        for name in OFFERED:
            if name not in useless:
                column.prop(learn, name)
        if "distil" not in useless and learn.distil:
            column.prop(learn, "emphasis")
            draw_optional(layout, learn, "outlier", "Outlier Limit")
            draw_optional(layout, learn, "gap", "Lead")


CLASSES = (FACECAP_PT_learn, FACECAP_PT_learn_options)
