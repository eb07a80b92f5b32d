"""The bar of every job: it only grows, moves during the longest stage, never jumps far, and is full at the end."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from facecap_addon.jobs.registry import JOBS, job_named, stages_of
from facecap_addon.jobs.runtime.eta import StageClock
from facecap_addon.jobs.runtime.progress import Progress
from facecap_addon.jobs.settings.calibrate import CalibrateSettings
from facecap_addon.jobs.settings.dataset import DatasetSettings
from facecap_addon.jobs.settings.edit import EditSettings
from facecap_addon.jobs.settings.exchange import ExportSettings, ImportSettings
from facecap_addon.jobs.settings.filter import FilterSettings
from facecap_addon.jobs.settings.generate import GenerateSettings, TrainGeneratorSettings
from facecap_addon.jobs.settings.map import MapSettings
from facecap_addon.jobs.settings.refine import RefineSettings
from facecap_addon.jobs.settings.retarget import RetargetSettings
from facecap_addon.jobs.settings.shape_keys import ShapeKeysSettings
from facecap_addon.jobs.settings.sides import SidesSettings
from facecap_addon.jobs.settings.solve import SolveSettings
from facecap_addon.jobs.settings.teach_actor import TeachActorSettings
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.jobs.steps.proxy import ProxySettings
from facecap_addon.takes.actor import save_actor
from facecap_addon.takes.corrections import Correction, save_corrections
from facecap_addon.takes.npz import load_take
from tests.jobs.solving import run
from tests.unit.takes.test_actor import some_actor

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "sample_scenes" / "take_01.mp4"
HEAD = ROOT / "sample_scenes" / "head.blend"
FURTHEST = 0.7
"""The bar's longest jump, of a small run, in which what always takes as long has more than its usual share."""
SHORT_S = 5.0
"""A longest stage that is over sooner need not move: nobody watches."""


@dataclass(frozen=True)
class Seen:
    """What a job said: when, in which stage, and how far the whole was then."""

    at_s: float
    stage: str
    fraction: float
    eta_s: float | None


def watch(name: str, settings: object) -> tuple[list[Seen], float]:
    """What a job says while it runs, and how many seconds that takes."""
    job = job_named(name)
    clock, seen, began_s = StageClock(stages_of(job, settings)), [], time.monotonic()
    for event in job.run(settings):
        now_s = time.monotonic()
        if isinstance(event, Progress):
            clock.update(event, now_s)
            seen.append(Seen(now_s - began_s, event.stage, clock.fraction, clock.eta_s))
    return seen, time.monotonic() - began_s


def longest_stage(seen: list[Seen], seconds: float) -> tuple[list[Seen], float]:
    """What was said in the stage that took longest, each time that it comes for itself, and its seconds.

    Of opening nothing is known: that is imports, which take a moment on a machine that is not busy.
    """
    parts = [list(part) for _, part in itertools.groupby(seen, lambda one: one.stage)]
    ends = [part[0].at_s for part in parts[1:]] + [seconds]
    took = [(end - part[0].at_s) * (part[0].stage != "open") for part, end in zip(parts, ends, strict=True)]
    at = took.index(max(took))
    return parts[at], took[at]


def check(name: str, settings: object) -> None:
    seen, seconds = watch(name, settings)
    fractions = [one.fraction for one in seen]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.1
    part, took = longest_stage(seen, seconds)
    if took > SHORT_S:
        jumps = [after - before for before, after in itertools.pairwise([*fractions, 1.0])]  # the result fills the bar
        assert max(jumps) < FURTHEST
        assert len({one.fraction for one in part}) >= 3, f"{part[0].stage} stands still for {took:.1f} s"
        assert any(one.eta_s is not None and one.eta_s > 0 for one in part)


@pytest.fixture(scope="module")
def solved(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a solve of a few frames."""
    out = tmp_path_factory.mktemp("progress")
    part = {"start": "60", "end": "67"}
    run("solve", SolveSettings(video=CLIP, out=out, **part, focal_px=864.0, report=False, blend=False))  # type: ignore[arg-type]
    return out


def of_solve(folder: Path) -> object:
    return SolveSettings(video=CLIP, out=folder / "again", end="59", blend=False)


def of_refine(folder: Path) -> object:
    pytest.importorskip("torch")
    pytest.importorskip("numba")
    return RefineSettings(folder=folder, start=2, end=5, looks=1, blend=False, report=False)


def of_dataset(folder: Path) -> object:
    pytest.importorskip("torch")
    return DatasetSettings(folder=folder / "set", draw_seconds=1.0)


def of_train(folder: Path) -> object:
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    set_folder = folder / "to train on"
    if not set_folder.exists():
        run("dataset", DatasetSettings(folder=set_folder, draw_seconds=2.0))
        run("dataset", DatasetSettings(folder=set_folder, draw_seconds=1.0, seed=1, use="validation"))
    return TrainSettings(folder=set_folder, preset="preview", epochs=3, batch=10)


def of_train_generator(folder: Path) -> object:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    chosen: dict[str, Any] = {"subjects": 7, "validation_subjects": 2, "test_subjects": 1, "batch": 1}
    return TrainGeneratorSettings(expression="anger", out=folder / "mine", epochs=4, free_epochs=1, **chosen)


def corrected(folder: Path) -> object:
    path = folder / "talk.corrections.json"
    time_s = float(load_take(folder / "take_01.take.npz").time_s[4])
    save_corrections(path, [Correction(time_s, pose={"jawOpen": 0.8}, seen={"jawOpen": 0.4})])
    save_actor(folder / "a.actor.json", some_actor())
    return TeachActorSettings(take=folder / "take_01.take.npz", corrections=path, actor=folder / "a.actor.json")


CASES: dict[str, Callable[[Path], object]] = {
    "solve": of_solve,
    "refine": of_refine,
    "calibrate": lambda folder: CalibrateSettings(video=CLIP, out=folder / "actor"),
    "dataset": of_dataset,
    "train": of_train,
    "import": lambda folder: ImportSettings(file=CLIP.with_suffix(".csv"), out=folder / "imported.take.npz"),
    "export": lambda folder: ExportSettings(take=folder / "take_01.take.npz", format="glb", character=str(HEAD)),
    "edit": lambda folder: EditSettings(take=folder / "take_01.take.npz", stack="Speech Clean-Up"),
    "teach-actor": corrected,
    "filter": lambda folder: FilterSettings(take=folder / "take_01.take.npz"),
    "retarget": lambda folder: RetargetSettings(motion=folder / "take_01.take.npz", out=folder / "moved", blend=False),
    "shape-keys": lambda folder: ShapeKeysSettings(character=str(HEAD), out=folder / "keys", blend=False),
    "map": lambda folder: MapSettings(character=str(HEAD), out=folder / "head.mapping.json"),
    "generate": lambda folder: GenerateSettings(expressions="anger", out=folder / "anger", blend=False),
    "train-generator": of_train_generator,
    "sides": lambda folder: SidesSettings(video=CLIP, out=folder / "sides", curves=CLIP.with_suffix(".csv")),
    "proxy": lambda folder: ProxySettings(video=CLIP, out=folder / "proxy", rate=24.0, fps=None, upside_down=False),
}


def test_every_job_is_watched() -> None:
    """But live capture, which nobody knows the end of."""
    assert {*CASES, "live"} == {job.name for job in JOBS}


LONG = {"train", "train-generator", "shape-keys", "refine"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in CASES]
)
def test_the_bar_of_a_job_moves_all_the_while(name: str, solved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "work"
    shutil.copytree(solved, folder)
    check(name, CASES[name](folder))


def test_stages_that_come_again_or_unexpected_move_the_bar_on() -> None:
    clock = StageClock((("open", 1), ("draw", 60), ("look", 20), ("files", 5)))
    fractions: list[float] = []
    for at, stage in enumerate(("open", "draw", "look", "draw", "look", "elsewhere", "draw", "files")):
        for done in range(11):
            clock.update(Progress(stage, done, 10), now_s=at + done / 10)
            fractions.append(clock.fraction)
    assert fractions == sorted(fractions)
    per_stage = [fractions[11 * n : 11 * n + 11] for n in range(8)]
    assert all(part[-1] > part[0] for part in per_stage)
    assert fractions[-1] == pytest.approx(1.0)
    assert clock.eta_s == pytest.approx(0.0, abs=1e-6)


def test_a_generators_estimate_knows_that_free_runs_take_longer() -> None:
    job = job_named("train-generator")
    few = dict(stages_of(job, TrainGeneratorSettings(expression="anger", out=Path("o"), epochs=100, free_epochs=10)))
    assert few["train"] == pytest.approx(few["free"])
    none = dict(stages_of(job, TrainGeneratorSettings(expression="anger", out=Path("o"), free_epochs=0)))
    assert none["free"] == 0.0 < none["train"]
