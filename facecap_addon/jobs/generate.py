"""The generate job: an expression's name in, a performance out, on any head."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atomic_file import atomic_path
from ..errors import FacecapError
from ..generate.authored.emotions import EXPRESSIONS
from ..generate.authored.idle import IdleMotion
from ..generate.edits import concatenate, retime, scale_intensity
from ..generate.learned.generator import Generator, find_shipped, generate_sequence, load_generator
from ..generate.plot import draw_strip
from ..generate.sequence import ENDING, LandmarkSequence, save_sequence
from ..generate.solve_weights import make_take
from ..images.encode import write_image
from ..json_types import Facts
from ..landmarks.layout import mediapipe_of
from ..landmarks.registry import open_landmarker
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import arkit_name
from ..rig.embedding import landmark_geometry
from ..settings_schema import to_json
from ..takes.names import make_stem
from ..takes.npz import save_take
from ..takes.versions import add_id
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .runtime.threaded_progress import run_threaded
from .settings.generate import GenerateSettings
from .steps.character import character_source, characters_in, find_character, rig_key
from .steps.results.outputs import OutputFiles, ask_for_blend, write_live_link
from .steps.results.point_cache import request_playing, retarget_sequence

_WRITTEN = (ENDING.removeprefix("."), "png", "take.npz", "livelink.csv", "pc2", "blend")


@dataclass(frozen=True)
class GenerateResult:
    """A generated performance.

    Attributes:
        landmarks: displacements of landmarks.  picture: some moments of it.
        take: weights of the character's keys, or None.  points: point cache of its mesh, or None.
        blend: the .blend that shows it, or None.  lines: what there is to say.
    """

    landmarks: Path
    picture: Path
    take: Path | None
    points: Path | None
    blend: Path | None
    lines: tuple[str, ...]

    def to_json(self) -> Facts:
        """JSON-able facts."""
        paths = ("landmarks", "picture", "take", "points", "blend")
        given = {name: getattr(self, name) for name in paths}
        facts: Facts = {name: None if path is None else str(path) for name, path in given.items()}
        return {**facts, "lines": list(self.lines)}


def run(settings: GenerateSettings, *, blender_hook: BlenderHook | None = None) -> Steps[GenerateResult]:
    """Generate a performance.

    Raises:
        FacecapError: an expression is not known, a generator is damaged, or the character cannot be read.
    """
    yield Progress("open", 0, 1)
    generators = open_generators(settings)
    out = settings.out
    out.mkdir(parents=True, exist_ok=True)
    characters = characters_in(out)
    landmarker = open_landmarker(threads=settings.threads)
    character = yield from find_character(
        character_source(settings.character),
        landmarker,
        blender=settings.blender,
        hook=blender_hook,
        folder=characters,
        bare=True,
    )
    source, rig = character.source, character.rig
    face = landmark_geometry(rig, character.embedding)[0] if settings.scale else None
    sequence = yield from run_threaded(
        "generate", lambda on_progress: make_sequence(settings, generators, face, on_progress)
    )
    lines = [f"{sequence.name}: {sequence.frame_count} frames, {sequence.time_s[-1]:.1f} s", *character.notes]
    stem = make_stem(out, f"{sequence.name}-{settings.seed}", _make_key(settings, sequence, rig), _WRITTEN, lines)
    landmarks, picture = out / f"{stem}{ENDING}", out / f"{stem}.png"
    save_sequence(landmarks, sequence)
    with atomic_path(picture) as temporary:
        strip = draw_strip(sequence.scheme, sequence.rest, sequence.displacements)
        write_image(temporary, strip)
    with_keys = settings.motion == "keys" or (settings.motion == "auto" and _has_face_keys(rig.channels))
    take_path = points = blend = None
    if with_keys:
        if not rig.channels:
            raise FacecapError(
                "This character has no shape keys to animate.", "Generate a point cache, or make its keys first."
            )
        idle = IdleMotion(settings.seed, settings.blinks, settings.gaze, settings.breathing)
        take = yield from run_threaded(
            "keys", lambda on_progress: make_take(sequence, rig, character.embedding, idle, on_progress)
        )
        take_path = out / f"{stem}.take.npz"
        save_take(take_path, add_id(take))
        write_live_link(OutputFiles(out, stem), take)
        lines.append(f"Average error of the shape keys: {take.provenance['residual_mm']} mm")
        if settings.blend and source.is_blend:
            request: Facts = {"do": "bake", "blend": str(source.path.resolve()), "object": source.object or rig.name}
            request |= {"take": str(take_path.resolve())}
            request |= {"head": "auto" if settings.head else "none", "bone": settings.head_bone, "loop": settings.loop}
            blend = yield from ask_for_blend(
                request,
                out / f"{stem}.blend",
                blender=settings.blender,
                hook=blender_hook,
                folder=characters,
                notes=lines,
            )
    else:
        points = out / f"{stem}.pc2"
        lines += yield from retarget_sequence(sequence, rig, landmarker, characters, settings, points)
        if settings.blend and source.is_blend:
            request = request_playing(source, rig, points, sequence.fps)
            blend = yield from ask_for_blend(
                request,
                out / f"{stem}.blend",
                blender=settings.blender,
                hook=blender_hook,
                folder=characters,
                notes=lines,
            )
    lines += [str(path) for path in (landmarks, picture, take_path, points, blend) if path is not None]
    return GenerateResult(landmarks, picture, take_path, points, blend, tuple(lines))


def open_generators(settings: GenerateSettings) -> list[Generator]:
    """The generators of what is asked for, one after the other.

    Raises FacecapError if an expression is not known, or a generator is missing or damaged.
    """
    names = [name.strip() for name in settings.expressions.split(",") if name.strip()]
    unknown = [name for name in names if name not in EXPRESSIONS]
    if unknown or not names:
        raise FacecapError(
            f"There is no expression called {', '.join(unknown) or 'nothing'}.",
            f"Choose among {', '.join(EXPRESSIONS)}.",
        )
    folder = settings.generators
    paths = {name: find_shipped(name) if folder is None else folder / f"{name}.onnx" for name in names}
    opened = {name: load_generator(path) for name, path in paths.items()}
    return [opened[name] for name in names]


def make_sequence(
    settings: GenerateSettings,
    generators: list[Generator],
    face: NDArray[np.floating] | None,
    on_progress: Callable[[int, int], None],
) -> LandmarkSequence:
    """The landmarks of what is asked for, as a face like the character's shows it.

    Args:
        face: (478, 3) m, head space: mesh landmarks of the character's neutral face; None: the mean face shows it.
    """
    parts: list[LandmarkSequence] = []
    told = generators * settings.repeat
    for number, generator in enumerate(told):
        rest = None if face is None else face[mediapipe_of(generator.scheme)]
        seed = settings.seed + number
        sequence = generate_sequence(generator, seed=seed, variation=settings.variation, rest=rest)
        sequence = scale_intensity(sequence, settings.intensity)
        parts.append(sequence if settings.duration_s is None else retime(sequence, settings.duration_s))
        on_progress(number + 1, len(told))
    return concatenate(parts, settings.overlap_s)


def _make_key(settings: GenerateSettings, sequence: LandmarkSequence, rig: BlendshapeRig) -> str:
    """Changes with everything that changes what is generated."""
    facts = {k: v for k, v in to_json(settings).items() if k not in ("out", "threads", "blender", "character")}
    digest = hashlib.sha256(f"{json.dumps(facts, sort_keys=True)} {rig_key(rig)}".encode())
    digest.update(np.ascontiguousarray(sequence.displacements).data)
    return digest.hexdigest()[:20]


def _has_face_keys(channels: tuple[str, ...]) -> bool:
    """Whether a character has enough of a face's keys to show an expression with them."""
    return len({arkit_name(channel) for channel in channels} - {None}) >= 12 or len(channels) >= 20
