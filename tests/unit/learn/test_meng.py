"""Meng and Wen's parts: batches without the same picture twice, distances in flat memory, jitter inside of shots."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facecap_addon.learn.data.frames import Frames  # noqa: E402
from facecap_addon.learn.engine.augment import Augmentation  # noqa: E402
from facecap_addon.learn.networks.meng.embedding_task import (  # noqa: E402
    EmbeddingTask,
    measure_distance_matrix,
    measure_distances,
)
from facecap_addon.learn.networks.meng.graded_task import GradedTask, graded_triplet_loss  # noqa: E402
from facecap_addon.learn.networks.meng.lstm import WeightLstm  # noqa: E402
from facecap_addon.learn.networks.meng.task import WeightsTask, measure_jitter_mm  # noqa: E402
from facecap_addon.solvers.whitening import Whitening  # noqa: E402
from tests.unit.learn.test_training_set import shot  # noqa: E402

RANDOM = np.random.default_rng(0)


def make_embedding_task(labels: list[int]) -> EmbeddingTask:
    """Each picture holds its own number, so that batches tell what they were drawn from."""
    pictures = np.arange(len(labels), dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 2, 2), np.uint8)
    known = np.array(labels)
    names = tuple(str(i) for i in range(max(labels) + 1))
    nothing = np.zeros(len(labels), bool)
    return EmbeddingTask(torch.nn.Identity(), pictures, known, names, nothing, Whitening(0.0, 1.0), Augmentation())


def test_a_batch_holds_no_picture_twice() -> None:
    task = make_embedding_task([i % 6 for i in range(30)] + [6])
    for seed in range(40):
        items = np.random.default_rng(seed).permutation(task.items)[:24]
        batch = task.load_batch(items)
        drawn = batch.pictures[:, 0, 0, 0]
        assert len(np.unique(drawn)) == len(drawn)
        np.testing.assert_array_equal(task.labels[drawn], batch.labels)
        # Whoever has others of its class gets company, and nobody more than a class has.
        assert len(np.unique(batch.labels)) > 1 and np.bincount(batch.labels).max() <= 5


def make_frames(times: list[np.ndarray]) -> Frames:
    """Shots with frames at some times."""
    count = [len(one) for one in times]
    n = sum(count)
    return Frames(
        tuple(shot(f"s{i}", k) for i, k in enumerate(count)),
        np.repeat(np.arange(len(times)), count),
        np.concatenate([np.arange(k) for k in count]),
        [], np.zeros((n, 1), np.float32), [], np.zeros((n, 3, 2), np.float32), np.concatenate(times),
        np.zeros((n, 0, 2), np.float32),
    )  # fmt: skip


def test_jitter_is_measured_inside_of_shots_only() -> None:
    """Two faces that stand still, one at 0 and one at 1, the second with a second of footage left out."""
    frames = make_frames([np.arange(4) / 30, np.concatenate([np.arange(3), np.arange(33, 36)]) / 30])
    assert frames.find_followed().tolist() == [True] * 3 + [False] + [True] * 2 + [False] + [True] * 2
    targets = SimpleNamespace(to_positions=lambda w: w * torch.tensor([[0.001, 0.0, 0.0]]))
    weights = np.repeat(np.float32([[0.0], [1.0], [5.0]]), (4, 3, 3), axis=0)
    assert measure_jitter_mm(targets, weights, frames).max() == 0.0  # type: ignore[arg-type]
    weights[2:4] += 2
    moved = measure_jitter_mm(targets, weights, frames)  # type: ignore[arg-type]
    np.testing.assert_allclose(moved, [0, 2, 0, 0, 0, 0, 0], atol=1e-6)


def test_windows_do_not_reach_over_gaps() -> None:
    frames = make_frames([np.arange(5) / 30, np.concatenate([np.arange(4), np.arange(9, 12)]) / 60])
    assert frames.find_starts(3).tolist() == [0, 1, 2, 5, 6, 9]
    assert frames.find_starts(6).tolist() == [] and frames.find_starts(20).tolist() == []
    every = replace(frames, time_s=np.concatenate([np.arange(5) / 30, np.arange(7) / 60]))
    assert every.find_starts(6).tolist() == [5, 6]


def test_distances_are_those_of_all_pairs_whatever_their_number() -> None:
    embeddings = RANDOM.normal(size=(1100, 16)).astype(np.float32)
    labels = RANDOM.integers(0, 5, 1100)
    embeddings[7] = embeddings[0]  # two different images of one look
    apart = np.linalg.norm(embeddings[:, None].astype(np.float64) - embeddings[None], axis=2)
    same = (labels[:, None] == labels[None]) & ~np.eye(1100, dtype=bool)
    within, between = measure_distances(embeddings, labels)
    assert within == pytest.approx(apart[same].mean(), rel=1e-6)
    assert between == pytest.approx(apart[labels[:, None] != labels[None]].mean(), rel=1e-6)
    matrix = measure_distance_matrix(embeddings, labels, 6)
    assert matrix[1, 3] == pytest.approx(apart[np.ix_(labels == 1, labels == 3)].mean(), rel=1e-6)
    block = apart[np.ix_(labels == 2, labels == 2)]
    assert matrix[2, 2] == pytest.approx(block.sum() / (len(block) * (len(block) - 1)), rel=1e-6)
    assert np.isnan(matrix[5]).all()


def test_distances_need_little_memory() -> None:
    embeddings, labels = RANDOM.normal(size=(3000, 128)).astype(np.float32), RANDOM.integers(0, 23, 3000)
    tracemalloc.start()
    try:
        measure_distances(embeddings, labels)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 120e6  # all differences at once are 4.6 GB, all distances 72 MB


def test_weights_are_not_rounded_to_sixteen_bits() -> None:
    mean = torch.tensor([0.1234567, 0.7654321])
    network = WeightLstm(4, mean, 8)
    with torch.no_grad():
        network.output.weight.zero_()
    with torch.autocast("cpu", torch.bfloat16):
        found = network(torch.zeros(1, 3, 4))[0]
        away = WeightsTask.compute_distance(
            SimpleNamespace(_root=torch.tensor([[3.0, 0.0], [0.0, 1.0]])),  # type: ignore[arg-type]
            torch.tensor([[[1 / 3, 0.0]]]),
            torch.zeros(1, 1, 2),
        )
    np.testing.assert_array_equal(found.detach().numpy(), np.broadcast_to(mean.numpy(), (1, 3, 2)))
    assert float(away) == pytest.approx(1.0, rel=1e-6)


def test_graded_triplets_are_what_they_say() -> None:
    embeddings = torch.tensor([[0.0], [1.0], [3.0], [2.0]])
    apart = torch.tensor([[0.0, 1.0, 2.0, 5.0], [1.0, 0.0, 1.0, 4.0], [2.0, 1.0, 0.0, 3.0], [5.0, 4.0, 3.0, 0.0]])
    total, teaching = 0.0, 0
    for a in range(4):
        for p in range(4):
            for n in range(4):
                if len({a, p, n}) == 3 and apart[a, p] < apart[a, n]:
                    near, far = (float((embeddings[a] - embeddings[i]).square()) for i in (p, n))
                    loss = max(near - far + 0.2 * float(apart[a, n] - apart[a, p]), 0.0)
                    total, teaching = total + loss, teaching + (loss > 0)
    assert teaching > 3
    assert float(graded_triplet_loss(embeddings, apart, 0.2)) == pytest.approx(total / teaching, rel=1e-5)
    # An embedding that orders all by their distances, far enough apart, has nothing to learn.
    line = torch.tensor([[0.0], [1.0], [2.0], [4.0]])
    assert float(graded_triplet_loss(line, torch.cdist(line, line), 0.2)) == 0.0


@pytest.mark.parametrize(("frames", "said"), [(1, set()), (2, set()), (6, {"unlike"})])
def test_where_hardly_a_frame_is_kept_for_validation_nothing_is_said_of_it(frames: int, said: set[str]) -> None:
    def frames_of(count: int) -> Frames:
        made = make_frames([np.arange(count) / 30])
        pictures = [RANDOM.integers(0, 255, (count, 1, 8, 8)).astype(np.uint8)]
        return replace(made, pictures=pictures, weights=RANDOM.random((count, 2)).astype(np.float32))

    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 3))
    still = Augmentation(0.0, 0.0, 0.0, 0.0, 0.0)
    task = GradedTask(network, frames_of(8), frames_of(frames), np.eye(2, dtype=np.float32), Whitening(0.5, 0.2), still)
    found = task.evaluate()
    assert set(found) == said and np.isfinite(list(found.values())).all()
