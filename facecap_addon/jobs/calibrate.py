"""The calibrate job: a minute in which an actor holds what the guide asks for; her actor file and a sheet come out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..atomic_file import atomic_path
from ..fit.actor.guide import GUIDE, NEUTRAL
from ..fit.actor_calibration import CalibratedActor, calibrate_actor
from ..fit.settings import FitSettings
from ..footage.footage import Footage, open_footage
from ..images.encode import write_image
from ..json_types import Facts
from ..landmarks.protocol import PRESENCE_THRESHOLD
from ..landmarks.registry import open_landmarker
from ..landmarks.tracking.upright import stand_upright
from ..reports.hold_sheet import draw_hold_sheet
from ..rig.blendshapes import BlendshapeRig
from ..rig.duplicate_keys import find_distinct_keys
from ..rig.embedding import LandmarkEmbedding
from ..takes.actor import ENDING, save_actor
from ..takes.names import Origin, find_free_path
from ..takes.versions import job_folder
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .runtime.threaded_progress import run_threaded
from .settings.calibrate import CalibrateSettings
from .solve_trained import no_face_in
from .steps.character import character_source, characters_in, find_character, response_of
from .steps.content_hash import content_key
from .steps.frame_access import FrameAccess
from .steps.landmarks import find_landmarks, open_landmark_cache
from .steps.marks import read_marks
from .steps.results.stem import claim_stem_of


@dataclass(frozen=True)
class CalibrateResult:
    """A calibrated actor.

    Attributes:
        actor: her file.  sheet: a picture of the holds.  holds: names and times (s) of those that were found.
        lines: what there is to say.
    """

    actor: Path
    sheet: Path
    holds: tuple[tuple[str, float], ...]
    lines: tuple[str, ...]

    def to_json(self) -> Facts:
        """JSON-able facts."""
        holds = [{"name": name, "time": time_s} for name, time_s in self.holds]
        return {"actor": str(self.actor), "sheet": str(self.sheet), "holds": holds, "lines": list(self.lines)}


def run(settings: CalibrateSettings, *, blender_hook: BlenderHook | None = None) -> Steps[CalibrateResult]:
    """Calibrate an actor.

    Raises:
        NoFaceError: no frame shows a face.
        FacecapError: the footage, the marks or the character cannot be read, or no holds are found.
    """
    yield Progress("open", 0, 1)
    footage = open_footage(
        settings.video, start=settings.start, end=settings.end, fps=settings.fps, mirror=settings.mirror
    )
    marks = None if settings.marks is None else read_marks(settings.marks)
    landmarker = open_landmarker(threads=settings.threads)
    footage = stand_upright(footage, landmarker)
    origin = Origin(str(settings.video.resolve()), content_key(footage.paths, {}))
    stem, _ = claim_stem_of(settings.video, footage, settings.out, origin)
    characters = characters_in(settings.out)
    character = yield from find_character(
        character_source(settings.character),
        landmarker,
        blender=settings.blender,
        hook=blender_hook,
        folder=characters,
    )
    rig, embedding = find_distinct_keys(character.rig).rig, character.embedding
    cache = open_landmark_cache(footage, landmarker, job_folder(settings.out, stem))
    yield from find_landmarks(footage, landmarker, cache)
    observations = cache.observations()
    if not (observations.presence >= PRESENCE_THRESHOLD).any():
        raise no_face_in(settings.video, observations.frame_count)
    response = yield from run_threaded(
        "character", lambda on_progress: response_of(rig, embedding, landmarker, characters, on_progress)
    )
    chosen = FitSettings(focal_px=settings.focal_px, match=settings.match)
    yield Progress("fit", 0, observations.frame_count)
    found = yield from run_threaded(
        "fit",
        lambda on_progress: calibrate_actor(
            *(observations, rig, embedding, chosen), response=response, marks=marks, on_progress=on_progress
        ),
    )
    yield Progress("files", 0, 1)
    # An earlier file may have been edited: it stays.
    path = find_free_path(settings.out / f"{stem}{ENDING}", ENDING)
    save_actor(path, replace(found.actor, character=character.rig.name))
    sheet = path.with_name(f"{path.name.removesuffix(ENDING)}.actor.png")
    _write_sheet(sheet, found, rig, embedding, footage)
    cache.forget_others()
    holds = tuple((hold.name, float(found.take.time_s[hold.middle])) for hold in found.holds)
    lines = (*footage.notes, *character.notes, *_describe(found), str(path), str(sheet))
    return CalibrateResult(path, sheet, holds, lines)


def _write_sheet(
    path: Path, found: CalibratedActor, rig: BlendshapeRig, embedding: LandmarkEmbedding, footage: Footage
) -> None:
    picture_of = FrameAccess(footage)
    try:
        holds = [(hold.name, hold.middle) for hold in found.holds]
        with atomic_path(path) as temporary:
            write_image(temporary, draw_hold_sheet(holds, found.take, rig, embedding.head_from_rig, picture_of))
    finally:
        picture_of.close()


def _describe(found: CalibratedActor) -> list[str]:
    names = [hold.name for hold in found.holds if hold.name != NEUTRAL]
    missing = [one.name for one in GUIDE if one.name not in {hold.name for hold in found.holds}]
    lines = [f"Found: neutral, {', '.join(names)}"]
    if missing:
        lines.append(f"Not found, left as they are: {', '.join(missing)}")
    if not found.looks_neutral:
        lines.append(
            "The neutral face does not look relaxed: what it shows will be taken away from every solve. If it is not, "
            "film it again or mark another time."
        )
    fuller = sorted(name for name, one in found.actor.gains.items() if one.gain > 1)
    lines.append(f"{len(fuller)} channels reach 1 now where she performs them fully")
    return lines
