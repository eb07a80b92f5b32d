"""Live faces on a character: values and head pose as a bake would key them, and everything back as it was."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.operators import live as live_operators
from facecap_addon.blender.operators.live import remember_take
from facecap_addon.blender.overlay import live_picture
from facecap_addon.blender.properties.derive import values_of
from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.blender.scene.animation.live_face import LivePuppet
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.errors import FacecapError
from facecap_addon.geometry.quaternions import HEAD_FRONT_WXYZ
from facecap_addon.jobs.runtime import runner as runner_module
from facecap_addon.jobs.runtime.events import FaceEvent, JobResult
from facecap_addon.jobs.settings.live import LiveSettings
from facecap_addon.takes.npz import save_take
from facecap_addon.takes.take import STATUS_MISSING
from tests.blender.faces import make_face
from tests.blender.takes import make_take


def event_of(take, row: int, head_from_rig: tuple[float, ...] = ()) -> FaceEvent:
    return FaceEvent(
        time_s=float(take.time_s[row]),
        captured_s=0.0,
        weights=tuple(float(w) for w in take.weights[row]),
        head_wxyz=tuple(float(v) for v in take.head_rotation_wxyz[row]),
        head_m=tuple(float(v) for v in take.head_translation_m[row]),
        confidence=1.0,
        fps=30.0,
        latency_ms=10.0,
        dropped=0,
        recording=False,
        head_from_rig=head_from_rig,
    )


def matrix(obj: bpy.types.Object) -> np.ndarray:
    bpy.context.view_layer.update()
    return np.array(obj.matrix_world)


@pytest.mark.parametrize("mode", ["XYZ", "QUATERNION", "AXIS_ANGLE"])
def test_a_live_face_looks_as_the_baked_one_and_is_taken_back(mode: str) -> None:
    obj = make_face()
    obj.rotation_mode = mode
    obj.location, obj.scale = (0.3, -0.2, 1.0), (1.2, 1.2, 1.2)
    block = obj.data.shape_keys.key_blocks[1]
    block.value = 0.35
    before = matrix(obj)
    take = make_take(12, neutral_index=0)
    take.head_rotation_wxyz[0] = HEAD_FRONT_WXYZ  # the character looks ahead where the actor looks into the camera
    puppet = LivePuppet(obj, take.channels, obj, location=True)
    for row in (0, 3, 5, 7):  # the way there does not matter
        puppet.show(event_of(take, row))
        bpy.context.view_layer.update()
    live = matrix(obj)
    blocks = obj.data.shape_keys.key_blocks
    values = [blocks[channel].value for channel in take.channels]
    np.testing.assert_allclose(values, take.weights[7], atol=1e-5)
    assert obj.animation_data is None
    assert obj.data.shape_keys.animation_data is None
    puppet.take_back()
    np.testing.assert_allclose(matrix(obj), before, atol=1e-6)
    assert block.value == pytest.approx(0.35)
    apply_take(obj, take, BakeSettings(start_frame=1))
    scene = bpy.context.scene
    frames = 1 + take.time_s * scene.render.fps / scene.render.fps_base

    def baked(row: int) -> np.ndarray:
        scene.frame_set(int(frames[row]), subframe=float(frames[row] % 1))
        return matrix(obj)

    np.testing.assert_allclose(live, baked(7), atol=2e-4)
    assert np.abs(live - before).max() > 0.01


def test_live_needs_a_window_and_its_buttons_a_running_capture() -> None:
    with pytest.raises(RuntimeError, match="window"):
        bpy.ops.facecap.live()
    for name in ("live_neutral", "live_record", "live_stop"):
        assert not getattr(bpy.ops.facecap, name).poll()
    assert session.live is None


def test_filter_and_bake_keeps_the_solve(tmp_path) -> None:
    obj = make_face()
    settings = bpy.context.scene.facecap
    settings.character = obj
    take = make_take(60)
    noisy = np.clip(take.weights + np.random.default_rng(0).normal(0, 0.05, take.weights.shape), 0, 1)
    take.weights[:] = noisy
    path = tmp_path / "solve.take.npz"
    save_take(path, take)
    kept = path.read_bytes()
    settings.result.take = str(path)
    bpy.ops.facecap.bake()

    def bend() -> float:
        action = obj.data.shape_keys.animation_data.action
        curves = getattr(action, "fcurves", None) or action.layers[0].strips[0].channelbags[0].fcurves
        values = np.array([[p.co[1] for p in curve.keyframe_points] for curve in curves])
        return float(np.abs(np.diff(values, 2, axis=1)).mean())

    rough = bend()
    settings.filter.cutoff_hz = 2.0
    bpy.ops.facecap.filter()
    smooth = bend()
    assert smooth < 0.6 * rough
    bpy.ops.facecap.filter()  # once more: from the solve, not from what was filtered
    assert bend() == pytest.approx(smooth)
    assert path.read_bytes() == kept
    settings.filter.filter = "none"
    bpy.ops.facecap.filter()
    assert bend() == pytest.approx(rough)
    settings.result.take = str(tmp_path / "gone.take.npz")
    with pytest.raises((RuntimeError, FacecapError)):
        bpy.ops.facecap.filter()


class Runner:
    """A worker that has been told to end once it hears it."""

    def __init__(self) -> None:
        self.told, self.done, self.result, self.error, self.closed = b"", False, None, None, False

    def tell(self, control: bytes) -> None:
        self.told += control

    def poll(self) -> list[object]:
        if self.told == b"q":
            self.result = JobResult({"takes": ["x"], "lines": ["Recorded 1.0 s: x"]})
            self.done = True
        return []

    def cancel(self) -> None:
        raise AssertionError

    def close(self) -> None:
        self.closed = True


def live_of(face: FaceEvent | None, **facts) -> session.Live:
    live = session.Live(Runner(), "Scene", "Head", **facts)
    live.face = face
    return live


def test_a_recording_is_written_when_another_file_is_loaded_meanwhile() -> None:
    take = make_take(3)
    for recording in (True, False):
        session.outcome = None
        session.live = live = live_of(replace(event_of(take, 1), recording=recording))
        session.end_live()
        assert session.live is None
        assert live.runner.closed
        assert (live.runner.told == b"q") is recording
        assert (session.outcome is not None) is recording
    session.outcome = None


def test_it_is_said_what_goes_on_before_a_face_moves() -> None:
    event = replace(event_of(make_take(3), 1), weights=(), confidence=0.0)
    live = live_of(None, stage="Getting to know the character")
    live.fraction = 0.4
    assert live_picture.headline(live) == "Getting to know the character: 40%"
    live.face = replace(event, known=0.0)
    assert live_picture.headline(live) == "No face"
    live.face = replace(event, known=0.5)
    assert live_picture.headline(live) == "Getting to know the face: 50%"
    live.face = replace(event, known=1.0, confidence=0.9)
    assert live_picture.headline(live) == "30 frames per second"


def test_what_the_camera_sees_is_read_as_it_changes(tmp_path, monkeypatch) -> None:
    path = tmp_path / "seen.npy"
    live = live_of(None, picture_path=path)
    assert not live_picture.read_picture(live)
    np.save(path, np.full((9, 16, 3), 51, np.uint8))
    monkeypatch.setattr(live_picture, "_read_s", 0.0)
    assert live_picture.read_picture(live)
    drawn = live_picture.rgba(live.picture, linear=False)
    assert drawn.shape == (9, 16, 4)
    np.testing.assert_allclose(drawn[0, 0], [0.2, 0.2, 0.2, 1.0], atol=1e-6)
    np.testing.assert_allclose(
        live_picture.rgba(live.picture, linear=True)[0, 0], [0.0331, 0.0331, 0.0331, 1], atol=1e-4
    )
    path.write_bytes(b"rubbish")
    monkeypatch.setattr(live_picture, "_read_s", 0.0)
    assert not live_picture.read_picture(live)
    assert live.picture is not None  # the last good one stays


def test_a_recording_says_how_many_frames_it_has(tmp_path) -> None:
    result = bpy.context.scene.facecap.result
    result.frames_solved, result.fps, result.warnings, result.report = 7, 99.0, "of the solve before", "report.html"
    take = make_take(12)
    take.status[3] = STATUS_MISSING
    save_take(tmp_path / "live.take.npz", take)
    remember_take(bpy.context.scene, tmp_path / "live.take.npz")
    assert (result.frames_solved, result.frames_missing) == (11, 1)
    assert (result.fps, result.warnings, result.report) == (0.0, "", "")


def test_what_is_listened_to_and_sent_is_as_the_panel_says(monkeypatch, tmp_path) -> None:
    asked = []
    monkeypatch.setattr(runner_module, "ProcessRunner", lambda name, settings, **more: asked.append(settings))
    monkeypatch.setattr(live_operators, "work_folder", lambda name: tmp_path)
    live = bpy.context.scene.facecap.live
    rig = extract_rig(make_face())

    def start() -> LiveSettings:
        live_operators.start_live(bpy.context, rig)
        return asked[-1]

    live.kind, live.mirror = "phone", True
    for name, port in (("ifacialmocap", 49983), ("ifacialmocap-tcp", 49986), ("vmc", 39539), ("udp", 11111)):
        live.sent_as = name  # each has a port that is usual for it
        found = start()
        assert (found.source, found.local_only, found.phone) == (f"{name}:{port}", False, None)
    assert found.send is None  # off until it is switched on
    assert not found.mirror  # there are no pictures
    live.phone, live.port = " 192.168.1.7 ", 12345
    assert (start().phone, start().source) == ("192.168.1.7", "udp:12345")
    live.kind, live.use_send, live.send_as = "program", True, "vmc"
    found = start()
    assert (found.local_only, found.phone) == (True, None)  # whatever was typed for a phone
    assert (found.send, found.send_as) == ("127.0.0.1:11112", "vmc")
    live.kind = "camera"
    assert start().mirror


def test_a_camera_can_be_asked_for_size_and_rate_and_the_network_left_out() -> None:
    live = bpy.context.scene.facecap.live
    live.camera_size, live.use_camera_fps, live.camera_fps = "1280x720", True, 60.0
    asked = values_of(live, LiveSettings)
    assert (asked["camera_size"], asked["camera_fps"]) == ("1280x720", 60.0)
    live.use_camera_fps = False
    assert "camera_fps" not in values_of(live, LiveSettings)
