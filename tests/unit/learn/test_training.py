"""Training: what can be learned in seconds is learned, stopping changes nothing, what is exported is what learned."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from facecap_addon.errors import CancelledError, FacecapError  # noqa: E402
from facecap_addon.footage.write import write_video  # noqa: E402
from facecap_addon.learn.data.training_set import ShotFacts, ShotRows, TrainingSet, add_shot  # noqa: E402
from facecap_addon.learn.engine.checkpoint import load_checkpoint, save_checkpoint  # noqa: E402
from facecap_addon.learn.engine.distributed import ProcessGroup  # noqa: E402
from facecap_addon.learn.engine.schedule import Schedule  # noqa: E402
from facecap_addon.learn.engine.trainer import Options, train  # noqa: E402
from facecap_addon.learn.engine.training_run import TrainingRun  # noqa: E402
from facecap_addon.learn.networks.laine.bundle import MeshOptions, plan_mesh  # noqa: E402
from facecap_addon.learn.networks.laine.convolutional import LaineNetwork  # noqa: E402
from facecap_addon.learn.networks.laine.train import train_meshes  # noqa: E402
from facecap_addon.learn.networks.meng.train import train_sequences  # noqa: E402
from facecap_addon.learn.networks.presets import Preset  # noqa: E402
from facecap_addon.learn.networks.ridge.solution import PENALTIES, Scaling, solve_ridge  # noqa: E402
from facecap_addon.learn.networks.ridge.train import train_ridge  # noqa: E402
from facecap_addon.solvers.bundle import load_bundle  # noqa: E402
from facecap_addon.solvers.crop import PictureKind  # noqa: E402
from facecap_addon.solvers.solver import TrainedSolver  # noqa: E402
from facecap_addon.solvers.whitening import Whitening  # noqa: E402
from tests.unit.learn.test_training_set import rig  # noqa: E402

PRESET = Preset(
    PictureKind(32, 24), (8, 12, 16), (64, 32), 0.125, 200,
    Schedule(14, 5, 1, 4e-3), 16, Schedule(3, 1, 1, 1e-3), 24,
)  # fmt: skip

COLOUR = replace(PRESET, picture=PictureKind(32, 24, colour=True))


def picture(weights: NDArray[np.floating]) -> NDArray[np.uint8]:
    """(96, 72, 3): a bar for each weight."""
    out = np.full((96, 72, 3), 40, np.uint8)
    for k, (value, color) in enumerate(zip(weights, ((230, 120, 120), (120, 120, 230)), strict=True)):
        out[12 + 40 * k : 40 + 40 * k, 8 : 10 + round(50 * float(value))] = color
    return out


@pytest.fixture(scope="module")
def training_set(tmp_path_factory: pytest.TempPathFactory) -> TrainingSet:
    """Three shots of a face of two keys; the last is for validation."""
    folder = tmp_path_factory.mktemp("set")
    made = TrainingSet(folder, rig(), crop=(0.0, 0.0, 1.0, 1.0), crop_is_own=True)
    for number, frames in enumerate((160, 160, 60)):
        random = np.random.default_rng(number)
        time_s = np.arange(frames) / 30
        phases = random.uniform(0, 6, 2)
        weights = (0.5 + 0.5 * np.sin(time_s[:, None] * (3.1, 4.7) + phases)).astype(np.float32)
        name = f"shot{number}"
        list(
            write_video(
                folder / f"{name}.mp4", ((t, picture(w)) for t, w in zip(time_s, weights, strict=True)), quality=8
            )
        )
        face = np.tile(np.float32([[0.4, 0.4], [0.6, 0.4], [0.5, 0.6]]), (frames, 1, 1))
        box = np.tile(np.float32([0.1, 0.1, 0.9, 0.9]), (frames, 1))
        shot = ShotFacts(name, f"{name}.mp4", None, None, None, frames, use="validation" if number == 2 else "train")
        made = add_shot(made, shot, ShotRows(np.arange(frames), time_s, weights, face, box))
    return made


def settings(**changes: Any) -> SimpleNamespace:
    facts: dict[str, Any] = {
        "network": "laine", "preset": "preview", "seed": 3, "affine": False, "stabilise": False, "epochs": None,
        "batch": None, "patience": 0, "precision": "fp32", "checkpoint_minutes": 60.0, "tensorboard": False,
        "int8": False, "labelled_images": None, "mining": "semi-hard", "mirror": True, "cutmix": True,
    }  # fmt: skip
    return SimpleNamespace(**(facts | changes))


def run(folder: Path, out: Path, **changes: Any) -> TrainingRun:
    """A training into a folder."""
    return TrainingRun(settings(**changes), folder / "run", out, "key", nothing, "cpu", ProcessGroup())


def nothing(*_: object) -> None:
    pass


def test_a_face_is_learned_exported_and_solved(training_set: TrainingSet, tmp_path: Path) -> None:
    out = tmp_path / "small.facecap"
    lines = train_meshes(run(tmp_path, out, int8=True), training_set, PRESET)
    bundle = load_bundle(out)
    report = bundle.facts.report
    # So small a network ends between 3.6 and 4.3 times better, by rate and by how its pictures are reduced.
    assert report["mean_pose_mm"] > 3.5 * report["rmse_mm"]
    assert report["parity_mm"] < 0.01
    assert report["rmse_mm_int8"] < 2 * report["rmse_mm"] + 0.5
    assert any("waiting for data" in line for line in lines)
    assert (tmp_path / "run" / "progress.png").is_file() and bundle.picture[:4] == b"\x89PNG"
    solver = TrainedSolver(bundle)
    weights = np.array([0.7, 0.25])
    found = solver.solve(picture(weights))
    wanted = training_set.rig.vertices_at(weights)[bundle.moving]
    apart = np.sqrt(((found - wanted) ** 2).sum(1).mean()) * 1000
    assert apart < 0.4 * report["mean_pose_mm"]


def test_a_vertex_that_counts_more_is_so_much_of_the_loss(training_set: TrainingSet) -> None:
    counts = np.linspace(1.0, 8.0, len(training_set.rig.neutral)).astype(np.float32)
    options = MeshOptions(vertex_weights=counts)
    task = plan_mesh(training_set, "laine", PRESET, nothing, options, seed=5).task

    class Rest(torch.nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            return task.targets.rest.expand(len(pictures), -1)

    batch = task.load_batch(np.arange(8))
    loss = float(task.compute_loss(Rest(), batch, 0.0, torch.Generator().manual_seed(0)))
    moving = task.targets.moving
    apart = np.einsum("fk,kvx->fvx", batch.targets, training_set.rig.deltas[:, moving])
    wanted = (100 * apart) ** 2 * (counts[moving] / counts[moving].mean())[None, :, None]
    assert loss == pytest.approx(wanted.mean(), rel=1e-4)


def test_what_chooses_the_checkpoint_does_not_say_how_good_it_is(training_set: TrainingSet, tmp_path: Path) -> None:
    uses = {"shot1": ("test", ""), "shot2": ("validation", "drawn")}
    shots = [
        replace(s, use=uses[s.name][0], source=uses[s.name][1]) if s.name in uses else s for s in training_set.shots
    ]
    made = replace(training_set, shots=tuple(shots))
    lines = train_meshes(run(tmp_path, tmp_path / "a.facecap", epochs=2), made, PRESET)
    report = load_bundle(tmp_path / "a.facecap").facts.report
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    best = min(epoch["validation"]["rmse_mm"] for epoch in log)
    assert report["judged_on"] == "recorded test shots" and report["rendered_rmse_mm"] == pytest.approx(best)
    assert report["rmse_mm"] != pytest.approx(best, rel=1e-3)
    assert [line.split(":")[0] for line in lines if "the mean pose has" in line] == [
        "Recorded test shots",
        "Rendered validation shots",
    ]
    train_sequences(run(tmp_path / "b", tmp_path / "b.facecap", network="vgg-lstm", epochs=1), made, COLOUR)
    report = load_bundle(tmp_path / "b.facecap").facts.report
    assert report["judged_on"] == "recorded test shots" and {"jitter_mm", "rendered_jitter_mm"} <= set(report)


def test_a_training_that_was_stopped_ends_as_if_it_had_not_been(training_set: TrainingSet, tmp_path: Path) -> None:
    schedule, options = Schedule(3, 1, 1, 2e-3), Options(batch=32, seed=5, checkpoint_s=0.0)

    def run(folder: Path, stop_at: int | None) -> dict[str, Any]:
        plan = plan_mesh(training_set, "laine", PRESET, nothing, seed=5)

        def on_step(done: int, total: int, epochs: object) -> None:
            if done == stop_at:
                raise CancelledError

        train(plan.task, schedule, options, folder, on_step, nothing, key="k")
        return plan.task.network.state_dict()

    whole = run(tmp_path / "whole", None)
    with pytest.raises(CancelledError):
        run(tmp_path / "parts", 7)  # in the middle of an epoch
    parts = run(tmp_path / "parts", None)
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name


def test_another_trainings_checkpoint_is_refused(training_set: TrainingSet, tmp_path: Path) -> None:
    plan = plan_mesh(training_set, "laine", PRESET, nothing)
    train(plan.task, Schedule(1, 1, 1), Options(batch=64), tmp_path, nothing, nothing, key="one")
    with pytest.raises(FacecapError, match="other settings"):
        train(plan.task, Schedule(1, 1, 1), Options(batch=64), tmp_path, nothing, nothing, key="two")
    (tmp_path / "checkpoint.safetensors").write_bytes(b"not a checkpoint")
    with pytest.raises(FacecapError, match="damaged"):
        train(plan.task, Schedule(1, 1, 1), Options(batch=64), tmp_path, nothing, nothing, key="one")
    other = plan_mesh(training_set, "laine", replace(PRESET, maps=(4, 4)), nothing).task.network
    optimizer = torch.optim.Adam(other.parameters())
    save_checkpoint(tmp_path / "other.safetensors", other, optimizer, {"key": "one"})
    with pytest.raises(FacecapError, match="another network"):
        load_checkpoint(tmp_path / "other.safetensors", plan.task.network, None)


def test_a_full_disk_leaves_the_checkpoint_before(
    training_set: TrainingSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_mesh(training_set, "laine", PRESET, nothing)
    optimizer = torch.optim.Adam(plan.task.network.parameters())
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, plan.task.network, optimizer, {"epoch": 1})
    before = path.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(path))

    import safetensors.torch

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(FacecapError, match="disk is full"):
        save_checkpoint(path, plan.task.network, optimizer, {"epoch": 2})
    assert path.read_bytes() == before


def test_training_stops_early_when_validation_shots_get_no_better(training_set: TrainingSet, tmp_path: Path) -> None:
    plan = plan_mesh(training_set, "laine", PRESET, nothing)
    for parameter in plan.task.network.parameters():
        parameter.requires_grad_(False)
    plan.task.network.output.bias.requires_grad_(True)
    # A rate of nothing: no epoch is better than the first.
    epochs = train(plan.task, Schedule(50, 1, 1, 0.0), Options(batch=64, patience=2), tmp_path, nothing, nothing)
    assert len(epochs) == 3


def test_a_training_that_stopped_early_is_done(training_set: TrainingSet, tmp_path: Path) -> None:
    """Started again, it learns nothing more and changes nothing."""
    options = Options(batch=64, patience=1)

    def run() -> list[Any]:
        plan = plan_mesh(training_set, "laine", PRESET, nothing)
        return train(plan.task, Schedule(50, 1, 1, 0.0), options, tmp_path, nothing, nothing)

    epochs = run()
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    assert len(epochs) == 2 and [vars(e) for e in run()] == [vars(e) for e in epochs]
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize("source", ["weights", "point cache"])
def test_a_head_that_stands_high_is_learned_as_well_in_sixteen_bits(
    training_set: TrainingSet, tmp_path: Path, source: str
) -> None:
    """16 bits would round coordinates of 1.7 m to 8 mm; faces move by 10."""
    errors = []
    for height in (0.0, 1.7):
        face = training_set.rig
        moved = replace(face, neutral=(0.1 * face.neutral + np.float32([0, 0, height])).astype(np.float32))
        made = replace(training_set, folder=tmp_path / f"{height:g}", rig=moved, shots=())
        for facts in training_set.shots:
            rows = training_set.read_rows(facts)
            video = str(training_set.folder / facts.video)
            vertices = moved.vertices_at(rows.weights) if source == "point cache" else None
            made = add_shot(made, replace(facts, video=video), rows, vertices)
        plan = plan_mesh(made, "laine", PRESET, nothing, seed=5)
        options = Options(batch=32, precision="bf16")
        folder = tmp_path / f"{height:g}" / "run"
        folder.mkdir()
        epochs = train(plan.task, Schedule(3, 1, 1, 4e-3), options, folder, nothing, nothing)
        errors.append(epochs[-1].validation["rmse_mm"])
        mean_pose_mm = plan.task.measure_mean_pose_mm(plan.task.validation_frames)
    assert errors[0] < 0.8 * mean_pose_mm
    assert errors[1] == pytest.approx(errors[0], rel=0.02)


@pytest.mark.parametrize("network", ["dense", "pointwise"])
def test_the_other_mesh_networks_learn_too(training_set: TrainingSet, tmp_path: Path, network: str) -> None:
    preset = PRESET if network == "dense" else replace(PRESET, picture=PictureKind(32, 24, colour=True))
    out = tmp_path / f"{network}.facecap"
    train_meshes(run(tmp_path, out, network=network, epochs=130 if network == "dense" else 14), training_set, preset)
    report = load_bundle(out).facts.report
    assert report["mean_pose_mm"] > 1.5 * report["rmse_mm"]


def test_ridge_learns_from_a_few_seconds_without_an_epoch(
    models: Path, training_set: TrainingSet, tmp_path: Path
) -> None:
    del models
    out = tmp_path / "ridge.facecap"
    (tmp_path / "run").mkdir()
    preset = replace(PRESET, picture=PictureKind(96, 96, colour=True))
    lines = train_ridge(run(tmp_path, out, network="ridge"), training_set, preset)
    bundle = load_bundle(out)
    assert bundle.facts.report["mean_pose_mm"] > 4 * bundle.facts.report["rmse_mm"]
    assert bundle.picture[:4] == b"\x89PNG" and any(line.startswith("Learned in") for line in lines)
    weights = np.array([0.7, 0.25])
    face = np.array([[0.4, 0.4], [0.6, 0.4], [0.5, 0.6]], np.float32)
    found = TrainedSolver(bundle).solve(picture(weights), face=face)
    wanted = training_set.rig.vertices_at(weights)[bundle.moving]
    assert np.sqrt(((found - wanted) ** 2).sum(1).mean()) * 1000 < 0.4 * bundle.facts.report["mean_pose_mm"]


def test_a_ridge_regression_is_the_same_whichever_matrix_it_is_solved_by() -> None:
    random = np.random.default_rng(0)
    truth = random.normal(size=(12, 3))
    seen = random.normal(size=(40, 11)).astype(np.float32) + 3
    scaling = Scaling(seen)
    rows = scaling.apply(seen)
    targets = (rows @ truth + random.normal(0, 0.01, (40, 3))).astype(np.float32)

    def solve(
        count: int, measure: Callable[[NDArray[np.float64]], float] | None = None
    ) -> tuple[NDArray[np.float64], float, float]:
        parts = [(rows[i : i + 7], targets[i : i + 7]) for i in range(0, count, 7)]  # of 7 or 35 rows
        return solve_ridge(lambda: parts, count, 12, measure, nothing)

    wide, penalty, _ = solve(7)  # fewer rows than unknowns
    known = rows[:7].astype(np.float64)
    expected = np.linalg.solve(known.T @ known + 7 * penalty * np.eye(12), known.T @ targets[:7])
    np.testing.assert_allclose(wide, expected, rtol=1e-3, atol=1e-4)

    def measure(found: NDArray[np.float64]) -> float:
        return float(np.abs(found - truth).max())

    def solve_error(penalty: float) -> float:
        known = rows[:35].astype(np.float64)
        found = np.linalg.solve(known.T @ known + 35 * penalty * np.eye(12), known.T @ targets[:35])
        return measure(found)

    solution, best, error = solve(35, measure)
    tried = [solve_error(one) for one in PENALTIES]
    assert best == PENALTIES[int(np.argmin(tried))] and error == pytest.approx(min(tried), rel=1e-3)
    weight, bias = scaling.unfold(solution)
    np.testing.assert_allclose(seen @ weight + bias, rows @ solution, atol=1e-5)


@pytest.mark.parametrize("network", ["meng", "vgg-lstm"])
def test_sequences_are_learned_and_solved_frame_by_frame(
    training_set: TrainingSet, tmp_path: Path, network: str
) -> None:
    preset = replace(PRESET, picture=PictureKind(32, 32 if network == "meng" else 24, colour=True))
    out = tmp_path / f"{network}.facecap"
    train_sequences(run(tmp_path, out, network=network), training_set, preset)
    bundle = load_bundle(out)
    assert bundle.facts.kind == "weights"
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert log[-1]["validation"]["rmse_mm"] < 0.8 * log[0]["validation"]["rmse_mm"]
    # One frame after the other, the state kept, is what torch makes of the whole shot.
    solver = TrainedSolver(bundle)
    first = solver.solve(picture(np.array([0.5, 0.5])))
    second = solver.solve(picture(np.array([0.5, 0.5])))
    assert np.abs(first - second).max() > 0  # it remembers
    solver.start_shot()
    # What it would remember is much larger than what another order of adding up makes.
    afresh = np.abs(solver.solve(picture(np.array([0.5, 0.5]))) - first).max()
    assert afresh < 1e-5 and afresh < 0.01 * np.abs(first - second).max()


def test_a_narrow_layer_and_pictures_as_they_are(training_set: TrainingSet) -> None:
    """Meng and Wen's baselines, as the benchmark has them: so many numbers pass before the principal components."""
    plain, paper = (
        plan_mesh(training_set, "laine", preset, nothing)
        for preset in (PRESET, replace(PRESET, whitened=False, narrow=1))
    )
    assert paper.task.whitening == Whitening(0.0, 1.0) != plain.task.whitening
    pictures = torch.rand(12, 1, 32, 24)
    for plan, rank in ((plain, 2), (paper, 1)):
        assert isinstance(plan.task.network, LaineNetwork)
        found = plan.task.network.eval().predict_coefficients(pictures).detach()
        assert torch.linalg.matrix_rank(found - found.mean(0), rtol=1e-4) == rank


def test_an_embedding_is_graded_by_how_far_faces_differ(training_set: TrainingSet, tmp_path: Path) -> None:
    preset = replace(PRESET, picture=PictureKind(32, 32, colour=True))
    asked = run(tmp_path, tmp_path / "a.facecap", network="meng", mining="graded", epochs=3)
    lines = train_sequences(asked, training_set, preset)
    [found] = [line for line in lines if line.startswith("Distances in the embedding follow those of faces by")]
    log = (tmp_path / "run" / "embedding" / "log.jsonl").read_text().splitlines()
    unlike = [json.loads(line)["validation"]["unlike"] for line in log]
    assert min(unlike) < 0.3 and f"by {1 - min(unlike):.2f} " in found


def test_nothing_to_learn_is_said(training_set: TrainingSet, tmp_path: Path) -> None:
    still = TrainingSet(tmp_path, rig(), crop=(0.0, 0.0, 1.0, 1.0), crop_is_own=True)
    shot = training_set.shots[0]
    rows = training_set.read_rows(shot)
    flat = replace(rows, weights=np.zeros_like(rows.weights))
    still = add_shot(still, replace(shot, video=str(training_set.folder / shot.video)), flat)
    with pytest.raises(FacecapError, match="Nothing moves"):
        plan_mesh(still, "laine", PRESET, nothing)
