"""The retarget job: moving landmarks in, any mesh that follows them out, as a point cache."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..generate.from_take import make_take_sequence
from ..generate.sequence import ENDING, LandmarkSequence, load_sequence
from ..json_types import Facts
from ..landmarks.registry import open_landmarker
from ..rig.blendshapes import BlendshapeRig
from ..settings_schema import to_json
from ..takes.names import make_stem
from ..takes.npz import load_take
from ..takes.take import Take
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .settings.retarget import RetargetSettings
from .steps.character import character_source, characters_in, find_character, rig_key
from .steps.results.outputs import ask_for_blend
from .steps.results.point_cache import request_playing, retarget_sequence

_REPORT_EVERY = 16


@dataclass(frozen=True)
class RetargetResult:
    """A mesh that follows.

    Attributes:
        points: the point cache.  fps: what its frames are counted in.  blend: the .blend that plays it, or None.
        lines: what there is to say.
    """

    points: Path
    fps: float
    blend: Path | None
    lines: tuple[str, ...]

    def to_json(self) -> Facts:
        """JSON-able facts."""
        blend = None if self.blend is None else str(self.blend)
        return {"points": str(self.points), "fps": self.fps, "blend": blend, "lines": list(self.lines)}


def run(settings: RetargetSettings, *, blender_hook: BlenderHook | None = None) -> Steps[RetargetResult]:
    """Retarget.

    Raises:
        FacecapError: the motion or a character cannot be read, or the mesh has too few landmarks.
    """
    yield Progress("open", 0, 1)
    settings.out.mkdir(parents=True, exist_ok=True)
    characters = characters_in(settings.out)
    landmarker = open_landmarker(threads=settings.threads)
    said: list[str] = []
    if settings.motion.name.endswith(ENDING):
        sequence, start_s = load_sequence(settings.motion), 0.0
        stem = settings.motion.name.removesuffix(ENDING)
    else:
        take = load_take(settings.motion)
        source = settings.source if settings.source is not None else _find_character_name(take)
        solved_on = yield from find_character(
            character_source(source), landmarker, blender=settings.blender, hook=blender_hook, folder=characters
        )
        said += solved_on.notes
        if take.jaw.any() and solved_on.rig.jaw is None:
            said.append("The take moves a jaw bone that the character it is read with does not have.")
        sequence = make_take_sequence(take, solved_on.rig, solved_on.embedding)
        start_s = float(take.time_s[0])
        stem = settings.motion.name.removesuffix(".npz").removesuffix(".take")
    found = yield from find_character(
        character_source(settings.character),
        landmarker,
        blender=settings.blender,
        hook=blender_hook,
        folder=characters,
        bare=True,
    )
    target, rig = found.source, found.rig
    said += found.notes
    wished = f"{stem}.{rig.name or target.path.stem}"
    stem = make_stem(settings.out, wished, _make_key(settings, sequence, rig), ("pc2", "mdd", "blend"), said)
    points = settings.out / f"{stem}.{settings.points}"
    lines = yield from retarget_sequence(sequence, rig, landmarker, characters, settings, points, start_s=start_s)
    lines += said
    blend = None
    if settings.blend and target.is_blend:
        request = request_playing(target, rig, points, sequence.fps)
        copy = settings.out / f"{stem}.blend"
        blend = yield from ask_for_blend(
            request, copy, blender=settings.blender, hook=blender_hook, folder=characters, notes=lines
        )
    lines += [str(path) for path in (points, blend) if path is not None]
    return RetargetResult(points, sequence.fps, blend, tuple(lines))


def _make_key(settings: RetargetSettings, sequence: LandmarkSequence, rig: BlendshapeRig) -> str:
    """Changes with everything that changes how the mesh moves."""
    left_out = ("motion", "source", "character", "out", "blend", "blender", "threads")
    facts = {name: value for name, value in to_json(settings).items() if name not in left_out}
    digest = hashlib.sha256(f"{json.dumps(facts, sort_keys=True)} {rig_key(rig)}".encode())
    for array in (sequence.rest, sequence.displacements, sequence.time_s):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:20]


def _find_character_name(take: Take) -> str | None:
    settings = take.provenance.get("settings")
    character = settings.get("character") if isinstance(settings, dict) else None
    return str(character) if character else None
