"""The buttons: they match the scene, solve in the worker process, bake as one step, and fail in words."""

from __future__ import annotations

import os
import platform
import shutil
import signal
from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.operators.solve import FACECAP_OT_solve
from facecap_addon.blender.overlay.landmarks import embedding_path, landmark_positions
from facecap_addon.blender.paths import job_folder
from facecap_addon.blender.queue import order
from facecap_addon.blender.queue.listening import listen
from facecap_addon.blender.scene.footage import strips_of
from facecap_addon.takes.npz import load_take, save_take
from tests.blender.face_video import write_face_video
from tests.blender.faces import evaluated, make_face
from tests.blender.takes import make_take
from tests.blender.test_footage_in_scene import HAS_SOUND, write_video
from tests.patience import wait_until

ROOT = Path(__file__).resolve().parents[2]
HEAD = ROOT / "sample_scenes" / "head.blend"
MODELS = ROOT / "facecap_addon" / "landmarks" / "models"
needs_models = pytest.mark.skipif(not list(MODELS.glob("*.onnx")), reason="the landmark models are not built")


def choose(video: Path, character: bpy.types.Object | None) -> bpy.types.PropertyGroup:
    settings = bpy.context.scene.facecap
    settings.video = str(video)
    settings.character = character
    settings.solve.preview = False
    return settings


def open_sample_head(folder: Path) -> bpy.types.Object:
    copied = folder / "head.blend"
    shutil.copy(HEAD, copied)
    bpy.ops.wm.open_mainfile(filepath=str(copied))
    return next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)


def listen_to_the_end(job: session.Job) -> None:
    """What Blender's timer does until the worker is done."""

    def done() -> bool:
        listen(job)
        return job.runner is not None and job.runner.done

    wait_until(done)


def test_import_footage_matches_the_scene(tmp_path: Path) -> None:
    video = write_video(tmp_path / "réplique.mov", frames=50, rate=30, beep_s=0.3)
    bpy.context.scene.facecap.start_frame = 11
    assert bpy.ops.facecap.import_footage(filepath=str(video)) == {"FINISHED"}
    scene = bpy.context.scene
    assert scene.render.fps / scene.render.fps_base == pytest.approx(30)
    assert (scene.frame_start, scene.frame_end) == (11, 60)
    assert "64 × 48 · 30 fps" in scene.facecap.facts
    assert "50 frames" in scene.facecap.facts
    assert (scene.facecap.trim_start, scene.facecap.trim_end) == (0, 49)
    assert len(strips_of(scene.sequence_editor)) == (1 if HAS_SOUND else 0)
    bpy.ops.facecap.match_scene()
    assert len(strips_of(scene.sequence_editor)) == (1 if HAS_SOUND else 0)


def test_footage_that_is_none_is_said_in_the_panel(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.write_bytes(b"")
    with pytest.raises(RuntimeError, match="empty"):
        bpy.ops.facecap.import_footage(filepath=str(empty))
    assert bpy.context.scene.facecap.video == ""
    bpy.context.scene.facecap.video = str(empty)
    assert bpy.context.scene.facecap.facts.startswith("! ")


def test_solve_without_footage_or_character_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="No footage was chosen"):
        bpy.ops.facecap.solve()
    video = write_video(tmp_path / "a.mp4")
    choose(video, None)
    with pytest.raises(RuntimeError, match="No character was chosen"):
        bpy.ops.facecap.solve()
    video.unlink()
    choose(video, make_face())  # Solve is not even offered before both are chosen
    with pytest.raises(RuntimeError, match="is not there"):
        bpy.ops.facecap.solve()
    assert session.job is None


def test_job_folder_is_beside_a_saved_file_and_elsewhere_without_one(tmp_path: Path) -> None:
    video = tmp_path / "take 3.mp4"
    unsaved = job_folder(video)
    assert unsaved.name == "take 3"
    assert str(unsaved).startswith(os.environ["BLENDER_USER_RESOURCES"])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    assert job_folder(video) == tmp_path / "facecap" / "take 3"


def test_sample_head_can_be_brought_in() -> None:
    assert bpy.ops.facecap.add_sample_head() == {"FINISHED"}
    head = bpy.context.scene.facecap.character
    assert head == bpy.context.object
    assert len(head.data.shape_keys.key_blocks) >= 25
    assert all(obj.library is None for obj in bpy.data.objects)


def test_bake_again_needs_no_solve(tmp_path: Path) -> None:
    obj = make_face()
    take = make_take()
    save_take(tmp_path / "a.take.npz", take)
    settings = choose(tmp_path / "none.mp4", obj)
    settings.result.take = str(tmp_path / "a.take.npz")
    settings.bake.head, settings.bake.gain = "none", 0.5
    assert bpy.ops.facecap.bake() == {"FINISHED"}
    from facecap_addon.blender.scene.head.character import extract_rig

    expected = extract_rig(obj).vertices_at(take.weights[12] * 0.5)
    np.testing.assert_allclose(evaluated(obj, 1 + take.time_s[12] * 24), expected, atol=3e-5)
    assert "5 shape keys keyed over 40 frames" in session.outcome.lines[0]


def test_an_unexpected_fault_names_a_report_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from facecap_addon.blender.scene.animation import bake

    def broken(*_: object, **__: object) -> None:
        raise KeyError("jawOpen")

    save_take(tmp_path / "a.take.npz", make_take())
    choose(tmp_path / "none.mp4", make_face()).result.take = str(tmp_path / "a.take.npz")
    monkeypatch.setattr(bake, "apply_take", broken)
    with pytest.raises(RuntimeError, match="fault of its own") as caught:
        bpy.ops.facecap.bake()
    path = Path(str(caught.value).partition("Details are in ")[2].partition("; please")[0])
    assert "KeyError" in path.read_text(encoding="utf-8")


def test_check_installation_reports_versions() -> None:
    try:
        bpy.ops.facecap.check_installation()
    except RuntimeError as error:
        assert "Solving needs" in str(error)
    lines = "\n".join(session.installation_report)
    assert f"Python: {platform.python_version()}" in lines
    assert f"numpy: {np.__version__}" in lines


@needs_models
def test_solve_puts_moving_keys_on_the_sample_head(tmp_path: Path) -> None:
    video = write_face_video(tmp_path / "face.mp4")
    obj = open_sample_head(tmp_path)
    settings = choose(video, obj)
    assert bpy.ops.facecap.solve() == {"FINISHED"}
    assert session.job is None
    result = settings.result
    assert (result.frames_solved, result.frames_missing) == (20, 0)
    take = load_take(Path(bpy.path.abspath(result.take)))
    rate = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
    column = list(take.channels).index("jawOpen")
    for index in (3, 15):
        frame = settings.start_frame + take.time_s[index] * rate
        bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
        shown = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys
        value = (shown or obj.data.shape_keys).key_blocks["jawOpen"].value
        assert value == pytest.approx(take.weights[index, column], abs=2e-4)
    assert Path(bpy.path.abspath(result.report)).is_file()
    path = embedding_path(bpy.context.scene)
    assert path is not None
    assert len(landmark_positions(obj, path)) > 400
    bpy.ops.facecap.show_footage()
    assert "FaceCap camera" in bpy.context.scene.objects

    # A part that is solved anew goes into the take; undo brings back the whole one, which is still there.
    whole = Path(bpy.path.abspath(result.take))
    bpy.ops.ed.undo_push(message="whole")
    settings.use_trim, settings.trim_start, settings.trim_end = True, 6, 13
    assert bpy.ops.facecap.solve() == {"FINISHED"}
    assert (result.frames_solved, len(settings.takes)) == (20, 2)
    # Though its head moves by now, it is the same head: what is known of it is not found out again.
    assert len(list(tmp_path.rglob("character.*.rig.npz"))) == 1
    merged = load_take(Path(bpy.path.abspath(result.take)))
    np.testing.assert_array_equal(merged.weights[14:], take.weights[14:])
    bpy.ops.ed.undo_push(message="range")
    bpy.ops.ed.undo()
    result = bpy.context.scene.facecap.result
    assert Path(bpy.path.abspath(result.take)) == whole
    np.testing.assert_array_equal(load_take(whole).weights, take.weights)


@needs_models
def test_footage_without_a_face_ends_in_words(tmp_path: Path) -> None:
    video = write_video(tmp_path / "grey.mp4")
    choose(video, open_sample_head(tmp_path))  # a mesh that is no face would be refused before
    with pytest.raises(RuntimeError, match="shows a face"):
        bpy.ops.facecap.solve()
    assert session.job is None


def test_a_killed_worker_is_reported_and_the_next_solve_may_start(tmp_path: Path) -> None:
    video = write_video(tmp_path / "grey.mp4", frames=200)
    choose(video, make_face())
    job = FACECAP_OT_solve.new_job(bpy.context)
    order.start(job)
    runner = job.runner
    assert runner is not None
    os.kill(runner.pid, signal.SIGKILL)
    listen_to_the_end(job)
    assert runner.error is not None
    assert "SIGKILL" in runner.error.what
    assert "Run it again" in runner.error.way_out
