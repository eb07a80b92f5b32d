"""FaceCap from Python: the jobs as functions.

    from facecap_addon import api as facecap

    take = facecap.solve("talk.mp4", character="hero.blend:Head")
    print(take.channels, take.weights.shape)

Every function takes the settings of its job by name, as the tables in docs/ list them (without the dashes, underscores
inside), calls `on_progress` as it goes, and raises `FacecapError` with what happened and what to do about it. Importing
this module imports nothing heavy.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

from .errors import CancelledError, FacecapError, NoFaceError

if TYPE_CHECKING:
    from .jobs.calibrate import CalibrateResult
    from .jobs.edit import EditResult
    from .jobs.export import ExportResult
    from .jobs.filter import FilterResult
    from .jobs.generate import GenerateResult
    from .jobs.import_take import ImportResult
    from .jobs.live_capture import LiveResult
    from .jobs.map import MapResult
    from .jobs.registry import Outcome
    from .jobs.retarget import RetargetResult
    from .jobs.runtime.progress import Progress
    from .jobs.shape_keys import ShapeKeysResult
    from .jobs.sides import SidesResult
    from .jobs.steps.results.result import SolveResult
    from .jobs.teach_actor import TeachActorResult
    from .jobs.training.dataset import DatasetResult
    from .jobs.training.train import TrainResult
    from .jobs.training.train_generator import TrainGeneratorResult
    from .rig.blendshapes import BlendshapeRig
    from .rig.mapping.mapping import Mapping as RigMapping
    from .settings_schema import SettingValue
    from .takes.take import Take

    OnJobProgress = Callable[[Progress, float], None]

__all__ = [
    "CancelledError",
    "FacecapError",
    "NoFaceError",
    "calibrate",
    "edit_take",
    "export_take",
    "extend_dataset",
    "filter_take",
    "generate",
    "import_take",
    "load_rig",
    "load_take",
    "make_shape_keys",
    "map_character",
    "refine",
    "retarget",
    "run_job",
    "save_take",
    "solve",
    "train",
]


def solve(
    video: str | Path,
    *,
    character: str | Path | None = None,
    out: str | Path | None = None,
    on_progress: OnJobProgress | None = None,
    **settings: SettingValue,
) -> Take:
    """Turn a video of a face into weights of a character's shape keys and the motion of its head.

    Args:
        video: a video file, or a folder, picture or pattern of an image sequence.
        character: FILE.blend, FILE.blend:OBJECT or a rig .npz; None: the sample head.
        out: folder for the take, the .blend and the other files; None: nothing is left on disk.
        on_progress: called with the progress and the fraction of the whole, 0 to 1; it may raise to stop.
        settings: see docs/guide.md, as `start="12.5s"`, `method="deep"`, `preview=True`.
    Returns:
        The take: weights (F, K) by `take.channels`, head rotation and translation, status and time of each frame.
    Raises:
        NoFaceError: no frame shows a face.  FacecapError: anything else that can be mended.
    """
    if out is not None:
        result = run_job("solve", {**settings, "video": video, "character": character, "out": out}, on_progress)
        return load_take(result.version or result.take)
    with tempfile.TemporaryDirectory(prefix="facecap-") as folder:
        quiet = {"blend": False, "report": False, **settings}
        result = run_job("solve", {**quiet, "video": video, "character": character, "out": folder}, on_progress)
        return load_take(result.take)


def refine(folder: str | Path, *, on_progress: OnJobProgress | None = None, **settings: SettingValue) -> Take:
    """Make a finished solve look like its footage; needs PyTorch. Settings: docs/refine.md.

    Args:
        folder: that a solve was written to; with several takes in it, name one: `take="results/talk.take.npz"`.
    Raises:
        FacecapError: PyTorch is missing, or the folder holds no solve.
    """
    result = run_job("refine", {**settings, "folder": folder}, on_progress)
    return load_take(result.version or result.take)


def calibrate(
    video: str | Path, *, out: str | Path, on_progress: OnJobProgress | None = None, **settings: SettingValue
) -> CalibrateResult:
    """Get to know an actor from a minute of held expressions; `solve(…, actor=result.actor)` uses it.

    Args:
        video: of the actor, who does what docs/actor.md asks for.  out: folder for her file.  settings: docs/actor.md.
    Raises:
        NoFaceError: no frame shows a face.  FacecapError: no holds are found, or anything else that can be mended.
    """
    return run_job("calibrate", {**settings, "video": video, "out": out}, on_progress)


def filter_take(take: str | Path, *, on_progress: OnJobProgress | None = None, **settings: SettingValue) -> Take:
    """Smooth a take without opening its lips or blunting its blinks; settings: docs/live.md.

    Args:
        take: its file; it stays, the filtered one lies beside it.
    Raises:
        FacecapError: it is no take.
    """
    return load_take(run_job("filter", {**settings, "take": take}, on_progress).take)


def edit_take(
    take: str | Path, stack: str | Path, *, on_progress: OnJobProgress | None = None, **settings: SettingValue
) -> Take:
    """Put a stack of edits on a take; settings, and what a stack holds: docs/edits.md.

    Args:
        take: its file; it stays, the edited one lies beside it.  stack: a stack's file, or the name of a preset.
    Raises:
        FacecapError: it is no take or no stack, or an edit's numbers do not fit.
    """
    return load_take(run_job("edit", {**settings, "take": take, "stack": str(stack)}, on_progress).take)


def map_character(
    character: str | Path, *, on_progress: OnJobProgress | None = None, **settings: SettingValue
) -> RigMapping:
    """Guess which channels move a character's keys, or see which of a preset do; settings: docs/mapping.md.

    Args:
        character: FILE.blend, FILE.blend:OBJECT or rig .npz.
    Raises:
        FacecapError: it cannot be read, or none of a preset's targets is there.
    """
    from .rig.mapping.mapping_file import load_mapping  # importing facecap must stay light

    return load_mapping(run_job("map", {**settings, "character": str(character)}, on_progress).mapping)


def import_take(file: str | Path, *, on_progress: OnJobProgress | None = None, **settings: SettingValue) -> Take:
    """Read another program's performance as a take, which lies beside it; settings, and what can be read:
    docs/exchange.md.

    Raises:
        FacecapError: nobody knows what the file holds, or it is damaged.
    """
    return load_take(run_job("import", {**settings, "file": file}, on_progress).take)


def export_take(
    take: str | Path, format: str, *, on_progress: OnJobProgress | None = None, **settings: SettingValue
) -> Path:
    """Write a take for another program; settings and formats: docs/exchange.md.

    Args:
        take: its file.  format: as "live-link", "unreal", "glb".
    Returns:
        the file that was written.
    Raises:
        FacecapError: it is no take, or the format cannot hold it.
    """
    return run_job("export", {**settings, "take": take, "format": format}, on_progress).file


def retarget(
    motion: str | Path,
    *,
    character: str | Path,
    out: str | Path,
    on_progress: OnJobProgress | None = None,
    **settings: SettingValue,
) -> RetargetResult:
    """Let any mesh follow the landmarks of a take or of a generated sequence; settings: docs/retarget.md.

    Args:
        motion: a take or a .landmarks.npz.  character: the mesh; it needs no shape keys.  out: folder.
    Raises:
        FacecapError: the motion cannot be read, or no face is found on the mesh.
    """
    return run_job("retarget", {**settings, "motion": motion, "character": character, "out": out}, on_progress)


def make_shape_keys(
    character: str | Path, *, out: str | Path, on_progress: OnJobProgress | None = None, **settings: SettingValue
) -> ShapeKeysResult:
    """Give a head the 52 ARKit shape keys; settings: docs/retarget.md.

    Raises:
        FacecapError: no face is found on it.
    """
    return run_job("shape-keys", {**settings, "character": character, "out": out}, on_progress)


def generate(
    expressions: str | Sequence[str],
    *,
    out: str | Path,
    character: str | Path | None = None,
    on_progress: OnJobProgress | None = None,
    **settings: SettingValue,
) -> GenerateResult:
    """Invent an expression, or several one after the other, that nobody performed; settings: docs/generate.md.

    Args:
        expressions: "anger", "disgust", "fear", "happiness", "sadness" or "surprise".  out: folder.
        character: as for `solve`.
    Raises:
        FacecapError: there is no such expression.
    """
    named = expressions if isinstance(expressions, str) else ",".join(expressions)
    return run_job("generate", {**settings, "expressions": named, "character": character, "out": out}, on_progress)


def extend_dataset(
    folder: str | Path, *, on_progress: OnJobProgress | None = None, **settings: SettingValue
) -> DatasetResult:
    """Make, extend or check a training set; settings: docs/learn.md.

    Raises:
        FacecapError: what is to be added cannot be read or does not fit.
    """
    return run_job("dataset", {**settings, "folder": folder}, on_progress)


def train(folder: str | Path, *, on_progress: OnJobProgress | None = None, **settings: SettingValue) -> TrainResult:
    """Train a solver for one actor on a training set; needs PyTorch. Settings: docs/learn.md.

    Raises:
        FacecapError: PyTorch is missing, or the set is damaged or too small.
    """
    return run_job("train", {**settings, "folder": folder}, on_progress)


def load_take(path: str | Path) -> Take:
    """Read a take. Raises FacecapError if it is damaged or none."""
    from .takes.npz import load_take as read  # here and below: nothing heavy until it is used

    return read(Path(path))


def save_take(path: str | Path, take: Take) -> None:
    """Write a take, completely or not at all. Raises FacecapError if it cannot be written."""
    from .takes.npz import save_take as write  # see load_take

    write(Path(path), take)


def load_rig(path: str | Path) -> BlendshapeRig:
    """Read a rig .npz: a mesh and its shape keys. Raises FacecapError if it is damaged or none."""
    from .rig.blendshapes import load_rig as read  # see load_take

    return read(Path(path))


@overload
def run_job(
    name: Literal["solve", "refine"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> SolveResult: ...
@overload
def run_job(
    name: Literal["calibrate"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> CalibrateResult: ...
@overload
def run_job(
    name: Literal["filter"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> FilterResult: ...
@overload
def run_job(
    name: Literal["edit"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> EditResult: ...
@overload
def run_job(
    name: Literal["teach-actor"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> TeachActorResult: ...
@overload
def run_job(
    name: Literal["map"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> MapResult: ...
@overload
def run_job(
    name: Literal["sides"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> SidesResult: ...
@overload
def run_job(
    name: Literal["live"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> LiveResult: ...
@overload
def run_job(
    name: Literal["retarget"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> RetargetResult: ...
@overload
def run_job(
    name: Literal["shape-keys"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> ShapeKeysResult: ...
@overload
def run_job(
    name: Literal["generate"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> GenerateResult: ...
@overload
def run_job(
    name: Literal["dataset"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> DatasetResult: ...
@overload
def run_job(
    name: Literal["train"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> TrainResult: ...
@overload
def run_job(
    name: Literal["train-generator"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> TrainGeneratorResult: ...
@overload
def run_job(
    name: Literal["import"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> ImportResult: ...
@overload
def run_job(
    name: Literal["export"], settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None
) -> ExportResult: ...
@overload
def run_job(name: str, settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None) -> Outcome: ...
def run_job(name: str, settings: Mapping[str, SettingValue], on_progress: OnJobProgress | None = None) -> Outcome:
    """Run any job to its end, in this process.

    Args:
        name: as on the command line.  settings: by name.  on_progress: see `solve`.
    Returns:
        The job's result.
    Raises:
        FacecapError: there is no such job, a setting is unknown or out of range, or what the job raises.
    """
    # see load_take
    from .jobs.registry import JOBS, job_named
    from .jobs.runtime.run_job import run_job as run
    from .settings_schema import from_json

    known = [job.name for job in JOBS]
    if name not in known:
        raise FacecapError(f"There is no job called {name!r}.", f"Jobs: {', '.join(known)}.")
    job = job_named(name)
    given = {key: str(value) if isinstance(value, Path) else value for key, value in settings.items()}
    return run(job, from_json(job.settings_type, given), on_progress)
