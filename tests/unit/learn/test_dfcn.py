"""FACEGOOD's networks and their distillation: published sizes, wrong labels found, a student that is not misled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from facecap_addon.errors import FacecapError  # noqa: E402
from facecap_addon.footage.write import write_video  # noqa: E402
from facecap_addon.jobs.solve_trained import check_character  # noqa: E402
from facecap_addon.learn.data.frames import fit_whitening, split_frames  # noqa: E402
from facecap_addon.learn.data.training_set import ShotFacts, ShotRows, TrainingSet, add_shot  # noqa: E402
from facecap_addon.learn.engine.augment import Augmentation, augment_with_transform, transform_points  # noqa: E402
from facecap_addon.learn.engine.distributed import ProcessGroup  # noqa: E402
from facecap_addon.learn.engine.mesh_targets import MeshTargets  # noqa: E402
from facecap_addon.learn.engine.schedule import Schedule  # noqa: E402
from facecap_addon.learn.engine.trainer import Options, train  # noqa: E402
from facecap_addon.learn.engine.training_run import TrainingRun  # noqa: E402
from facecap_addon.learn.networks.dfcn.distillation import (  # noqa: E402
    Distillation,
    distillation_loss,
    estimate_gap,
    estimate_outlier,
    estimate_tolerance,
    find_suspicious,
    measure_distances,
)
from facecap_addon.learn.networks.dfcn.inception_resnet import InceptionResNet  # noqa: E402
from facecap_addon.learn.networks.dfcn.mobilenet import MobileNet  # noqa: E402
from facecap_addon.learn.networks.dfcn.task import POINTS, FaceTask  # noqa: E402
from facecap_addon.learn.networks.dfcn.train import train_faces  # noqa: E402
from facecap_addon.learn.networks.laine.convolutional import Tower  # noqa: E402
from facecap_addon.learn.networks.presets import FaceSizes, Preset  # noqa: E402
from facecap_addon.learn.synthetic.motion import make_shot_curves  # noqa: E402
from facecap_addon.live.live_solvers import SolverMethod  # noqa: E402
from facecap_addon.live.sources.open_source import LivePicture  # noqa: E402
from facecap_addon.rig.channels import ARKIT_CHANNELS  # noqa: E402
from facecap_addon.solvers.bundle import load_bundle  # noqa: E402
from facecap_addon.solvers.crop import PictureKind  # noqa: E402
from facecap_addon.solvers.solver import TrainedSolver  # noqa: E402
from tests.unit.learn.test_training import picture  # noqa: E402
from tests.unit.learn.test_training_set import rig  # noqa: E402


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_networks_have_the_published_numbers_of_parameters() -> None:
    assert parameters(MobileNet(1000, colours=3)) == 3_504_872
    assert parameters(InceptionResNet(1000, colours=3)) == 55_843_464


def test_feature_maps_have_the_published_sizes() -> None:
    with torch.no_grad():
        pictures = torch.zeros(1, 3, 299, 299)
        network = InceptionResNet(10, colours=3, blocks=(1, 1, 1)).eval()
        stem = network.stem(pictures)
        first = network.mixed(stem)
        second = network.to_second(first)
        third = network.to_third(second)
        assert [tuple(x.shape[1:]) for x in (stem, first, second, third)] == [
            (192, 35, 35), (320, 35, 35), (1088, 17, 17), (2080, 8, 8),
        ]  # fmt: skip
        maps = MobileNet(10, colours=3).eval().layers(torch.zeros(1, 3, 224, 224))
        assert tuple(maps.shape[1:]) == (1280, 7, 7)


def test_the_loss_is_that_of_equations_11_and_12() -> None:
    student = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.1, 0.0]])
    label = torch.tensor([[9.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    teacher = torch.tensor([[2.0, 0.0], [0.5, 0.0], [0.5, 0.0]])
    distillation = Distillation(outlier=3.0, emphasis=2.0, gap=0.01)
    wrong = torch.from_numpy(distillation.find_outliers(label.numpy(), teacher.numpy()))
    assert wrong.tolist() == [[True, True], [False, False], [False, False]]
    # A wrong label: the teacher counts. A student behind the teacher: twice its error. One ahead of it: its error.
    expected = (4.0 + 2.0 * 1.0 + 0.01) / 3
    assert float(distillation_loss(student, label, teacher, wrong, distillation)) == pytest.approx(expected, rel=1e-6)
    # Within b of the teacher is not good enough.
    wide, right = Distillation(outlier=3.0, emphasis=2.0, gap=0.3), wrong[2:]
    loss = distillation_loss(student[2:], label[2:], teacher[2:], right, wide)
    assert float(loss) == pytest.approx(0.02, rel=1e-5)


def test_of_a_label_with_one_wrong_number_the_others_are_learned() -> None:
    student, label, teacher = torch.tensor([[0.2, 0.5]]), torch.tensor([[1.0, 0.4]]), torch.tensor([[0.1, 0.3]])
    wrong = torch.tensor([[True, False]])
    found = distillation_loss(student, label, teacher, wrong, Distillation(emphasis=2.0))
    assert float(found) == pytest.approx(0.1**2 + 0.1**2, rel=1e-5)  # as near to the label as the teacher
    found = distillation_loss(student, label, teacher, wrong, Distillation(emphasis=2.0, gap=0.01))
    assert float(found) == pytest.approx(0.1**2 + 2 * 0.1**2, rel=1e-5)


def test_the_papers_threshold_is_estimated_from_residuals() -> None:
    random = np.random.default_rng(0)
    right = np.abs(random.normal(0, 0.02, (900, 40)))
    wrong = np.abs(random.normal(0, 0.3, (100, 40)))
    apart = np.linalg.norm(np.concatenate([right, wrong]), axis=1)
    outlier = estimate_outlier(apart)
    assert (apart[:900] < outlier).all()
    assert (apart[900:] > outlier).all()
    assert np.isinf(estimate_outlier(apart[:5]))
    assert estimate_gap(apart) == pytest.approx(0.1 * np.median(apart) ** 2)


def test_wrong_labels_of_fifty_keys_are_found() -> None:
    """Another frame's weights, and one key that is wrong by its whole range, among what a teacher is off anyway."""
    random = np.random.default_rng(4)
    ranges = np.tile(np.float32([0, 1]), (len(ARKIT_CHANNELS), 1))
    shots = [make_shot_curves(ARKIT_CHANNELS, ranges, 12, 30, seed) for seed in range(4)]
    true = np.concatenate(shots).astype(np.float32)
    frames, keys = true.shape
    # Of a network: little where nothing moves, a share of what does, and now and then much more.
    teacher = true + (0.015 + 0.1 * true) * random.laplace(size=true.shape)
    points = random.normal(0.5, 0.1, (frames, 136)).astype(np.float32)
    said_points = points + random.normal(0, 0.004, points.shape)
    labels = true.copy()
    other = random.choice(frames, 60, replace=False)
    labels[other] = true[(other + frames // 2) % frames]
    one = random.choice(np.setdiff1d(np.arange(frames), other), 60, replace=False)
    key = random.integers(0, keys, 60)
    labels[one, key] = np.abs(np.round(true[one, key]) - 1)
    far = np.abs(labels[one, key] - true[one, key]) > 0.7

    scale = keys**-0.5
    wanted, given = (
        np.concatenate([w * scale, p * 0.34], 1).astype(np.float32)
        for w, p in ((labels, points), (teacher, said_points))
    )
    tolerance = estimate_tolerance(wanted, given, keys, scale)
    found, suspicious = tolerance.find_outliers(wanted, given), find_suspicious(tolerance.rate(wanted, given)[:, :keys])
    assert suspicious[other].mean() > 0.95
    assert found[one, key][far].mean() > 0.95 and suspicious[one][far].mean() > 0.95
    right = np.setdiff1d(np.arange(frames), np.concatenate([other, one]))
    assert found[right].mean() < 0.01 and suspicious[right].mean() < 0.05
    # The distance of the whole face, which is the paper's, shows next to none of the single keys.
    apart = measure_distances(wanted, given)
    assert (apart[one] > estimate_outlier(apart)).mean() < 0.1


def test_landmarks_move_with_the_picture() -> None:
    pictures = torch.zeros(6, 1, 80, 60)
    points = torch.tensor([[0.3, 0.4], [0.6, 0.7]]).expand(6, 2, 2).clone()
    for x, y in ((18, 32), (36, 56)):
        pictures[:, :, y - 1 : y + 1, x - 1 : x + 1] = 1
    limits = Augmentation(0.1, 0.3, 0.2, 0.0, 0.0, padding=True)
    moved, matrix = augment_with_transform(pictures, limits, 1.0, torch.Generator().manual_seed(1))
    at = transform_points(points, matrix).numpy() * (60, 80) - 0.5
    assert np.abs(at - (points.numpy() * (60, 80) - 0.5)).max() > 3
    for one, places in zip(moved[:, 0].numpy(), at, strict=True):
        for x, y in places:
            near = one[round(y) - 4 : round(y) + 5, round(x) - 4 : round(x) + 5]
            rows, columns = np.mgrid[-4:5, -4:5]
            centre = (near * rows).sum() / near.sum() + round(y), (near * columns).sum() / near.sum() + round(x)
            assert np.hypot(centre[0] - y, centre[1] - x) < 0.35


FRAMES, WRONG = (240, 240, 80), 0.1
PRESET = Preset(
    PictureKind(80, 80), (8,), (64, 32), 0.125, 200, Schedule(5, 2, 1, 4e-3), 30, Schedule(3, 1, 1, 1e-3), 24,
    FaceSizes((1, 1, 1), 0.125, 0.25, 16),
)  # fmt: skip


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingSet, np.ndarray]:
    """Two shots to learn from, of which a tenth of the labels is wrong, and one for validation; (480,) bool which."""
    folder = tmp_path_factory.mktemp("spoilt")
    made = TrainingSet(folder, rig(), crop=(0.0, 0.0, 1.0, 1.0), crop_is_own=True)
    wrong = []
    for number, frames in enumerate(FRAMES):
        random = np.random.default_rng(number)
        time_s = np.arange(frames) / 30
        weights = 0.5 + 0.5 * np.sin(time_s[:, None] * (3.1, 4.7) + random.uniform(0, 6, 2))
        name = f"shot{number}"
        pictures = ((t, picture(w)) for t, w in zip(time_s, weights, strict=True))
        list(write_video(folder / f"{name}.mp4", pictures, quality=8))
        points = np.full((frames, 68, 2), 0.5, np.float32)
        points[:, :34, 0], points[:, 34:, 0] = ((9 + 50 * weights) / 72).T[:, :, None].repeat(34, 2)
        points[:, :34, 1], points[:, 34:, 1] = 26 / 96, 66 / 96
        spoil = np.zeros(frames, bool)
        if number < 2:
            spoil[random.choice(frames, int(WRONG * frames), replace=False)] = True
            weights = np.where(spoil[:, None], 1 - np.round(weights), weights)
            wrong.append(spoil)
        face = np.tile(np.float32([[0.4, 0.4], [0.6, 0.4], [0.5, 0.6]]), (frames, 1, 1))
        box = np.tile(np.float32([0.1, 0.1, 0.9, 0.9]), (frames, 1))
        shot = ShotFacts(name, f"{name}.mp4", None, None, None, frames, use="validation" if number == 2 else "train")
        rows = ShotRows(np.arange(frames), time_s, weights.astype(np.float32), face, box, points)
        made = add_shot(made, shot, rows)
    return made, np.concatenate(wrong)


class Small(torch.nn.Module):
    """Convolutions enough for bars; what they are called does not matter to distillation."""

    def __init__(self, outputs: int, maps: tuple[int, ...]) -> None:
        super().__init__()
        self.tower = Tower(maps)
        self.output = torch.nn.Linear(self.tower.count_features((32, 24)), outputs)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.output(self.tower(pictures))


def test_wrong_labels_are_found_and_do_not_mislead_the_student(
    spoilt: tuple[TrainingSet, np.ndarray], tmp_path: Path
) -> None:
    training_set, wrong = spoilt
    small = replace(PRESET, picture=PictureKind(32, 24))
    train_frames, validation_frames = split_frames(training_set, small.picture, lambda *_: None)
    targets, whitening = MeshTargets(training_set, train_frames), fit_whitening(train_frames)
    outputs = len(training_set.rig.channels) + 2 * POINTS

    def trained(name: str, maps: tuple[int, ...], **teaching: Any) -> FaceTask:
        torch.manual_seed(1)
        limits = Augmentation(0.02, 0.02, 0.02)
        task = FaceTask(
            Small(outputs, maps),
            train_frames,
            validation_frames,
            targets,
            whitening,
            training_set.rig,
            limits,
            **teaching,
        )
        (tmp_path / name).mkdir()
        train(task, Schedule(16, 6, 2, 4e-3), Options(32), tmp_path / name, lambda *_: None, lambda _: None)
        return task

    teacher = trained("teacher", (12, 16, 24))
    rows = np.arange(train_frames.count)
    teacher_outputs = np.stack(
        [teacher.predict(train_frames, rows), teacher.predict(train_frames, rows, mirrored=True)]
    )
    labels, keys = teacher.make_labels(train_frames, rows), len(training_set.rig.channels)
    apart = measure_distances(labels, teacher_outputs[0])
    distillation = Distillation(gap=estimate_gap(apart))
    outliers = estimate_tolerance(labels, teacher_outputs[0], keys, keys**-0.5).find_outliers(
        labels, teacher_outputs[0]
    )
    named = outliers[:, :keys].any(1)
    assert named[wrong].mean() >= 0.95
    assert named[~wrong].mean() <= 0.01
    plain = trained("plain", (8, 12, 16)).evaluate()["rmse_mm"]
    distilled = trained(
        "distilled", (8, 12, 16), teacher_outputs=teacher_outputs, wrong=outliers, distillation=distillation
    ).evaluate()["rmse_mm"]
    assert distilled < 0.8 * plain


def test_teacher_and_student_train_export_and_solve(spoilt: tuple[TrainingSet, np.ndarray], tmp_path: Path) -> None:
    training_set = replace(spoilt[0], shots=spoilt[0].shots[1:])  # as many as it takes
    settings = SimpleNamespace(
        network="dfcn", preset="preview", epochs=None, batch=None, seed=0, patience=0, precision="fp32", mirror=True,
        checkpoint_minutes=60.0, tensorboard=False, int8=True, distil=True, outlier=None, emphasis=1.5, gap=0.0,
    )  # fmt: skip
    out = tmp_path / "student.facecap"
    run = TrainingRun(settings, tmp_path / "training", out, "key", lambda *_: None, "cpu", ProcessGroup())
    lines = train_faces(run, training_set, replace(PRESET, schedule=Schedule(2, 1, 1, 4e-3)))
    assert any("labels look wrong to the teacher" in line for line in lines)
    bundle = load_bundle(out)
    check_character(bundle, training_set.rig)
    assert {"face", "face.int8"} <= set(bundle.networks)
    assert bundle.facts.report["rmse_mm_int8"] > 0
    weights = np.array([0.2, 0.9])
    solver = TrainedSolver(bundle)
    found = solver.solve(picture(weights))
    assert found.shape == (2,)
    assert np.isfinite(found).all()
    assert solver.landmarks is not None
    assert solver.landmarks.shape == (68, 2)
    # Live, keys are found by name, and what the character does not have is told.
    channels = tuple(bundle.facts.channels)
    other = replace(training_set.rig, channels=("something else", channels[1]))
    method = SolverMethod(TrainedSolver(bundle), other, None, (72, 96), None)
    face = method.step(LivePicture(0, 0.0, 0.0, picture(weights)))
    assert face is not None
    assert face.weights[0] == 0
    assert face.weights[1] == pytest.approx(float(np.clip(found[1], 0, 1)), abs=1e-6)
    assert method.unknown == (channels[0],)
    # An LSTM's bundle knows no landmarks, this one does; nothing is kept from frame to frame.
    # Threads may add up in another order.
    np.testing.assert_allclose(solver.solve(picture(weights)), found, atol=1e-5)


def test_a_set_without_landmarks_is_refused(spoilt: tuple[TrainingSet, np.ndarray], tmp_path: Path) -> None:
    training_set, _ = spoilt
    old = replace(training_set, folder=tmp_path)
    for shot in training_set.shots:
        rows = replace(training_set.read_rows(shot), points=np.zeros((0, 0, 2), np.float32))
        name = str(training_set.resolve_video(shot))
        old = add_shot(
            replace(old, shots=tuple(s for s in old.shots if s.name != shot.name)), replace(shot, video=name), rows
        )
    run = TrainingRun(
        SimpleNamespace(mirror=False, preset="preview"),
        tmp_path,
        tmp_path / "x.facecap",
        "",
        lambda *_: None,
        "cpu",
        ProcessGroup(),
    )
    with pytest.raises(FacecapError, match="landmarks"):
        train_faces(run, old, PRESET)
