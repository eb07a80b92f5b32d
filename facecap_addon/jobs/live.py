"""The live job: a camera, a video or a phone in, faces of the character out as they happen, and recordings as takes.

While it runs it understands controls of one byte: `n` the face is at rest now, `r` record, `s` stop recording, `q`
end.
"""

from __future__ import annotations

import queue
from collections.abc import Callable
from pathlib import Path

from ..errors import FacecapError
from ..fit.actor.identity import check_scheme
from ..fit.causal import LiveFit
from ..fit.settings import FitSettings
from ..landmarks.protocol import Landmarker
from ..landmarks.registry import open_landmarker
from ..landmarks.tracking.face_gate import FaceGate
from ..landmarks.tracking.upright import LiveUpright
from ..live.forwarding import FaceSender, address_of
from ..live.live_solvers import LandmarkMethod, Method, PacketMethod, SolverMethod
from ..live.sources.capture_thread import SourceWishes
from ..live.sources.open_source import Source, network_format, open_source
from ..live.wire.formats import WIRE_FORMATS, WireFormat
from ..rig.blendshapes import BlendshapeRig
from ..rig.embedding import LandmarkEmbedding
from ..solvers.bundle import load_bundle
from ..solvers.solver import TrainedSolver
from ..takes.actor import Actor
from .live_capture import Controls, LiveCapture, LiveCharacter, LiveSteps
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .runtime.threaded_progress import run_threaded
from .settings.live import LiveSettings
from .solve_trained import choose_keys_to_solve
from .steps.actor import read_actor
from .steps.character import character_source, characters_in, find_character, read_rig, response_of

_SHOWN_UNKNOWN, _USUAL_FPS = 6, 30


def run(
    settings: LiveSettings, *, controls: Controls | None = None, blender_hook: BlenderHook | None = None
) -> LiveSteps:
    """Capture until the source ends, the time is over or the job is cancelled.

    Args:
        controls: bytes that tell what to do meanwhile.  blender_hook: answers requests about .blend files.
    Raises:
        FacecapError: the source, the character or the solver cannot be had, or the source breaks off.
    """
    choice = settings.choice(delay=settings.delay)
    form = network_format(settings.source)
    if settings.actor is not None and (form or settings.method != "landmarks"):
        raise FacecapError(
            "An actor file is for pictures that are solved by landmarks.",
            "A phone and a trained network know their actor by themselves: leave the file out.",
        )
    if settings.mirror and form is not None:
        raise FacecapError("Only pictures can be mirrored.", "A phone names left and right itself: leave --mirror out.")
    actor = None if settings.actor is None else read_actor(settings.actor)
    target = None if settings.send is None else address_of(settings.send)
    yield Progress("open", 0, 1)
    # What takes long is made before the source is opened: a camera's pictures would wait meanwhile.
    hook, folder = blender_hook, _characters_of(settings)
    if form is not None:
        rig, notes = yield from read_rig(
            character_source(settings.character), blender=settings.blender, hook=hook, folder=folder
        )
        keys = choose_keys_to_solve(settings.method, rig)
        make, head_from_rig, upright = _listen(keys.rig, form, exchange=settings.exchange_sideways), None, None
    else:
        yield Progress("character", 0, 1)
        landmarker = open_landmarker(threads=settings.threads)
        found = yield from find_character(
            character_source(settings.character), landmarker, blender=settings.blender, hook=hook, folder=folder
        )
        notes, keys = list(found.notes), choose_keys_to_solve(settings.method, found.rig)
        head_from_rig, upright = found.embedding.head_from_rig, LiveUpright(landmarker)
        make = yield from _watch_camera(settings, actor, keys.rig, found.embedding, landmarker, notes)
    wishes = SourceWishes(settings.camera_size, settings.camera_fps, settings.local_only, settings.phone)
    source = open_source(settings.source, wishes)
    sender = None
    try:
        method = make(source)
        if method.unknown:
            named = ", ".join(method.unknown[:_SHOWN_UNKNOWN])
            named += ", …" if len(method.unknown) > _SHOWN_UNKNOWN else ""
            notes.append(f"The character has no shape key for: {named}.")
        notes += method.notes
        waits = choice.delay_ms(_USUAL_FPS)
        if waits:
            frames = f"{choice.waits} frame" + ("s" if choice.waits > 1 else "")
            notes.append(f"The filter waits {frames}: {waits:.0f} ms at {_USUAL_FPS} frames per second.")
        asked = controls or queue.SimpleQueue()
        if target is not None:
            sender = FaceSender(target, keys.rig, WIRE_FORMATS[settings.send_as])
        capture = LiveCapture(settings, LiveCharacter(keys, head_from_rig), source, method, asked, upright, sender)
        return (yield from capture.run(notes))
    finally:
        source.close()
        if sender is not None:
            sender.close()


def _listen(rig: BlendshapeRig, form: WireFormat, *, exchange: bool) -> Callable[[Source], Method]:
    """What makes the method of a network source, once it is open."""
    return lambda _: PacketMethod(rig, form, exchange=exchange)


def _watch_camera(
    settings: LiveSettings,
    actor: Actor | None,
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    landmarker: Landmarker,
    notes: list[str],
) -> Steps[Callable[[Source], Method]]:
    """What makes the method of pictures, once the source is open; what there is to say is added to `notes`."""
    if settings.method != "landmarks":
        bundle = load_bundle(Path(settings.method))
        solver = TrainedSolver(bundle, threads=settings.threads, precision=settings.precision)
        notes += solver.notes

        def opened(source: Source) -> Method:
            return SolverMethod(solver, rig, embedding, source.size_px, settings.focal_px, FaceGate(landmarker))

        return opened
    if actor is not None:
        check_scheme(actor, landmarker.scheme)  # before the character is made ready
    response = yield from run_threaded(
        "character", lambda on_progress: response_of(rig, embedding, landmarker, _characters_of(settings), on_progress)
    )
    # What is streamed drives other characters, and a second of footage does not tell an actor's proportions.
    chosen = FitSettings(focal_px=settings.focal_px, match="weights")

    def made(source: Source) -> Method:
        return LandmarkMethod(landmarker, LiveFit(rig, embedding, chosen, source.size_px, response, actor))

    return made


def _characters_of(settings: LiveSettings) -> Path:
    return characters_in(settings.out)
