"""`--free-epochs 0`: what Seo and Luo describe, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facecap_addon.generate.authored.synthesis import synthesise_set
from facecap_addon.generate.learned.generator import StepByStep, generate_sequence, load_generator, run_freely
from tests.unit.generate.actors import actor


def test_the_papers_training_has_no_noise_no_styles_and_begins_empty(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from facecap_addon.generate.learned.training import PAPER_SCHEDULE, NextStepTask, export_generator, seed_torch

    assert PAPER_SCHEDULE.constant_lr and PAPER_SCHEDULE.rate == 1e-3 and PAPER_SCHEDULE.epochs == 10_000
    seed_torch(0)
    task = NextStepTask(synthesise_set(actor(), "surprise", 18)[:16], [], passes=1, as_paper=True)
    batch = task.load_batch(np.arange(5))
    losses = [task.compute_loss(task.network, batch, 1.0, torch.Generator().manual_seed(k)).item() for k in (0, 1)]
    assert losses[0] == losses[1]  # nothing is left to chance

    # Σ ‖y_t − x_{t+1}‖² of a plain LSTM from an empty memory, whose first input is the neutral face.
    network = task.predictor
    names = dict(network.named_parameters())
    assert {name.split(".")[0] for name in names} == {"lstm", "dense"}
    assert tuple(names["lstm.weight_ih_l0"].shape) == (512, 249) and "lstm.weight_ih_l2" in names
    steps = torch.from_numpy(batch[1])
    identities = torch.from_numpy(np.stack([task.faces.measure(s.rest) for s in task.train_sequences[:5]]))
    heard = steps.clone()
    heard[:, 0] = 0.1 * identities @ network.faces
    with torch.no_grad():
        told = network.dense(network.lstm(heard)[0])
    wanted = torch.cat([steps[:, 1:], 0 * steps[:, :1]], dim=1)
    assert losses[0] == pytest.approx(float(((told - wanted) ** 2).sum() / 5), rel=1e-5)
    assert identities.abs().max() > 0.3

    # In use it begins empty too: neither style nor seed makes a difference, the face does.
    model, _ = export_generator(task, "surprise", {})
    (tmp_path / "surprise.onnx").write_bytes(model)
    generator = load_generator(tmp_path / "surprise.onnx")
    told = [generate_sequence(generator, seed=seed).displacements for seed in (0, 1)]
    np.testing.assert_array_equal(told[0], told[1])
    faces = [generate_sequence(generator, rest=s.rest).displacements for s in task.train_sequences[:2]]
    assert np.abs(faces[0] - faces[1]).max() > 1e-6


def test_the_file_says_what_the_network_says() -> None:
    """Free runs and steps after someone else's, in training and from the file."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    import tempfile

    from facecap_addon.generate.learned.training import NextStepTask, export_generator, seed_torch

    seed_torch(0)
    some = synthesise_set(actor(), "fear", 18)
    task = NextStepTask(some[:16], [], passes=1)
    style = task.read_styles()[3]
    face = task.faces.measure(some[17].rest)
    freely = task.run_freely(torch.from_numpy(style[None]), torch.from_numpy(face[None]))[0]
    steps = task.read_steps(some[17:])
    with torch.no_grad():
        empty = torch.zeros(1, len(style))
        after = task.predictor.predict(torch.from_numpy(steps), empty, torch.from_numpy(face[None]))[0][0].numpy()
    model, _ = export_generator(task, "fear", {})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fear.onnx"
        path.write_bytes(model)
        generator = load_generator(path)
    np.testing.assert_allclose(run_freely(generator, style, 135, face), freely, atol=2e-3)
    run = StepByStep(generator, np.zeros(len(style), np.float32), face)
    np.testing.assert_allclose(np.stack([run.follow(step) for step in steps[0]]), after, atol=2e-3)
