"""Expressions that nobody performed: authored, learned, told, shaped, and put on a character."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.generate.authored.emotions import CHANNELS_OF_UNIT, EMOTIONS, EXPRESSIONS
from facecap_addon.generate.authored.synthesis import randomise_identity, synthesise, synthesise_set
from facecap_addon.generate.bu4dfe import read_bnd, read_bnd_folder
from facecap_addon.generate.edits import concatenate, retime, scale_intensity, settle
from facecap_addon.generate.learned.generator import find_shipped, generate_sequence, load_generator
from facecap_addon.generate.learned.identity import fit_sequence
from facecap_addon.generate.sequence import (
    FRAMES,
    LandmarkSequence,
    load_sequence,
    save_sequence,
    to_displacements,
    to_steps,
)
from facecap_addon.generate.solve_weights import make_take
from facecap_addon.generate.statistics import FEATURES, compare_features, measure_extrapolation, measure_features
from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.rig.embedding import landmark_geometry
from tests.unit.generate.actors import actor
from tests.unit.sample import sample


def furthest_mm(displacements: np.ndarray) -> float:
    return 1000 * float(np.linalg.norm(displacements, axis=-1).max())


def test_units_name_channels_that_exist() -> None:
    assert set(EMOTIONS) == set(EXPRESSIONS)
    for emotion in EMOTIONS.values():
        assert {unit.number for unit in emotion.units} <= set(CHANNELS_OF_UNIT)
    for channels in CHANNELS_OF_UNIT.values():
        for pattern in channels:
            assert pattern.replace("*", "Left") in ARKIT_CHANNELS


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_authored_sequences_begin_and_end_in_neutral(expression: str) -> None:
    for seed in range(3):
        made = synthesise(actor(), expression, seed)
        assert made.displacements.shape == (FRAMES, 83, 3)
        assert furthest_mm(made.displacements[0]) < 0.05
        assert furthest_mm(made.displacements[-1]) < 0.5
        assert 4.0 < furthest_mm(made.displacements) < 60.0
        # Natural motion has no jumps: from frame to frame no landmark goes further than 3 mm.
        assert furthest_mm(np.diff(made.displacements, axis=0)) < 5.0


def test_people_and_seeds_differ_and_are_repeatable() -> None:
    first, again, other = (synthesise(actor(), "happiness", seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.displacements, again.displacements)
    assert furthest_mm(first.displacements - other.displacements) > 1.0
    assert furthest_mm(first.rest - other.rest) > 2.0
    # One person is the same person in every expression.
    np.testing.assert_array_equal(first.rest, synthesise(actor(), "anger", 1).rest)


def test_other_proportions_stay_a_symmetric_face() -> None:
    from facecap_addon.landmarks.layout import BU_83

    me = actor()
    for seed in range(5):
        someone = randomise_identity(me, np.random.default_rng(seed))
        reflected = someone.rest[BU_83.mirror] * (-1, 1, 1)
        before = np.abs(me.rest[BU_83.mirror] * (-1, 1, 1) - me.rest).max()
        assert np.abs(reflected - someone.rest).max() < before + 0.003


def test_steps_and_displacements_are_inverse() -> None:
    made = synthesise(actor(), "surprise", 0).displacements
    steps = to_steps(made)
    assert steps.shape == (FRAMES, 249) and not steps[0].any()
    np.testing.assert_allclose(to_displacements(steps), made - made[0], atol=1e-6)
    longer = to_steps(made[:50])
    assert longer.shape == steps.shape and not longer[50:].any()


def test_other_layouts_and_rates_become_what_is_learned() -> None:
    from facecap_addon.generate.sequence import prepare_sequence
    from facecap_addon.landmarks.layout import mediapipe_of

    random = np.random.default_rng(0)
    time_s = np.arange(61) / 60
    shape = random.normal(scale=0.01, size=(478, 3))
    moved = (np.sin(3 * time_s)[:, None, None] * shape).astype(np.float32)
    rest = random.normal(size=(478, 3)).astype(np.float32)
    found = prepare_sequence(LandmarkSequence("mediapipe-478", rest, moved, 60.0))
    assert found.scheme == "bu-83" and found.fps == 25.0 and found.frame_count == 26
    wanted = np.sin(3 * found.time_s)[:, None, None] * shape[mediapipe_of("bu-83")]
    np.testing.assert_allclose(found.displacements, wanted, atol=2e-5)
    with pytest.raises(FacecapError, match="cannot be learned"):
        prepare_sequence(LandmarkSequence("ibug-68", rest[:68], moved[:, :68]))


def test_sequences_survive_the_disk(tmp_path: Path) -> None:
    made = synthesise(actor(), "fear", 3)
    save_sequence(tmp_path / "a.landmarks.npz", made)
    found = load_sequence(tmp_path / "a.landmarks.npz")
    np.testing.assert_array_equal(found.displacements, made.displacements)
    assert (found.name, found.fps, found.facts) == (made.name, made.fps, made.facts)
    (tmp_path / "b.landmarks.npz").write_bytes(b"nonsense")
    with pytest.raises(FacecapError, match="no landmark sequence"):
        load_sequence(tmp_path / "b.landmarks.npz")
    with pytest.raises(FacecapError, match="inconsistent"):
        LandmarkSequence("bu-83", made.rest, made.displacements[:, :5])


def test_a_drifting_end_is_led_back_without_a_jump() -> None:
    drift = np.linspace(0, 0.02, 135)[:, None, None] * np.ones((1, 83, 3))
    led = settle(drift, 25.0)
    assert furthest_mm(led[0]) == 0 and furthest_mm(led[-1]) < 1e-4
    assert np.abs(np.diff(led, 2, axis=0)).max() < 0.4e-3


def test_shaping_does_what_its_knobs_say() -> None:
    made = synthesise(actor(), "happiness", 0)
    assert furthest_mm(scale_intensity(made, 0.5).displacements) == pytest.approx(
        0.5 * furthest_mm(made.displacements), rel=1e-5
    )
    twice = retime(made, 2 * (FRAMES - 1) / made.fps)
    assert twice.frame_count == 2 * FRAMES - 1
    np.testing.assert_allclose(twice.displacements[::2], made.displacements, atol=1e-6)
    both = concatenate([made, synthesise(actor(), "anger", 0)], overlap_s=0.8)
    assert both.frame_count == 2 * FRAMES - 20 and both.name == "happiness-anger"
    np.testing.assert_array_equal(both.displacements[:100], made.displacements[:100])
    assert furthest_mm(both.displacements[-1]) < 0.5
    with pytest.raises(FacecapError, match="no time"):
        retime(made, 0.01)
    with pytest.raises(FacecapError, match="nothing to chain"):
        concatenate([], 0.5)


def write_bnd(folder: Path, points_mm: np.ndarray, first: int = 0) -> None:
    folder.mkdir(parents=True)
    for number, frame in enumerate(points_mm, first):
        lines = [f"{i} {x:.6f} {y:.6f} {z:.6f}" for i, (x, y, z) in enumerate(frame)]
        (folder / f"{number:03d}.bnd").write_text("\n".join(lines) + "\n")


def to_scanner(points: np.ndarray) -> np.ndarray:
    """Head space to that of the scans: millimetres, y up, z to the viewer."""
    return 1000 * np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1) + (3.0, -40.0, 900.0)


def test_bnd_folders_are_read_in_their_layout(tmp_path: Path) -> None:
    me = actor()
    for subject, seed in (("F001", 1), ("M002", 2)):
        made = synthesise(me, "happiness", seed)
        write_bnd(tmp_path / subject / "Happy", to_scanner(made.rest + made.displacements))
    found = read_bnd_folder(tmp_path, "happiness", me.rest)
    assert [s.facts["subject"] for s in found] == ["F001", "M002"]
    for sequence, seed in zip(found, (1, 2), strict=True):
        made = synthesise(me, "happiness", seed)
        wanted, got = (np.linalg.norm(d, axis=2) for d in (made.displacements, sequence.displacements))
        np.testing.assert_allclose(got, wanted, atol=2e-5)
        # Turned to head space: a smile goes up, not forward.
        assert np.abs(sequence.rest - made.rest).max() < 0.02


def test_damaged_bnd_folders_are_named(tmp_path: Path) -> None:
    me = actor()
    made = to_scanner(me.rest + synthesise(me, "anger", 0).displacements[:6])
    write_bnd(tmp_path / "F001" / "Angry", made)
    (tmp_path / "F001" / "Angry" / "003.bnd").unlink()
    with pytest.raises(FacecapError, match="from frame 2 to 4"):
        read_bnd_folder(tmp_path, "anger", me.rest)
    with pytest.raises(FacecapError, match=r"no \.bnd sequences of fear"):
        read_bnd_folder(tmp_path, "fear", me.rest)
    (tmp_path / "F001" / "Angry" / "003.bnd").write_text("1 2 3 4\n")
    with pytest.raises(FacecapError, match="no 83 landmarks"):
        read_bnd(tmp_path / "F001" / "Angry" / "003.bnd")
    shuffled = made[:, np.random.default_rng(0).permutation(83)]
    write_bnd(tmp_path / "other" / "F001" / "Sad", shuffled)
    with pytest.raises(FacecapError, match="another order"):
        read_bnd_folder(tmp_path / "other", "sadness", me.rest)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_shipped_generators_tell_bounded_stories_that_differ(expression: str) -> None:
    generator = load_generator(find_shipped(expression))
    assert generator.name == expression and generator.facts["data"] == "authored by code"
    told = [generate_sequence(generator, seed=seed) for seed in range(6)]
    for sequence in told:
        assert sequence.displacements.shape == (FRAMES, 83, 3)
        assert 3.0 < furthest_mm(sequence.displacements) < 60.0
        assert furthest_mm(sequence.displacements[0]) == 0
        assert furthest_mm(sequence.displacements[-1]) < 2.0
        assert furthest_mm(np.diff(sequence.displacements, axis=0)) < 6.0
    apart = [furthest_mm(a.displacements - b.displacements) for a in told for b in told if a is not b]
    assert min(apart) > 0.3
    # To a ten-thousandth of a millimetre: a network's products may be added up in another order.
    np.testing.assert_allclose(told[2].displacements, generate_sequence(generator, seed=2).displacements, atol=1e-7)
    same = [generate_sequence(generator, seed=seed, variation=0.0).displacements for seed in (0, 1)]
    np.testing.assert_allclose(same[0], same[1], atol=1e-7)


def test_each_expression_does_what_it_is_known_for() -> None:
    """Corners of the mouth, brows and jaw at the strongest moment, in head space (z is up)."""

    def at_apex(expression: str) -> np.ndarray:
        moved = generate_sequence(load_generator(find_shipped(expression)), seed=0, variation=0.0).displacements
        from facecap_addon.retarget.rigid_alignment import remove_head_motion, select_on_bone

        rest = load_generator(find_shipped(expression)).rest.astype(np.float64)
        face = remove_head_motion(rest, moved.astype(np.float64), select_on_bone("bu-83"))[0]
        return 1000 * face[np.linalg.norm(face, axis=2).sum(axis=1).argmax()]

    corners, chin, inner_brows = [48, 54], [75], [20, 21, 26, 35]
    happy, sad, surprised, angry = (at_apex(name) for name in ("happiness", "sadness", "surprise", "anger"))
    assert happy[corners, 2].mean() > 1.5 > -0.5 > sad[corners, 2].mean()
    assert surprised[chin, 2].mean() < -4.0
    assert surprised[inner_brows, 2].mean() > 1.5 > -0.5 > angry[inner_brows, 2].mean()


def test_hostile_generators_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    with pytest.raises(FacecapError, match="no generator"):
        load_generator(path)
    path.write_bytes(b"\x00" * 100)
    with pytest.raises(FacecapError):
        load_generator(path)
    whole = find_shipped("anger").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FacecapError):
        load_generator(path)
    path.write_bytes(whole.replace(b'"fps": 25.0', b'"fps": 2e99'))
    with pytest.raises(FacecapError, match="no generator"):
        load_generator(path)


@pytest.mark.parametrize("part", ["styles", "faces_mm"])
def test_what_a_generators_network_does_not_take_is_refused(tmp_path: Path, part: str) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(find_shipped("anger"))
    entry = next(entry for entry in model.metadata_props if entry.key == "facecap")
    facts = json.loads(entry.value)
    facts[part] = {"styles": [style[:-1] for style in facts["styles"]], "faces_mm": facts["faces_mm"][:249]}[part]
    entry.value = json.dumps(facts)
    (tmp_path / "anger.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(FacecapError, match="do not fit together"):
        load_generator(tmp_path / "anger.onnx")


def test_weights_of_a_character_are_found_again() -> None:
    """Landmarks that keys have moved are explained by these keys, on the same head."""
    found = sample()
    me = actor()
    names = ("mouthSmileLeft", "mouthSmileRight", "browInnerUp", "jawOpen", "eyeWideLeft")
    wanted = np.zeros((5, len(found.rig.channels)), np.float32)
    for frame, name in enumerate(names):
        wanted[frame, found.rig.channels.index(name)] = 0.6
    columns = [me.channels.index(c) for c in found.rig.channels]
    moved = np.tensordot(wanted, me.deltas[columns], axes=1)
    sequence = LandmarkSequence("bu-83", me.rest.astype(np.float32), moved.astype(np.float32))
    take = make_take(sequence, found.rig, found.embedding)
    _, deltas = landmark_geometry(found.rig, found.embedding)
    left = np.tensordot(take.weights - wanted, deltas, axes=1)
    assert 1000 * np.sqrt((left**2).sum(axis=2).mean()) < 0.35
    for frame, name in enumerate(names):
        assert take.weights[frame].argmax() == found.rig.channels.index(name), name
    assert (take.weights >= found.rig.ranges[:, 0] - 1e-6).all() and (
        take.weights <= found.rig.ranges[:, 1] + 1e-6
    ).all()


def test_a_network_learns_to_continue_and_not_to_drift(tmp_path: Path) -> None:
    """Seconds of the training that the shipped generators had minutes of: the same code, fewer sequences."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    from facecap_addon.generate.learned.lstm import STYLE
    from facecap_addon.generate.learned.training import (
        CLIP,
        FREE_SCHEDULE,
        SCHEDULE,
        FreeRunTask,
        NextStepTask,
        export_generator,
        seed_torch,
    )
    from facecap_addon.learn.engine.trainer import Options, train

    def ignore(*_: object) -> None:
        pass

    torch.set_num_threads(1)
    seed_torch(0)
    some = synthesise_set(actor(), "surprise", 20)
    task = NextStepTask(some[:16], some[16:], passes=4)
    options = Options(5, 0, 1e9, clip=CLIP)
    for name in ("forced", "free"):
        (tmp_path / name).mkdir()
    schedule = replace(SCHEDULE, epochs=12, decay_epochs=12)
    train(task, schedule, options, tmp_path / "forced", ignore, ignore)
    before = task.evaluate()
    straight, curved = measure_extrapolation(task.read_steps(some[16:]))
    assert before["relative_error"] < 0.8 * min(straight, curved)
    free = FreeRunTask(some[:16], some[16:], 1, monitor="energy_distance", initial_network=task.network)
    train(
        free,
        replace(FREE_SCHEDULE, epochs=4, decay_epochs=4),
        replace(options, batch=16),
        tmp_path / "free",
        ignore,
        ignore,
    )
    after = free.evaluate()
    assert after["energy_distance"] < 0.5 and after["end_mm"] < before["end_mm"]
    # A style brings back what belongs to it, small things as well: a face that was lopsided is.
    faces = np.stack([free.faces.measure(s.rest) for s in some[:16]])
    runs = free.run_freely(torch.from_numpy(free.read_styles()), torch.from_numpy(faces))
    led = [replace(s, displacements=to_displacements(run)) for s, run in zip(some, runs, strict=False)]
    shown, wanted = (
        measure_features(sequences) for sequences in (led, [fit_sequence(s, free.faces) for s in some[:16]])
    )
    assert compare_features(shown, wanted, permutations=0).distance < 0.3
    lopsided = [features[:, list(FEATURES).index("asymmetry")] for features in (shown, wanted)]
    assert np.corrcoef(lopsided)[0, 1] > 0.6 and lopsided[0].mean() > 0.75 * lopsided[1].mean()
    model, difference = export_generator(free, "surprise", {"data": "a test's"})
    assert difference < 1e-3
    path = tmp_path / "surprise.onnx"
    path.write_bytes(model)
    mine = load_generator(path)
    assert mine.facts["data"] == "a test's" and mine.styles.shape == (16, STYLE) and mine.faces is not None
    assert furthest_mm(generate_sequence(mine, seed=1).displacements[-1]) < 2.0
