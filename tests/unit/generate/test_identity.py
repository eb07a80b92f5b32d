"""Faces that move as they are: authored so, told apart by a few numbers, learned, and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facecap_addon.generate.authored.proportions import Proportions, Shaper, draw_proportions, measure_coupling
from facecap_addon.generate.authored.synthesis import synthesise, synthesise_set
from facecap_addon.generate.learned.generator import StepByStep, find_shipped, generate_sequence, load_generator
from facecap_addon.generate.learned.identity import COUNT, fit_sequence, fit_size, learn_faces
from facecap_addon.generate.sequence import LandmarkSequence, to_steps
from facecap_addon.generate.statistics import measure_extrapolation
from facecap_addon.landmarks.layout import BU_83
from facecap_addon.retarget.rigid_alignment import remove_head_motion, select_on_bone
from tests.unit.generate.actors import actor

AVERAGE = Proportions(np.ones(3), np.zeros((3, 6)), 0.0, 0.0, 0.0)
CORNERS = [48, 54]


def widen_mm(sequence: LandmarkSequence) -> float:
    """How far the corners of the mouth part at most, the head's motion left out."""
    rest = sequence.rest.astype(np.float64)
    face = remove_head_motion(rest, sequence.displacements.astype(np.float64), select_on_bone("bu-83"))[0]
    return 1000 * float((face[:, CORNERS[1], 0] - face[:, CORNERS[0], 0]).max())


def wide_and_narrow() -> tuple[np.ndarray, np.ndarray]:
    shaper = Shaper(actor().rest, "bu-83")
    wide, narrow = (shaper.move(actor().rest, replace(AVERAGE, mouth=mouth)) for mouth in (1.8, -1.8))
    return wide, narrow


def test_proportions_change_what_they_are_named_for() -> None:
    me = actor()
    shaper = Shaper(me.rest, me.scheme)
    np.testing.assert_allclose(shaper.move(me.rest, AVERAGE), me.rest, atol=1e-12)
    width = [face[54, 0] - face[48, 0] for face in wide_and_narrow()]
    assert width[0] > 1.3 * width[1]
    high = shaper.move(me.rest, replace(AVERAGE, brows=1.0)) - me.rest
    assert 1e3 * high[list(BU_83.brow_right), 2].mean() > 1.5 > 1e3 * np.abs(high[CORNERS]).max()
    long = shaper.move(me.rest, replace(AVERAGE, jaw=1.0)) - me.rest
    assert 1e3 * long[75, 2] < -2.0 and 1e3 * np.abs(long[list(BU_83.brow_left)]).max() < 0.1
    # The derivative is that of the motion, where every proportion plays a part.
    someone = draw_proportions(np.random.default_rng(3))
    slope = shaper.differentiate(me.rest, someone)
    small = 1e-6 * np.random.default_rng(0).normal(size=me.rest.shape)
    moved = shaper.move(me.rest + small, someone) - shaper.move(me.rest, someone)
    np.testing.assert_allclose(np.einsum("lij,lj->li", slope, small), moved, atol=1e-10)


def test_expressions_go_with_the_face_that_shows_them() -> None:
    channels = actor().channels
    smile, brow, jaw = (channels.index(name) for name in ("mouthSmileLeft", "browInnerUp", "jawOpen"))
    np.testing.assert_allclose(measure_coupling(channels, AVERAGE), 1.0)
    assert measure_coupling(channels, replace(AVERAGE, mouth=1.0))[smile] == pytest.approx(np.exp(0.24))
    assert measure_coupling(channels, replace(AVERAGE, brows=1.0))[brow] == pytest.approx(np.exp(-0.26))
    assert measure_coupling(channels, replace(AVERAGE, jaw=-1.0))[jaw] == pytest.approx(np.exp(-0.24))
    # The same subject shows an expression in many ways, but with one face.
    first, again = (synthesise(actor(), "happiness", 4, performance) for performance in (0, 1))
    np.testing.assert_array_equal(first.rest, again.rest)
    assert np.abs(first.displacements - again.displacements).max() > 1e-3


def test_faces_are_told_apart_whatever_their_size_and_place() -> None:
    faces = learn_faces(synthesise_set(actor(), "anger", 80))
    someone = synthesise(actor(), "anger", 200).rest
    numbers = faces.measure(someone)
    assert numbers.shape == (COUNT,) and np.abs(numbers).max() > 0.5
    np.testing.assert_allclose(faces.measure(4.0 * someone + 0.3), numbers, atol=1e-3)
    fitted = fit_size(someone, faces.mean)[0]
    nearest, mean = (
        np.sqrt(((face - fitted) ** 2).sum(axis=1).mean()) for face in (faces.restore(numbers), faces.mean)
    )
    assert nearest < 0.4 * mean
    np.testing.assert_allclose(faces.measure(faces.mean), 0.0, atol=1e-3)
    # A face like none that was learned is held at the border of what was.
    assert np.abs(faces.measure(someone * (3.0, 1.0, 0.4))).max() == pytest.approx(2.5)


def test_one_actor_alone_teaches_nothing_of_identity() -> None:
    takes = [replace(synthesise(actor(), "fear", 1, k)) for k in range(20)]
    assert not learn_faces(takes).components.any()


def test_sequences_of_giants_are_learned_at_the_size_of_all() -> None:
    made = synthesise_set(actor(), "anger", 9)
    faces = learn_faces(made)
    giant = replace(made[0], rest=3 * made[0].rest, displacements=3 * made[0].displacements)
    one, other = fit_sequence(made[0], faces), fit_sequence(giant, faces)
    np.testing.assert_allclose(one.displacements, other.displacements, atol=1e-6)
    np.testing.assert_allclose(one.rest, other.rest, atol=1e-6)


def test_styles_say_nothing_that_faces_say() -> None:
    """A style that followed the face it was learned on would bring that face's ways onto another one."""
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from facecap_addon.generate.learned.training import NextStepTask

    task = NextStepTask(synthesise_set(actor(), "happiness", 40), [], passes=1)
    identities = np.stack([task.faces.measure(s.rest) for s in task.train_sequences])
    assert np.ptp(identities, axis=0)[0] > 1
    styles = task.read_styles()
    assert styles.std(axis=0).max() > 0.5
    np.testing.assert_allclose(identities.T @ styles, 0.0, atol=2e-3)
    np.testing.assert_allclose(styles.sum(axis=0), 0.0, atol=2e-3)


def test_two_heads_smile_differently_and_as_such_heads_do() -> None:
    generator = load_generator(find_shipped("happiness"))
    assert generator.faces is not None
    wide, narrow = wide_and_narrow()
    shown = [[generate_sequence(generator, seed=seed, rest=face) for seed in range(4)] for face in (wide, narrow)]
    widths = [np.mean([widen_mm(sequence) for sequence in sequences]) for sequences in shown]
    mouths = [face[54, 0] - face[48, 0] for face in (shown[0][0].rest, shown[1][0].rest)]
    # A wide mouth goes further even for its width, which scaling alone would not give.
    assert widths[0] / widths[1] > 1.15 * mouths[0] / mouths[1]
    np.testing.assert_allclose(shown[0][0].rest, generator.faces.restore(generator.faces.measure(wide)), atol=1e-6)


@pytest.mark.parametrize("expression", ["surprise", "sadness"])
def test_the_next_step_is_told_better_than_by_extrapolation(expression: str) -> None:
    generator = load_generator(find_shipped(expression))
    assert generator.faces is not None
    made = [fit_sequence(synthesise(actor(), expression, seed), generator.faces) for seed in (2000, 2001, 2002)]
    steps = np.stack([to_steps(sequence.displacements) for sequence in made])
    wrong = whole = 0.0
    for sequence, own in zip(made, steps, strict=True):
        run = StepByStep(
            generator, np.zeros(generator.styles.shape[1], np.float32), generator.faces.measure(sequence.rest)
        )
        told = np.stack([run.follow(step) for step in own[:-1]])
        wrong += float(((told - own[1:]) ** 2).sum())
        whole += float((own[1:] ** 2).sum())
    assert wrong / whole < 0.7 * min(measure_extrapolation(steps))


def write_old_generator(path: Path) -> None:
    """A file as it was before faces were told apart: a step, two memories, a style and a signal to begin."""
    torch = pytest.importorskip("torch")
    onnx = pytest.importorskip("onnx")
    from facecap_addon.learn.export.onnx_export import to_onnx

    class OldStep(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(249, 6, 3, batch_first=True)
            self.dense = torch.nn.Linear(6, 249)
            self.start = torch.nn.Linear(8, 36, bias=False)

        def forward(self, step: Any, h: Any, c: Any, style: Any, first: Any) -> tuple[Any, ...]:
            h0, c0 = self.start(style).reshape(2, 3, 1, 6).unbind(0)
            out, (h, c) = self.lstm(step, (h + first * (torch.tanh(h0) - h), c + first * (c0 - c)))
            return self.dense(out), h, c

    torch.manual_seed(0)
    inputs = {
        "step": torch.randn(1, 1, 249),
        **{name: torch.randn(3, 1, 6) for name in ("h", "c")},
        "style": torch.randn(1, 8),
        "first": torch.zeros(1),
    }
    model = onnx.load_from_string(to_onnx(OldStep(), inputs, ("next", "h_after", "c_after")))
    facts: dict[str, Any] = {
        "name": "anger",
        "scheme": "bu-83",
        "fps": 25.0,
        "frames": 20,
        "rest_m": actor().rest.ravel().tolist(),
    }
    facts["styles"] = np.random.default_rng(0).normal(size=(4, 8)).tolist()
    entry = model.metadata_props.add()
    entry.key, entry.value = "facecap", json.dumps(facts)
    path.write_bytes(model.SerializeToString())


def test_generators_of_older_versions_still_speak(tmp_path: Path) -> None:
    write_old_generator(tmp_path / "anger.onnx")
    old = load_generator(tmp_path / "anger.onnx")
    assert old.faces is None
    told = [generate_sequence(old, seed=1, rest=rest) for rest in (None, wide_and_narrow()[0])]
    assert told[0].displacements.shape == (20, 83, 3) and np.abs(told[0].displacements).max() > 1e-5
    # It moves all faces alike, as its own mean one; what places it on a character scales it.
    np.testing.assert_array_equal(told[0].displacements, told[1].displacements)
    np.testing.assert_array_equal(told[1].rest, old.rest)
