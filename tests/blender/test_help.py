"""What an animator finds by herself: the sections of the panel, help, menus, presets."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import bpy
import pytest

from facecap_addon.blender.help import manual
from facecap_addon.blender.help.manual import page_url
from facecap_addon.blender.help.subjects import panel_classes, subjects
from facecap_addon.blender.operators.solve import shown_part
from tools import reference_page

from .face_video import write_face_video


def panels() -> dict[str, type]:
    return {name: getattr(bpy.types, name) for name in dir(bpy.types) if name.startswith("FACECAP_PT_")}


def test_a_first_time_user_sees_four_sections_and_the_rest_in_one_place() -> None:
    shown = [panel for panel in panels().values() if panel.bl_region_type == "UI"]  # preset menus are in headers
    top = [panel for panel in shown if not getattr(panel, "bl_parent_id", "")]
    top.sort(key=lambda panel: panel.bl_order)
    assert [panel.bl_label for panel in top] == ["Footage", "Character", "Jobs", "Solve", "Result", "More"]
    assert not bpy.types.FACECAP_PT_jobs.poll(bpy.context)  # there are none
    assert "DEFAULT_CLOSED" in top[-1].bl_options
    nested = {name: panel.bl_parent_id for name, panel in panels().items() if panel in shown and panel not in top}
    assert set(nested.values()) <= set(panels())
    in_more = {name for name, parent in nested.items() if parent == "FACECAP_PT_more"}
    assert all("DEFAULT_CLOSED" in panels()[name].bl_options for name in in_more)
    for name in ("refine", "learn", "live", "generate", "retarget"):
        assert nested[f"FACECAP_PT_{name}"] == "FACECAP_PT_more"
    assert nested["FACECAP_PT_bake"] == nested["FACECAP_PT_filter"] == "FACECAP_PT_result"


def test_the_neutral_frame_and_the_trim_count_as_the_timeline_does(tmp_path: Path) -> None:
    settings = bpy.context.scene.facecap
    settings.video = str(write_face_video(tmp_path / "face.mp4", frames=20))
    bpy.ops.facecap.match_scene()
    settings.start_frame = 101
    assert (settings.trim_first, settings.trim_last) == (101, 120)
    settings.use_trim, settings.trim_first, settings.trim_last = True, 104, 110
    assert (shown_part(settings)["start"], shown_part(settings)["end"]) == ("3", "9")
    bpy.context.scene.frame_set(108)
    bpy.ops.facecap.use_current_frame()
    assert settings.solve.use_neutral_frame and settings.solve.neutral_frame == 7
    assert settings.solve.neutral_scene_frame == 108
    bpy.context.scene.render.fps *= 2  # the same picture is seen at twice the distance from the start now
    assert settings.solve.neutral_scene_frame == 115 and settings.solve.neutral_frame == 7


def test_there_is_no_current_frame_without_footage() -> None:
    with pytest.raises(RuntimeError, match="import a video"):
        bpy.ops.facecap.use_current_frame()


def test_f1_finds_a_place_in_the_manual_for_every_operator_and_setting() -> None:
    from bl_operators.wm import WM_OT_doc_view_manual  # Blender's own, which looks addresses up

    reference_page.PAGE.write_text(reference_page.page(subjects()), encoding="utf-8")
    written = reference_page.PAGE.read_text(encoding="utf-8")
    every = list(subjects())
    assert len(every) > 150 and len({subject.anchor for subject in every}) == len(every)
    for subject in every:
        url = WM_OT_doc_view_manual._lookup_rna_url(subject.rna_id, verbose=False)
        address, _, anchor = url.partition("#")
        assert Path(url2pathname(urlparse(address).path)).stem == "reference", subject.rna_id
        assert f'<a id="{anchor}"></a>**{subject.label}**' in written, subject.rna_id
    later = WM_OT_doc_view_manual._lookup_rna_url("bpy.ops.facecap.made_tomorrow", verbose=False)
    assert Path(url2pathname(urlparse(later).path)).stem == "panel"


def test_the_manual_covers_everything_that_the_panel_shows() -> None:
    """Read from the panels' own source: each setting that is drawn is among the subjects."""
    anchors = {subject.anchor.rpartition(".")[2] for subject in subjects()}
    drawn = set()
    for panel in panel_classes():
        drawn |= set(re.findall(r'(?:\.prop|draw_checkbox)\((?:\w+, )?[\w.]+, "(\w+)"', inspect.getsource(panel)))
    assert len(drawn) > 30 and drawn <= anchors


def test_manual_pages_that_are_opened_by_name_exist() -> None:
    docs = Path(reference_page.DOCS)
    for page in (manual.START, manual.TROUBLE, "panel"):
        assert (docs / f"{page}.md").is_file()
        assert page_url(page).rpartition("/")[2].startswith(page.rpartition("/")[2])
    assert page_url("nothing-of-this-name").endswith("README.md")
