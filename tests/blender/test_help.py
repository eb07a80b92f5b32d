"""What an animator finds by herself: the sections of the panel, help, menus, presets."""

from __future__ import annotations

import bpy


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
