"""What the panel offers can be done, what cannot be says why, and failures stay with what failed."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

import bpy
import pytest

from facecap_addon.blender import session, torch_there
from facecap_addon.blender.operators.base import FacecapOperator
from facecap_addon.blender.operators.solve import what_a_solve_lacks
from facecap_addon.blender.panels.base import draw_outcome
from facecap_addon.blender.panels.sidebar import FACECAP_PT_character
from facecap_addon.errors import FacecapError
from tests.blender.faces import make_face

NEEDS_TORCH = ("refine", "draw_set", "train")


def bare_head() -> bpy.types.Object:
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.1)
    return bpy.context.object


def labels_of(layout: MagicMock) -> str:
    """What is written in a layout, and in columns of columns of it."""
    return " ".join(kwargs["text"] for name, _, kwargs in layout.mock_calls if name.endswith("label"))


def test_solve_is_offered_when_there_is_something_to_solve() -> None:
    settings = bpy.context.scene.facecap
    assert not bpy.ops.facecap.solve.poll()
    assert "No footage" in what_a_solve_lacks(bpy.context)
    settings.video = "//anything.mp4"
    assert "No character" in what_a_solve_lacks(bpy.context)
    settings.character = bare_head()
    assert "Make Shape Keys" in what_a_solve_lacks(bpy.context)
    assert not bpy.ops.facecap.solve.poll()
    settings.character = make_face()
    assert bpy.ops.facecap.solve.poll()


def test_a_character_that_is_no_mesh_any_more_is_told_of() -> None:
    """Convert makes a curve of it; the panel must be drawn all the same."""
    bpy.ops.mesh.primitive_circle_add()
    settings, character = bpy.context.scene.facecap, bpy.context.object
    settings.video, settings.character = "//anything.mp4", character
    bpy.ops.object.convert(target="CURVE")
    assert character.type == "CURVE"
    layout = MagicMock()
    FACECAP_PT_character.draw_section(MagicMock(), layout, bpy.context)
    assert f"“{character.name}”, which is no mesh" in labels_of(layout)
    settings.character = bpy.data.objects.new("Empty", None)
    assert "Make Shape Keys" in what_a_solve_lacks(bpy.context)
    assert not bpy.ops.facecap.solve.poll()


def test_a_head_without_keys_can_be_chosen_and_is_offered_some() -> None:
    head = bare_head()
    assert bpy.ops.facecap.use_active() == {"FINISHED"}
    assert bpy.context.scene.facecap.character == head
    assert bpy.ops.facecap.make_keys.poll()
    head.shape_key_add(name="Basis")  # nothing but a basis is no key either
    assert bpy.ops.facecap.use_active() == {"FINISHED"}


def test_what_needs_pytorch_is_not_offered_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = bpy.context.scene.facecap
    settings.video, settings.character = "//a.mp4", make_face()
    settings.result.take = str(tmp_path / "a.take.npz")
    monkeypatch.setattr(torch_there, "_own", [])
    assert all(getattr(bpy.ops.facecap, name).poll() for name in NEEDS_TORCH)
    monkeypatch.setattr(torch_there, "_own", ["PyTorch", "numba", "OpenCV"])
    assert not any(getattr(bpy.ops.facecap, name).poll() for name in NEEDS_TORCH)
    assert torch_there.what_torch_lacks().startswith("Needs PyTorch, numba and OpenCV: ")
    assert bpy.ops.facecap.solve.poll()
    settings.solve.method = "deep"
    assert not bpy.ops.facecap.solve.poll()


def test_a_failure_is_an_error_to_scripts_and_no_window_to_who_pressed(tmp_path: Path) -> None:
    settings = bpy.context.scene.facecap
    settings.character, settings.result.take = make_face(), str(tmp_path / "gone.take.npz")
    with pytest.raises(RuntimeError):
        bpy.ops.facecap.bake()
    assert session.outcome is not None and not session.outcome.ok
    assert session.outcome.of == "facecap.bake"  # so it is not told under Solve
    pressed = _Failing()
    for _ in range(2):
        assert pressed.invoke(bpy.context, None) == {"CANCELLED"}
    assert pressed.reported == ["WARNING", "WARNING"]  # an ERROR is a window that waits for a click
    assert session.outcome.lines == ["It broke.", "Mend it."] and session.outcome.of == "facecap.failing"
    by_script = _Failing()
    by_script.execute(bpy.context)
    assert by_script.reported == ["ERROR"]


def test_what_was_done_is_said_where_it_was_asked_for() -> None:
    """Of a take, the first line; Result says the rest. After undo the scene has another take, and nothing is said."""
    session.outcome = session.Outcome(True, ["52 shape keys added", "eyeBlinkLeft off by 1 mm"], of="facecap.make_keys")
    bpy.context.scene.facecap.character = make_face()
    layout = MagicMock()
    FACECAP_PT_character.draw_section(MagicMock(), layout, bpy.context)
    assert "52 shape keys added" in labels_of(layout)
    layout = MagicMock()
    draw_outcome(layout, bpy.context, "facecap.live")
    assert not labels_of(layout)
    session.outcome = session.Outcome(True, ["51 keys", "Locked: jawOpen"], take="a.take.npz", of="facecap.live")
    draw_outcome(layout, bpy.context, "facecap.live")
    assert not labels_of(layout)
    bpy.context.scene.facecap.result.take = "a.take.npz"
    draw_outcome(layout, bpy.context, "facecap.live")
    assert labels_of(layout) == "51 keys"
    layout = MagicMock()
    session.outcome = session.Outcome(False, ["No camera."], take="a.take.npz", of="facecap.live")
    draw_outcome(layout, bpy.context, "facecap.live")
    assert labels_of(layout) == "No camera."
    session.outcome = None


def test_a_take_without_a_report_offers_none() -> None:
    result = bpy.context.scene.facecap.result
    result.take = "//generated.take.npz"
    assert not bpy.ops.facecap.open_report.poll()
    result.report = "//solved.report.html"
    assert bpy.ops.facecap.open_report.poll()


class _Failing(FacecapOperator):
    bl_idname = "FACECAP_OT_failing"

    def __init__(self) -> None:
        self.reported: list[str] = []

    def report(self, kind: set[str], text: str) -> None:
        self.reported += kind

    def run(self, context: bpy.types.Context) -> set[str]:
        raise FacecapError("It broke.", "Mend it.")
