"""What an animator finds by herself: the sections of the panel, help, menus, presets."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from facecap_addon.blender.operators.solve import shown_part

from .face_video import write_face_video


def panels() -> dict[str, type]:
    return {name: getattr(bpy.types, name) for name in dir(bpy.types) if name.startswith("FACECAP_PT_")}


def test_a_first_time_user_sees_four_sections_and_the_rest_in_one_place() -> None:
    top = [panel for panel in panels().values() if not getattr(panel, "bl_parent_id", "")]
    top.sort(key=lambda panel: panel.bl_order)
    assert [panel.bl_label for panel in top] == ["Footage", "Character", "Solve", "Result", "More"]
    assert "DEFAULT_CLOSED" in top[-1].bl_options
    nested = {name: panel.bl_parent_id for name, panel in panels().items() if panel not in top}
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
