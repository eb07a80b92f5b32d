"""F1 over anything of FaceCap's opens its entry in the manual, which comes with the add-on: no network is needed."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..operators.base import FacecapOperator, OperatorReturn
from ..properties.declare import StringProperty, with_properties
from .subjects import subjects

_ROOT = Path(__file__).resolve().parents[3]
_PLACES = (_ROOT / "manual", _ROOT / "build" / "docs", _ROOT / "docs")
"""Where the manual is: as it comes with the add-on, as a checkout has built it, and as it was written."""
REFERENCE, START, TROUBLE = "reference", "tasks/first-lesson", "tasks/troubleshooting"
"""Pages: every operator and setting; where to begin; what to do when something is wrong."""


def manual_folder() -> Path:
    """The folder with the pages."""
    return next((place for place in _PLACES if place.is_dir()), _ROOT)


def page_url(page: str, anchor: str = "") -> str:
    """The address of a page of the manual, such as "tasks/first-lesson"; the README's where there is no such page."""
    folder = manual_folder()
    path = next((p for p in (folder / f"{page}.html", folder / f"{page}.md") if p.is_file()), _ROOT / "README.md")
    return path.as_uri() + (f"#{anchor}" if anchor else "")


def manual_map() -> tuple[str, tuple[tuple[str, str], ...]]:
    """What Blender asks: a beginning of all addresses, and for each operator and setting the rest of its own."""
    reference, panel = page_url(REFERENCE), page_url("panel")
    known = [(subject.rna_id, f"{reference}#{subject.anchor}") for subject in subjects()]
    others = (("bpy.ops.facecap.*", panel), ("bpy.types.facecap_*", panel))
    return "", (*known, *others)


@with_properties()
class FACECAP_OT_open_manual(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.open_manual"
    bl_label = "Open Manual"
    bl_description = "Open FaceCap's manual in the web browser: a first lesson, tasks, every setting; no network needed"

    page: str = StringProperty(default=START, options={"HIDDEN", "SKIP_SAVE"})

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        bpy.ops.wm.url_open(url=page_url(self.page))
        return {"FINISHED"}


CLASSES = (FACECAP_OT_open_manual,)


def register() -> None:
    bpy.utils.register_manual_map(manual_map)


def unregister() -> None:
    bpy.utils.unregister_manual_map(manual_map)
