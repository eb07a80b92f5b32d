"""Live: a worker captures and solves, a timer puts its latest face on the character; recordings become actions."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import bpy

from ...errors import FacecapError
from ...jobs.registry import caption_of
from ...jobs.runtime.events import FaceEvent
from ...jobs.runtime.progress import Progress
from ...jobs.settings.live import LiveSettings
from ...settings_schema import from_json
from .. import session
from ..overlay import live_picture
from ..paths import work_folder
from ..present import scene_in, settings_in, view_layer_in, window_manager_in
from ..properties.derive import values_of
from ..properties.live import SENT
from ..takes import add_take
from ..worker_python import worker_python
from .base import FacecapOperator, OperatorReturn, fault_message, name_of
from .footage import footage_path
from .solve import RIG_NAME, character_with_keys
from .take.bake import bake_result

POLL_S = 1 / 60
_PANEL_S, _LATENCIES = 0.25, 5000


class FACECAP_OT_live(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.live"
    bl_label = "Start Live"
    bl_description = "Move the character along with a face in front of a camera, in a video or on a phone (Esc ends it)"

    _timer: bpy.types.Timer | None = None
    _drawn_s = 0.0

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if session.job is not None or session.live is not None:
            cls.poll_message_set("FaceCap is busy")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        self.pressed = True
        return self.guarded(self._start, context)

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        raise FacecapError(
            "Live capture needs Blender's window.", "From scripts, use `facecap live`; it writes recordings as takes."
        )

    def _start(self, context: bpy.types.Context) -> OperatorReturn:
        from ..scene.animation.head_carrier import head_carrier
        from ..scene.animation.live_face import LivePuppet
        from ..scene.head.character import extract_rig
        from ..scene.head.parts import parts_of, with_keys

        session.outcome = None
        obj = character_with_keys(settings_in(context))
        rig = extract_rig(obj)
        parts = parts_of(obj, scene_in(context))
        target = head_carrier(obj, bake_choice(context), parts).target
        others, location = with_keys(parts, rig.channels), settings_in(context).live.location
        self._puppet = LivePuppet(obj, rig.channels, target, location=location, parts=others)
        runner, picture = start_live(context, rig)
        scene, character = session.Handle.of(scene_in(context)), session.Handle.of(obj)
        session.live = session.Live(runner, scene, character, picture_path=picture)
        live_picture.show(True)
        self._timer = window_manager_in(context).event_timer_add(POLL_S, window=context.window)
        window_manager_in(context).modal_handler_add(self)
        session.redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        live = session.live
        if live is None:  # ended elsewhere: the add-on was disabled, or another file is being loaded
            return self._finish(context)
        if event.type == "ESC" and event.value == "PRESS":
            stop(live)
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            self._listen(context, live)
            if time.monotonic() - self._drawn_s > _PANEL_S:
                self._drawn_s = time.monotonic()
                session.redraw(viewport=live.face is None)  # until the face moves, the viewport says why
            if not live.runner.done:
                return {"PASS_THROUGH"}
            error = live.runner.error
            if error is not None and not error.cancelled:
                self.fail(error.what, error.way_out)
            elif live.runner.result is not None:
                for take in live.runner.result.result["takes"]:  # what was still recording when it was stopped
                    if take not in live.baked:
                        self._bake(context, live, Path(take))
                lines = [str(one) for one in live.runner.result.result["lines"]]
                session.outcome = session.Outcome(True, [*lines, *live.problems], of=name_of(self))
        except Exception as error:  # a timer must never be left behind
            self.fail(fault_message(error, self.bl_idname))
        return self._finish(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator by itself when a file is loaded or it quits."""
        self._finish(context)

    def _listen(self, context: bpy.types.Context, live: session.Live) -> None:
        """Take in what the worker has said; only the latest face is shown."""
        newest: FaceEvent | None = None
        for event in live.runner.poll():
            if isinstance(event, Progress):
                live.stage = caption_of(event.stage)
                live.fraction = event.done / event.total if event.total else 0.0
                live.note = event.message or live.note
            elif isinstance(event, FaceEvent):
                newest = event if event.weights or newest is None else newest
                live.note = event.note or live.note
                if event.neutral:
                    self._puppet.rest_here()
                if event.take:
                    self._bake(context, live, Path(event.take))
        changed = live_picture.read_picture(live)
        if newest is not None:
            live.face = newest
            if newest.weights:
                self._puppet.show(newest)
                live.latency_ms = [*live.latency_ms[-_LATENCIES:], 1000 * (time.monotonic() - newest.captured_s)]
                changed = True
        if changed:
            session.redraw(viewport=True)

    def _bake(self, context: bpy.types.Context, live: session.Live, take: Path) -> None:
        """Key a recording as an action of its own, as one undo step."""
        live.baked.append(str(take))
        scene = live.scene.find(bpy.data.scenes)
        if scene is None:
            live.problems.append(f"The scene is gone. The recording is {take}")
            return
        self._puppet.take_back()  # where the character rests is what its keys are relative to
        view_layer_in(context).update()
        try:
            remember_take(scene, take)
            lines = bake_result(scene, live.character.find(bpy.data.objects), take)
        except FacecapError as error:
            live.note = f"{error.what} {error.way_out} The recording is {take}"
            live.problems.append(live.note)
            return
        live.note = f"Recorded: {lines[0]}"
        bpy.ops.ed.undo_push(message="FaceCap recording")

    def _finish(self, context: bpy.types.Context) -> OperatorReturn:
        """The only way out: no timer, process or foreign face stays behind."""
        if self._timer is not None:
            window_manager_in(context).event_timer_remove(self._timer)
            self._timer = None
            live_picture.show(False)
            with contextlib.suppress(ReferenceError):  # the character was deleted meanwhile
                self._puppet.take_back()
        session.end_live()
        session.redraw(viewport=True)
        return {"FINISHED"}


class _LiveControl:
    """Mixin: an operator that tells the running capture something."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return session.live is not None and not session.live.stopping


class FACECAP_OT_live_neutral(_LiveControl, bpy.types.Operator):
    bl_idname = "facecap.live_neutral"
    bl_label = "Set Neutral Pose"
    bl_description = "Take the present face as relaxed, and the present head position as the character's own"

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        _tell(b"n")
        return {"FINISHED"}


class FACECAP_OT_live_record(_LiveControl, bpy.types.Operator):
    bl_idname = "facecap.live_record"
    bl_label = "Record"
    bl_description = "Start recording, or stop and bake the recording to a new action"

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        live = session.live
        recording = live is not None and live.face is not None and live.face.recording
        _tell(b"s" if recording else b"r")
        return {"FINISHED"}


class FACECAP_OT_live_stop(_LiveControl, bpy.types.Operator):
    bl_idname = "facecap.live_stop"
    bl_label = "Stop Live"
    bl_description = "End live capture; a running recording is kept (Esc)"

    def execute(self, context: bpy.types.Context) -> OperatorReturn:
        if session.live is not None:
            stop(session.live)
        return {"FINISHED"}


def start_live(context: bpy.types.Context, rig: Any) -> tuple[Any, Path]:
    """Write the character into a folder and start the worker; also where it shows what it sees. Raises FacecapError."""
    from ...atomic_file import atomic_path
    from ...jobs.runtime.runner import ProcessRunner
    from ...rig.blendshapes import save_rig

    settings = settings_in(context)
    live, actor = settings.live, settings.solve.actor_file
    folder = work_folder("live")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / RIG_NAME) as temporary:
        save_rig(temporary, rig)
    sources = {"camera": str(live.camera), **dict.fromkeys(SENT, f"{live.sent_as}:{live.port}")}
    source = sources.get(live.kind) or str(footage_path(context))
    request = values_of(live, LiveSettings)
    picture = folder / ".seen.npy"
    picture.unlink(missing_ok=True)
    request |= {"source": source, "character": str(folder / RIG_NAME), "out": str(folder), "picture": str(picture)}
    request["mirror"] = live.kind not in SENT and (settings.solve if live.kind == "video" else live).mirror
    request["local_only"] = live.kind != "phone"
    if live.kind == "phone" and live.phone.strip():
        request["phone"] = live.phone.strip()
    if live.use_send:
        request["send"] = live.send
    else:
        request.pop("send", None)
    if actor and live.kind not in SENT and live.method == "landmarks":
        request["actor"] = bpy.path.abspath(actor)
    python = worker_python()
    asked = from_json(LiveSettings, request)
    return ProcessRunner("live", asked, python=python.executable, sys_path=python.sys_path), picture


def remember_take(scene: bpy.types.Scene, path: Path) -> None:
    """List a recording among the scene's takes; what was solved is still what Bake Again bakes. Raises FacecapError."""
    from ...takes.npz import load_take

    add_take(scene, path, load_take(path), "recorded", choose=False)


def bake_choice(context: bpy.types.Context) -> Any:
    """What the head's pose moves, as the Bake section says."""
    from ..scene.animation.bake_settings import BakeSettings

    bake = settings_in(context).bake
    return BakeSettings(head=bake.head, armature=bake.armature, bone=bake.bone)


def stop(live: session.Live) -> None:
    """Ask the worker to end; what is being recorded is written first."""
    live.stopping = True
    live.runner.tell(b"q")


def _tell(control: bytes) -> None:
    if session.live is not None:
        session.live.runner.tell(control)


@bpy.app.handlers.persistent
def _end_before_load(*_: object) -> None:
    session.end_live()


CLASSES = (FACECAP_OT_live, FACECAP_OT_live_neutral, FACECAP_OT_live_record, FACECAP_OT_live_stop)


def register() -> None:
    bpy.app.handlers.load_pre.append(_end_before_load)


def unregister() -> None:
    bpy.app.handlers.load_pre.remove(_end_before_load)
    session.end_live()
