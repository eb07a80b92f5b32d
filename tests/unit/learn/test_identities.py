"""Work is found again by all it depends on: what was replaced is learned and refined anew, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.footage.write import write_video
from facecap_addon.jobs.settings.refine import RefineSettings
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.jobs.training.train import compute_training_key
from facecap_addon.learn.data.crops import prepare_pictures
from facecap_addon.learn.data.training_set import TrainingSet, add_shot, open_set, save_set
from facecap_addon.rig.blendshapes import JawWeights, save_rig
from facecap_addon.solvers.crop import PictureKind
from tests.unit.learn.test_training_set import rig, rows, shot
from tests.unit.takes.test_between import face_of, make_rig, make_take

FRAMES = 6


def clip(path: Path, seed: int) -> None:
    pictures = np.random.default_rng(seed).integers(0, 255, (FRAMES, 32, 32, 3), np.uint8)
    for _ in write_video(path, ((i / 25, picture) for i, picture in enumerate(pictures))):
        pass


@pytest.fixture
def training_set(tmp_path: Path) -> TrainingSet:
    """One shot with a point cache, its footage, and a character."""
    clip(tmp_path / "a.mp4", 0)
    made = replace(TrainingSet(tmp_path / "set", rig()), crop=(0.1, 0.1, 0.8, 0.8))
    cache = np.random.default_rng(1).normal(size=(FRAMES, 12, 3)).astype(np.float32)
    facts = replace(shot("a", FRAMES), video=str(tmp_path / "a.mp4"))
    return add_shot(made, facts, rows(FRAMES), cache)


def key(training_set: TrainingSet, **settings: object) -> str:
    given = TrainSettings(folder=training_set.folder, **settings)  # type: ignore[arg-type]
    return compute_training_key(given, open_set(training_set.folder))


def test_a_training_on_other_data_is_another_training(training_set: TrainingSet, tmp_path: Path) -> None:
    keys = [key(training_set)]
    assert key(training_set, threads=7) == keys[0]

    def changed(change: Callable[[], object]) -> None:
        change()
        keys.append(key(training_set))
        assert len(set(keys)) == len(keys)
        assert key(training_set) == keys[-1]

    cache = np.random.default_rng(2).normal(size=(FRAMES, 12, 3)).astype(np.float32)
    changed(lambda: add_shot(training_set, training_set.shots[0], rows(FRAMES), cache))
    changed(lambda: save_rig(training_set.folder / "rig.npz", replace(training_set.rig, neutral=rig().neutral + 1)))
    changed(lambda: clip(tmp_path / "a.mp4", 5))
    images = tmp_path / "faces"
    for name in ("calm", "glad"):
        (images / name).mkdir(parents=True)
        cv2.imwrite(str(images / name / "p_1.png"), np.zeros((8, 8, 3), np.uint8))
    first = key(training_set, labelled_images=images)
    cv2.imwrite(str(images / "calm" / "p_1.png"), np.full((8, 8, 3), 9, np.uint8))
    second = key(training_set, labelled_images=images)
    given = TrainSettings(folder=training_set.folder, labelled_images=images)
    assert compute_training_key(given, open_set(training_set.folder), "other landmarks") != second
    (images / "glad").rename(images / "sad")
    assert len({first, second, key(training_set, labelled_images=images)}) == 3


def test_pictures_of_replaced_footage_are_cut_anew(training_set: TrainingSet, tmp_path: Path) -> None:
    kind = PictureKind(16, 16)
    save_set(training_set)
    before = np.array(prepare_pictures(training_set, training_set.shots[0], kind, lambda _: None))
    size = (tmp_path / "a.mp4").stat().st_size
    clip(tmp_path / "a.mp4", 9)
    data = (tmp_path / "a.mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(data + bytes(max(0, size - len(data))))  # as long as the one before, if it can be
    after = np.array(prepare_pictures(training_set, training_set.shots[0], kind, lambda _: None))
    assert np.abs(before.astype(int) - after).mean() > 10
    (tmp_path / "a.mp4").unlink()
    with pytest.raises(FacecapError, match="is gone"):
        prepare_pictures(training_set, training_set.shots[0], kind, lambda _: None)


def test_shots_of_one_name_stand_beside_each_other(tmp_path: Path) -> None:
    made = TrainingSet(tmp_path, rig())
    for video, count in (("/x/take.mp4", 10), ("/y/take.mpg", 20), ("/z/Take.mov", 30)):
        name = Path(video).stem
        made = add_shot(made, replace(shot(name, count), video=video), rows(count))
    assert [s.name for s in made.shots] == ["take", "take-2", "Take-3"]
    assert [len(made.read_rows(s).rows) for s in made.shots] == [10, 20, 30]
    # The same part of the same footage, solved again, takes its own place.
    made = add_shot(made, replace(shot("take", 15), video="/y/take.mpg"), rows(15))
    assert [(s.name, s.frames) for s in made.shots] == [("take", 10), ("Take-3", 30), ("take-2", 15)]
    made = add_shot(made, replace(shot("take", 9), video="/y/take.mpg", start="2s"), rows(9))
    assert made.shots[-1].name == "take-4"
    long = "n" * 64
    for video in ("/x/n.mp4", "/y/n.mp4"):
        made = add_shot(made, replace(shot(long, 5), video=video), rows(5))
    assert made.shots[-1].name == "n" * 62 + "-2"


def test_a_refused_cache_leaves_the_shot_as_it_was(tmp_path: Path) -> None:
    made = add_shot(TrainingSet(tmp_path, rig()), shot("a", 8), rows(8))
    broken = np.full((5, 12, 3), np.nan, np.float32)
    with pytest.raises(FacecapError, match="infinity"):
        add_shot(made, shot("a", 5), rows(5), broken)
    assert len(made.read_rows(made.shots[0]).rows) == 8


def test_refinements_are_kept_by_all_they_depend_on(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from facecap_addon.jobs.refine import refinement_key
    from facecap_addon.landmarks.observations import Observations
    from facecap_addon.refine.finished_solve import FinishedSolve

    video = tmp_path / "a.mp4"
    video.write_bytes(b"footage")
    take = make_take(np.arange(4) / 25)
    head = replace(make_rig(), colors=np.full((12, 3), 0.5, np.float32))
    head = replace(head, jaw=JawWeights(np.zeros(12, np.float32), np.zeros(3, np.float32)))
    face = face_of(head)
    some = np.zeros((4, 478), np.float32)
    seen = Observations(
        take.time_s, np.arange(4), np.zeros((4, 478, 2), np.float32), some, np.ones(4, np.float32), some,
        "mediapipe-478", (64, 48), "v1",
    )  # fmt: skip
    settings = RefineSettings(folder=tmp_path)

    def name(settings=settings, take=take, seen=seen, head=head, face=face, video=video) -> str:
        return refinement_key(settings, FinishedSolve(take, seen, head, face), (video,))

    jaw = replace(head.jaw, weights=np.ones(12, np.float32))  # type: ignore[type-var]
    other = tmp_path / "b.mp4"
    other.write_bytes(b"other footage")
    keys = [
        name(),
        name(head=replace(head, colors=np.full((12, 3), 0.6, np.float32))),
        name(head=replace(head, jaw=jaw)),
        name(head=replace(head, deltas=2 * head.deltas)),
        name(head=replace(head, ranges=2 * head.ranges)),
        name(head=replace(head, channels=("jawOpen", "other"))),
        name(face=replace(face, barycentric=face.barycentric[::-1].copy())),
        name(seen=replace(seen, confidence=some + 1)),
        name(seen=replace(seen, model_version="v2")),
        name(take=replace(take, focal_px=701.0)),
        name(take=replace(take, status=np.int8([1, 1, 0, 1]))),
        name(video=other),
        name(settings=replace(settings, prior=2.0)),
    ]
    assert len(set(keys)) == len(keys)
    assert name(settings=replace(settings, threads=9, preview=True)) == keys[0]


def test_sixteen_bits_do_not_round_what_is_learned_from() -> None:
    torch = pytest.importorskip("torch")
    from facecap_addon.learn.engine.mesh_targets import MeshTargets

    tall = replace(rig(), neutral=rig().neutral * 0.1 + np.float32([0, 0, 1.7]))
    targets = MeshTargets.__new__(MeshTargets)
    targets.from_weights, targets.mirror = True, None
    targets.rest = torch.from_numpy(tall.neutral.reshape(-1))
    targets.deltas = torch.from_numpy(tall.deltas.reshape(2, -1))
    weights = np.random.default_rng(0).uniform(0, 1, (5, 2)).astype(np.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = targets.to_positions(torch.from_numpy(weights))
        of_short = targets.to_positions(torch.from_numpy(weights).bfloat16())
    wanted = tall.vertices_at(weights).reshape(5, -1)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), wanted, atol=2e-6)
    np.testing.assert_allclose(of_short.numpy(), wanted, atol=2e-4)


def test_a_training_in_sixteen_bits_is_evaluated_in_thirty_two(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from facecap_addon.learn.engine.schedule import Schedule
    from facecap_addon.learn.engine.trainer import Options, train

    seen: dict[str, bool] = {}

    class Task:
        network = torch.nn.Linear(3, 3)
        monitor = "error"
        items = 4

        def load_batch(self, items: np.ndarray) -> np.ndarray:
            return items

        def compute_loss(self, network, batch, strength, generator):
            seen["loss"] = torch.is_autocast_enabled("cpu")
            return network(torch.ones(2, 3)).float().square().mean()

        def evaluate(self) -> dict[str, float]:
            seen["evaluate"] = torch.is_autocast_enabled("cpu")
            return {"error": 1.0}

        def draw_preview(self) -> None:
            return None

    schedule = Schedule(epochs=1)
    train(Task(), schedule, Options(batch=4, precision="bf16"), tmp_path, lambda *_: None, lambda _: None)  # type: ignore[arg-type]
    assert seen == {"loss": True, "evaluate": False}
