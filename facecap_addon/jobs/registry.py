"""The jobs there are: what each is called, takes and does, and how its time is usually spent.

Command line, worker, the tables in docs/, the bars of terminal and panel and their estimates derive from it. A job's
module, and its settings, are imported only when they are asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ..json_types import Facts

if TYPE_CHECKING:
    from .calibrate import CalibrateResult
    from .edit import EditResult
    from .export import ExportResult
    from .filter import FilterResult
    from .generate import GenerateResult
    from .import_take import ImportResult
    from .live_capture import LiveResult
    from .map import MapResult
    from .retarget import RetargetResult
    from .runtime.events import FaceEvent
    from .runtime.progress import Progress
    from .settings.calibrate import CalibrateSettings
    from .settings.dataset import DatasetSettings
    from .settings.edit import EditSettings
    from .settings.exchange import ExportSettings, ImportSettings
    from .settings.filter import FilterSettings
    from .settings.generate import GenerateSettings, TrainGeneratorSettings
    from .settings.live import LiveSettings
    from .settings.map import MapSettings
    from .settings.refine import RefineSettings
    from .settings.retarget import RetargetSettings
    from .settings.shape_keys import ShapeKeysSettings
    from .settings.sides import SidesSettings
    from .settings.solve import SolveSettings
    from .settings.teach_actor import TeachActorSettings
    from .settings.train import TrainSettings
    from .shape_keys import ShapeKeysResult
    from .sides import SidesResult
    from .steps.proxy import ProxySettings, Shown
    from .steps.results.result import SolveResult
    from .teach_actor import TeachActorResult
    from .training.dataset import DatasetResult
    from .training.train import TrainResult
    from .training.train_generator import TrainGeneratorResult

CAPTIONS: Mapping[str, str] = {
    "open": "Opening",
    "character": "Placing landmarks on the character",
    "landmarks": "Finding landmarks",
    "proxy": "Copying the footage for Blender",
    "fit": "Fitting the face",
    "solve": "Solving",
    "files": "Writing files",
    "check": "Comparing footage and head",
    "blend": "Writing the .blend",
    "preview": "Writing the preview",
    "likeness": "Comparing the character with the actor",
    "look": "Estimating skin and light",
    "head": "Refining the head",
    "shape": "Refining the face",
    "head again": "Refining the head again",
    "face": "Refining the face again",
    "compare frames": "Comparing renders and footage",
    "infill": "Filling gaps by optical flow",
    "flow": "Tracking motion in the footage",
    "time": "Removing jitter between frames",
    "expression": "Refining the expression",
    "add": "Adding to the training set",
    "alembic": "Reading Alembic or USD",
    "draw": "Rendering the character",
    "sheet": "Making the contact sheet",
    "pictures": "Cropping faces",
    "embed": "Learning expressions",
    "teach": "Training the large network",
    "train": "Training",
    "free": "Training on its own predictions",
    "export": "Writing the network",
    "compare": "Comparing with a fast solve",
    "lesson": "Learning from corrections",
    "sides": "Looking for left and right",
    "filter": "Filtering",
    "edit": "Editing",
    "live": "Waiting for a face",
    "generate": "Generating",
    "keys": "Making shape keys",
    "contact": "Closing lids and lips",
    "warp": "Moving the mesh",
    "data": "Gathering sequences",
}
"""What a stage is called in front of people, in terminal and panel."""

Stages = tuple[tuple[str, float], ...]
_SOLVE: Stages = (
    ("open", 2),
    ("character", 5),
    ("landmarks", 55),
    ("proxy", 5),
    ("fit", 15),
    ("solve", 15),
    ("files", 3),
    ("check", 8),
    ("blend", 5),
    ("preview", 10),
)
# Between two passes over the frames their neighbours are made consistent, so these stages come again and again.
_IN_TIME: Stages = (("flow", 8), ("time", 1))
_REFINE: Stages = (
    ("open", 1),
    ("landmarks", 2),
    ("character", 4),
    ("likeness", 5),
    ("look", 7),
    ("head", 10),
    *_IN_TIME,
    ("shape", 20),
    *_IN_TIME,
    ("look", 5),
    ("head again", 10),
    *_IN_TIME,
    ("face", 25),
    ("compare frames", 2),
    ("infill", 8),
    *_IN_TIME,
    ("expression", 15),
    ("compare frames", 2),
    ("files", 1),
    ("check", 4),
    ("proxy", 2),
    ("blend", 3),
    ("preview", 5),
)
_REFINED = 20
"""A refinement takes so many times as long as the solve before it."""
_FREE_RUN = 10
"""An epoch of a generator's free runs takes so many times as long as one before."""
_EPOCHS, _EPOCHS_ALONE = 160, 10_000
"""Where none are asked for: with free runs, and without."""


SettingsT = TypeVar("SettingsT")
ResultT = TypeVar("ResultT", bound="Outcome")


class Outcome(Protocol):
    """What a job returns."""

    def to_json(self) -> Facts:
        """Facts for who started it in another process; paths become text."""
        ...


@dataclass(frozen=True)
class Job(Generic[SettingsT, ResultT]):
    """A job that can be run.

    Attributes:
        name: as it is typed.
        module: of its `run`, a generator function of the settings that yields Progress and returns an Outcome;
            relative to this room.
        settings: module and class of its settings.
        stages: in their usual order, with their usual shares of a job's time, of any sum; a job leaves out what does
            not concern it, and a stage may come twice.
        positional: the setting that is given without a flag.
        summary, description: a line, and a sentence or two, for --help.
        page: of docs/ that holds the table of its settings.
        on_command_line: whether it is a command; else Blender alone asks for it.
        has_controls: whether `run` takes `controls`, bytes that tell it things while it runs.
    """

    name: str
    module: str
    settings: tuple[str, str]
    stages: Stages
    positional: str = ""
    summary: str = ""
    description: str = ""
    page: str = ""
    on_command_line: bool = True
    has_controls: bool = False

    @property
    def settings_type(self) -> type[SettingsT]:
        """Its settings dataclass."""
        module, name = self.settings
        return getattr(importlib.import_module(module, __package__), name)

    @property
    def run(self) -> Callable[..., Generator[Progress | FaceEvent, None, ResultT]]:
        """Its generator function: takes the settings, and what Blender or an owner adds; see `module`."""
        return importlib.import_module(self.module, __package__).run


AnyJob = Job[Any, Any]

SOLVE: Job[SolveSettings, SolveResult] = Job(
    "solve",
    ".solve",
    (".settings.solve", "SolveSettings"),
    _SOLVE,
    "video",
    "solve a video onto a character",
    "Turn a video of a face into keys on a head with shape keys.",
    "guide.md",
)
REFINE: Job[RefineSettings, SolveResult] = Job(
    "refine",
    ".refine",
    (".settings.refine", "RefineSettings"),
    _REFINE,
    "folder",
    "refine a finished solve by comparing renders with the footage (needs PyTorch)",
    "Render the character, compare the render with the footage, and adjust head and face until they match.",
    "refine.md",
)
CALIBRATE: Job[CalibrateSettings, CalibrateResult] = Job(
    "calibrate",
    ".calibrate",
    (".settings.calibrate", "CalibrateSettings"),
    (("open", 2), ("character", 8), ("landmarks", 60), ("fit", 28), ("files", 2)),
    "video",
    "get to know an actor from a minute of expressions that she holds",
    "Learn an actor's neutral face, her sizes and how far her expressions go; solve with --actor uses it.",
    "actor.md",
)
DATASET: Job[DatasetSettings, DatasetResult] = Job(
    "dataset",
    ".training.dataset",
    (".settings.dataset", "DatasetSettings"),
    (("open", 2), ("character", 5), ("alembic", 10), ("landmarks", 30), ("add", 5), ("draw", 80), ("sheet", 6)),
    "folder",
    "make, extend or check a training set",
    "Gather footage and what the face does in it, to train a network on one actor; see docs/learn.md.",
    "learn.md",
)
TRAIN: Job[TrainSettings, TrainResult] = Job(
    "train",
    ".training.train",
    (".settings.train", "TrainSettings"),
    (
        ("open", 1),
        ("embed", 30),
        ("pictures", 8),
        ("teach", 30),
        ("train", 120),
        ("pictures", 1),
        ("export", 3),
        ("character", 2),
        ("landmarks", 2),
        ("compare", 4),
        ("files", 2),
    ),
    "folder",
    "train a network on one actor (needs PyTorch)",
    "Train a network on a training set; it then solves the actor's other footage, without PyTorch.",
    "learn.md",
)
FILTER: Job[FilterSettings, FilterResult] = Job(
    "filter",
    ".filter",
    (".settings.filter", "FilterSettings"),
    (("open", 10), ("character", 30), ("filter", 60), ("files", 10), ("blend", 20)),
    "take",
    "smooth a take, keeping closed lips closed and blinks sharp",
    "Smooth the curves of a finished take; the take stays, the filtered one is written beside it.",
    "live.md",
)
EDIT: Job[EditSettings, EditResult] = Job(
    "edit",
    ".edit",
    (".settings.edit", "EditSettings"),
    (("open", 10), ("character", 50), ("edit", 40)),
    "take",
    "edit a take by a stack of edits: gain, calibration, mirror, filter, lip seal, retime and more",
    "Put a stack of edits on a finished take; the take stays, the edited one is written beside it.",
    "edits.md",
)
TEACH_ACTOR: Job[TeachActorSettings, TeachActorResult] = Job(
    "teach-actor",
    ".teach_actor",
    (".settings.teach_actor", "TeachActorSettings"),
    (("lesson", 1),),
    "take",
    "let an actor learn from corrected poses",
    "Learn from corrected poses how far each of an actor's channels goes; her later solves use what was learned.",
    "corrections.md",
)
LIVE: Job[LiveSettings, LiveResult] = Job(
    "live",
    ".live",
    (".settings.live", "LiveSettings"),
    (("open", 5), ("character", 95), ("live", 0)),
    "source",
    "capture live from a camera, a video or a phone",
    "Solve a camera, a video at its own rate or Live Link Face packets in real time; Ctrl-C ends it.",
    "live.md",
    has_controls=True,
)
RETARGET: Job[RetargetSettings, RetargetResult] = Job(
    "retarget",
    ".retarget",
    (".settings.retarget", "RetargetSettings"),
    (("open", 10), ("character", 30), ("warp", 60), ("blend", 15)),
    "motion",
    "move any mesh by landmarks",
    "Let a mesh follow the landmarks of a take or of a generated sequence; it needs no shape keys.",
    "retarget.md",
)
SHAPE_KEYS: Job[ShapeKeysSettings, ShapeKeysResult] = Job(
    "shape-keys",
    ".shape_keys",
    (".settings.shape_keys", "ShapeKeysSettings"),
    (("open", 3), ("character", 12), ("keys", 55), ("contact", 25), ("blend", 5)),
    "character",
    "give a head the 52 ARKit shape keys",
    "Transfer the sample head's shape keys to another head.",
    "retarget.md",
)
MAP: Job[MapSettings, MapResult] = Job(
    "map",
    ".map",
    (".settings.map", "MapSettings"),
    (("open", 5), ("character", 90), ("files", 5)),
    "character",
    "guess which channels move a character's keys, whatever they are called",
    "Write which of ARKit's channels move which keys, as a file to edit; with --take, its values by the keys' names.",
    "mapping.md",
)
GENERATE: Job[GenerateSettings, GenerateResult] = Job(
    "generate",
    ".generate",
    (".settings.generate", "GenerateSettings"),
    (("open", 5), ("character", 30), ("generate", 20), ("keys", 20), ("warp", 20), ("files", 3), ("blend", 15)),
    "expressions",
    "invent an expression: anger, disgust, fear, happiness, sadness or surprise",
    "Animate a character with an invented expression; see docs/generate.md.",
    "generate.md",
)
TRAIN_GENERATOR: Job[TrainGeneratorSettings, TrainGeneratorResult] = Job(
    "train-generator",
    ".training.train_generator",
    (".settings.generate", "TrainGeneratorSettings"),
    (("open", 1), ("character", 4), ("data", 5), ("train", 60), ("free", 28), ("export", 2)),
    "expression",
    "train a generator of an expression (needs PyTorch)",
    "Train the network behind `facecap generate` on sequences of your own, or on synthetic ones.",
    "generate.md",
)
SIDES: Job[SidesSettings, SidesResult] = Job(
    "sides",
    ".sides",
    (".settings.sides", "SidesSettings"),
    (("open", 5), ("sides", 10), ("landmarks", 80)),
    "video",
    "see which eye counts as the actor's left one, and whether footage is mirrored",
    "Mark the actor's left eye in a picture; with curves of the same take, decide whether the footage is mirrored.",
    "guide.md",
)
IMPORT: Job[ImportSettings, ImportResult] = Job(
    "import",
    ".import_take",
    (".settings.exchange", "ImportSettings"),
    (("open", 5), ("character", 25), ("alembic", 20), ("fit", 40), ("files", 10)),
    "file",
    "read another program's performance as a take",
    "Read Live Link Face, ARKit JSON, Unreal's curves, or vertices of PC2, MDD, Alembic and USD; see docs/exchange.md.",
    "exchange.md",
)
EXPORT: Job[ExportSettings, ExportResult] = Job(
    "export",
    ".export",
    (".settings.exchange", "ExportSettings"),
    (("open", 5), ("character", 25), ("files", 70)),
    "take",
    "write a take for another program",
    "Write a take as curves, point cache or animated character for another program; see docs/exchange.md.",
    "exchange.md",
)
PROXY: Job[ProxySettings, Shown] = Job(
    "proxy",
    ".steps.proxy",
    (".steps.proxy", "ProxySettings"),
    (("open", 2), ("proxy", 98)),
    on_command_line=False,
)
JOBS: tuple[AnyJob, ...] = (
    SOLVE,
    REFINE,
    CALIBRATE,
    DATASET,
    TRAIN,
    FILTER,
    EDIT,
    TEACH_ACTOR,
    LIVE,
    RETARGET,
    SHAPE_KEYS,
    MAP,
    GENERATE,
    TRAIN_GENERATOR,
    SIDES,
    IMPORT,
    EXPORT,
    PROXY,
)


def job_named(name: str) -> AnyJob:
    """The job of that name. Raises KeyError if there is none: names come from our own code."""
    return {job.name: job for job in JOBS}[name]


def stages_of(job: AnyJob, settings: object) -> Stages:
    """A job's stages under some settings: without outputs that are not wanted; a deep solve ends in a refinement."""
    stages = [(name, share) for name, share in job.stages if getattr(settings, name, True) is not False]
    if job.name == "solve":
        method = getattr(settings, "method", "")
        left_out = "solve" if method in ("landmarks", "deep") else "fit"
        stages = [stage for stage in stages if stage[0] != left_out]
        if method == "deep":
            stages += [(name, _REFINED * share) for name, share in _REFINE]
    if job.name == "train-generator":
        stages = _share_epochs(stages, getattr(settings, "epochs", None), getattr(settings, "free_epochs", 0))
    return tuple(stages)


def _share_epochs(stages: list[tuple[str, float]], epochs: int | None, free: int) -> list[tuple[str, float]]:
    """A generator's stages: free runs take as long as so many epochs of predictions from what was recorded."""
    guided = epochs or (_EPOCHS if free else _EPOCHS_ALONE)
    together = guided + _FREE_RUN * free
    shares = {"train": guided / together, "free": _FREE_RUN * free / together}
    trained = sum(share for name, share in stages if name in shares)
    return [(name, trained * shares[name] if name in shares else share) for name, share in stages]


def caption_of(stage: str) -> str:
    """What a stage is called in front of people."""
    return CAPTIONS.get(stage, stage.capitalize())
