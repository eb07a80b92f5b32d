"""Generate, retarget and shape keys as jobs and commands: files that fit together, and words for what cannot be."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.errors import FacecapError
from facecap_addon.generate.authored.synthesis import make_actor, synthesise
from facecap_addon.generate.sequence import load_sequence, save_sequence
from facecap_addon.jobs import generate, retarget
from facecap_addon.jobs.runtime.blender_process import BlenderHook
from facecap_addon.jobs.settings.generate import GenerateSettings, TrainGeneratorSettings
from facecap_addon.jobs.settings.retarget import RetargetSettings
from facecap_addon.jobs.settings.shape_keys import ShapeKeysSettings
from facecap_addon.jobs.steps.character import embedding_of
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.retarget.rigid_alignment import fit_rigid_motion
from facecap_addon.rig.blendshapes import BlendshapeRig, load_rig, save_rig
from facecap_addon.rig.placement import find_face
from facecap_addon.takes.formats.point_cache import read_point_cache
from facecap_addon.takes.merge import rows_of
from facecap_addon.takes.npz import load_take, save_take
from tests.jobs.solving import facecap, half_written, run
from tests.once import made_once, shared_folder
from tests.unit.sample import sample

ROOT = Path(__file__).resolve().parents[2]
TAKE = ROOT / "sample_scenes" / "take_01.npz"
KEPT = ".characters.facecap"


@pytest.fixture
def bare_head(models: Path, tmp_path: Path) -> Path:
    """The sample head without its keys, narrower, as a rig file."""
    return without_keys(tmp_path)


@pytest.fixture
def placed_head(models: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, beside which an earlier job into `tmp_path` has left its landmarks."""

    def place(folder: Path) -> None:
        rig = load_rig(without_keys(folder))
        embedding_of(rig, open_landmarker(), folder / KEPT)

    shared = made_once(shared_folder(tmp_path_factory) / "bare-head", place)
    shutil.copytree(shared / KEPT, tmp_path / KEPT)
    return Path(shutil.copy(shared / "bare.npz", tmp_path))


def without_keys(folder: Path) -> Path:
    rig = sample().rig
    path = folder / "bare.npz"
    save_rig(
        path,
        replace(
            rig,
            neutral=(rig.neutral * np.float32(0.93)).astype(np.float32),
            deltas=np.zeros((0, rig.vertex_count, 3), np.float32),
            channels=(),
            ranges=np.zeros((0, 2), np.float32),
            name="Bare",
        ),
    )
    return path


def test_an_expression_becomes_keys_of_the_sample_head(models: Path, tmp_path: Path) -> None:
    facts = run("generate", GenerateSettings(expressions="happiness", out=tmp_path, seed=4, blend=False))
    take = load_take(Path(str(facts["take"])))
    smile = [take.channels.index(f"mouthSmile{side}") for side in ("Left", "Right")]
    assert take.frame_count == 135 and take.weights[:, smile].max(axis=0).min() > 0.3
    assert np.abs(take.weights[[0, -1]]).max() < 0.08
    lids = [take.channels.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    assert take.weights[:, lids].max() > 0.8 and take.gaze_rad.any()
    still = GenerateSettings(
        expressions="happiness", out=tmp_path, seed=4, blend=False, blinks=False, gaze=False, breathing=False
    )
    calm = load_take(Path(str(run("generate", still)["take"])))
    assert calm.weights[:, lids].max() < 0.6 and not calm.gaze_rad.any()
    np.testing.assert_array_equal(calm.weights[:, smile], take.weights[:, smile])
    assert Path(str(facts["landmarks"])).is_file() and Path(str(facts["picture"])).is_file()
    assert (tmp_path / "happiness-4.livelink.csv").is_file()
    assert not half_written(tmp_path)


def two_meshes(tmp_path: Path) -> tuple[Path, BlenderHook, list[dict[str, Any]]]:
    """A .blend whose likeliest mesh by its keys shows no face, and whose second is the sample head; what is asked."""
    blend, asked = tmp_path / "two.blend", list[dict[str, Any]]()
    blend.write_bytes(b"two meshes")
    corners = np.eye(3, dtype=np.float32)
    flat = BlendshapeRig(corners, np.array([[0, 1, 2]], np.int32), corners[None], ("jawOpen",), np.float32([[0, 1]]))

    def hook(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        if request["do"] != "extract":
            return {"notes": []}
        head = request.get("object") == "Head"
        save_rig(Path(request["out"]), replace(sample().rig, name="Head") if head else replace(flat, name="Cloth"))
        return {"notes": [], "others": [] if head else ["Head"], "libraries": []}

    return blend, hook, asked


@pytest.mark.parametrize("name", ["generate", "retarget"])
def test_of_several_meshes_the_one_that_looks_like_a_face_is_moved_and_that_is_said(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(find_face, "_DIRECTIONS", 4)  # a long look from everywhere is taken in test_find_face
    blend, hook, asked = two_meshes(tmp_path)
    out = tmp_path / "out"
    settings: Any = (
        GenerateSettings(expressions="fear", out=out, character=str(blend), duration_s=0.5)
        if name == "generate"
        else RetargetSettings(motion=short_take(tmp_path), out=out, character=str(blend), source=None)
    )
    job = generate.run if name == "generate" else retarget.run
    lines = ended(job(settings, blender_hook=hook)).lines
    assert any("Chose the mesh “Head”: no face is seen on “Cloth”" in line for line in lines)
    assert asked[-1]["do"] in ("bake", "play_points") and asked[-1]["object"] == "Head"


def short_take(tmp_path: Path) -> Path:
    path = tmp_path / "short.take.npz"
    save_take(path, rows_of(load_take(TAKE), np.arange(load_take(TAKE).frame_count) < 4))
    return path


def ended(job: Any) -> Any:
    while True:
        try:
            next(job)
        except StopIteration as stop:
            return stop.value


def test_seed_intensity_duration_and_chains_reach_the_landmarks(models: Path, tmp_path: Path) -> None:
    def told(**given: object) -> np.ndarray:
        settings = GenerateSettings(out=tmp_path, blend=False, **given)  # type: ignore[arg-type]
        return load_sequence(Path(str(run("generate", settings)["landmarks"]))).displacements

    plain = told(expressions="anger", seed=1)
    assert np.abs(plain - told(expressions="anger", seed=2)).max() > 3e-4
    np.testing.assert_allclose(told(expressions="anger", seed=1, intensity=0.5), 0.5 * plain, atol=1e-6)
    assert len(told(expressions="anger", seed=1, duration_s=2.0)) == 51
    # The same name and number, but other performances: none replaces another.
    kept = [load_sequence(path).displacements for path in sorted(tmp_path.glob("anger-1*.landmarks.npz"))]
    assert len(kept) == 3 and any(np.array_equal(one, plain) for one in kept if one.shape == plain.shape)
    assert len(told(expressions="anger, happiness", seed=1, overlap_s=1.0, repeat=2)) == 4 * 135 - 3 * 25


def test_a_head_without_keys_follows_as_a_point_cache(placed_head: Path, tmp_path: Path) -> None:
    facts = run("generate", GenerateSettings(expressions="surprise", out=tmp_path, character=str(placed_head)))
    assert facts["take"] is None
    cache = read_point_cache(Path(str(facts["points"])))
    rest = load_rig(placed_head).neutral
    assert cache.positions.shape == (135, len(rest), 3)
    np.testing.assert_allclose(cache.positions[0], rest, atol=1e-5)
    moved = np.linalg.norm(cache.positions - rest, axis=2)
    assert 0.005 < moved.max() < 0.06
    with pytest.raises(FacecapError, match="no shape keys"):
        run("generate", GenerateSettings(expressions="fear", out=tmp_path, character=str(placed_head), motion="keys"))


def test_a_take_moves_another_head(placed_head: Path, tmp_path: Path) -> None:
    settings = RetargetSettings(motion=TAKE, out=tmp_path, character=str(placed_head), points="mdd", head=False)
    facts = run("retarget", settings)
    take, rig = load_take(TAKE), sample().rig
    cache = read_point_cache(Path(str(facts["points"])))
    assert len(cache.positions) == take.frame_count
    assert cache.time_s is not None
    np.testing.assert_allclose(np.diff(cache.time_s).mean(), np.diff(take.time_s).mean(), rtol=1e-3)
    # The other head is the same face, smaller: it does what the face does, in proportion.
    columns = [rig.channels.index(c) for c in take.channels if c in rig.channels]
    weights = np.zeros((take.frame_count, len(rig.channels)), np.float32)
    weights[:, columns] = take.weights[:, [take.channels.index(rig.channels[k]) for k in columns]]
    frame = int(weights.sum(axis=1).argmax())
    wanted = 0.93 * (weights[frame] @ rig.deltas.reshape(len(weights[0]), -1)).reshape(-1, 3)
    found = cache.positions[frame] - load_rig(placed_head).neutral
    lively = np.linalg.norm(wanted, axis=1) > 0.002
    assert lively.sum() > 100
    error = np.linalg.norm((found - wanted)[lively], axis=1)
    assert np.median(error) < 0.35 * np.median(np.linalg.norm(wanted[lively], axis=1))


def test_a_take_turns_another_head_as_the_actor_turned(placed_head: Path, tmp_path: Path) -> None:
    take, rest = load_take(TAKE), load_rig(placed_head).neutral.astype(np.float64)
    settings = RetargetSettings(motion=TAKE, out=tmp_path, character=str(placed_head), blend=False)
    cache = read_point_cache(Path(str(run("retarget", settings)["points"])))
    skull = rest[:, 2] > np.quantile(rest[:, 2], 0.97)  # the crown, which no expression moves
    turned, _ = fit_rigid_motion(rest[skull], np.asarray(cache.positions[:], np.float64)[:, skull])
    quaternions = take.head_rotation_wxyz[:, [1, 2, 3, 0]]
    true = Rotation.from_quat(quaternions[take.solved].astype(np.float64))
    found = Rotation.from_matrix(turned[take.solved])
    # Between frames the two turn by the same angle, whatever axes they are told in.
    angle = np.degrees((true[0].inv() * true).magnitude())
    assert angle.max() > 3
    np.testing.assert_allclose(np.degrees((found[0].inv() * found).magnitude()), angle, atol=1.5)


def test_landmarks_of_ones_own_move_a_head(models: Path, tmp_path: Path) -> None:
    found = sample()
    sequence = synthesise(make_actor(found.rig, found.embedding), "sadness", 3)
    save_sequence(tmp_path / "mine.landmarks.npz", sequence)
    settings = RetargetSettings(
        motion=tmp_path / "mine.landmarks.npz", out=tmp_path, kernel="gaussian", sigma_mm=15.0, head=False, blend=False
    )
    plain = read_point_cache(Path(str(run("retarget", settings)["points"]))).positions[:]
    each = read_point_cache(Path(str(run("retarget", replace(settings, each_frame=True))["points"]))).positions
    moved = np.abs(plain - plain[0]).max()
    assert 0.002 < moved < 0.03
    assert 0 < np.abs(each - plain).max() < 0.5 * moved


def test_a_bare_head_gets_keys(bare_head: Path, tmp_path: Path) -> None:
    facts = run(
        "shape-keys",
        ShapeKeysSettings(
            character=str(bare_head),
            out=tmp_path,
            only="jawOpen, mouthClose, eyeBlinkLeft, eyeBlinkRight",
            strengths="jawOpen=1.5",
            symmetric=True,
        ),
    )
    made = load_rig(Path(str(facts["rig"])))
    assert made.channels == ("jawOpen", "mouthClose", "eyeBlinkLeft", "eyeBlinkRight")
    truth = sample().rig
    for name, delta in zip(made.channels, made.deltas, strict=True):
        wanted = 0.93 * truth.deltas[truth.channels.index(name)]
        cosine = (delta * wanted).sum() / np.sqrt((delta**2).sum() * (wanted**2).sum())
        assert cosine > 0.85, name
    jaw = [np.linalg.norm(d) for d in (made.deltas[0], 0.93 * truth.deltas[truth.channels.index("jawOpen")])]
    assert 1.25 < jaw[0] / jaw[1] < 1.6
    assert Path(str(facts["sheet"])).stat().st_size > 10_000
    left, right = (np.linalg.norm(made.deltas[made.channels.index(f"eyeBlink{side}")]) for side in ("Left", "Right"))
    assert left == pytest.approx(right, rel=1e-2)
    with pytest.raises(FacecapError, match="no key called smirk"):
        run("shape-keys", ShapeKeysSettings(character=str(bare_head), out=tmp_path, only="smirk"))
    with pytest.raises(FacecapError, match="no strength"):
        run("shape-keys", ShapeKeysSettings(character=str(bare_head), out=tmp_path, strengths="jawOpen=much"))


def test_a_mesh_without_a_face_is_refused_and_nothing_is_left(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_face, "_DIRECTIONS", 4)  # a long look from everywhere is taken in test_find_face
    x, y = np.meshgrid(np.linspace(-0.1, 0.1, 12), np.linspace(-0.1, 0.1, 12), indexing="ij")
    vertices = np.stack([x, 0 * x, y], -1).reshape(-1, 3).astype(np.float32)
    cell = (np.arange(11)[:, None] * 12 + np.arange(11)).ravel()
    triangles = np.concatenate([np.stack([cell, cell + 12, cell + 13], 1), np.stack([cell, cell + 13, cell + 1], 1)])
    none = np.zeros((0, len(vertices), 3), np.float32)
    plane = BlendshapeRig(vertices, triangles.astype(np.int32), none, (), np.zeros((0, 2), np.float32))
    save_rig(tmp_path / "plane.npz", plane)
    out = tmp_path / "out"
    for name, settings in (
        ("shape-keys", ShapeKeysSettings(character=str(tmp_path / "plane.npz"), out=out)),
        ("retarget", RetargetSettings(motion=TAKE, character=str(tmp_path / "plane.npz"), out=out)),
    ):
        with pytest.raises(FacecapError):
            run(name, settings)
    assert not list(out.glob("*.npz")) and not list(out.glob("*.pc2"))


def test_the_commands_say_what_is_wrong(models: Path, tmp_path: Path) -> None:
    done = facecap("generate", "joy", "--out", str(tmp_path))
    assert done.returncode == 2 and "no expression called joy" in done.stderr
    done = facecap("generate", "anger", "--generators", str(tmp_path), "--out", str(tmp_path))
    assert done.returncode == 2 and "There is no generator anger.onnx" in done.stderr
    done = facecap("retarget", str(tmp_path / "none.landmarks.npz"))
    assert done.returncode == 2
    done = facecap("generate", "disgust", "--out", str(tmp_path), "--no-blend", "--json")
    last = json.loads(done.stdout.splitlines()[-1])
    assert last["event"] == "result" and last["result"]["take"].endswith("disgust-0.take.npz")


def test_a_generator_is_trained_by_command_and_used(models: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    settings = TrainGeneratorSettings(
        expression="anger",
        out=tmp_path / "mine",
        subjects=6,
        validation_subjects=2,
        test_subjects=2,
        epochs=4,
        free_epochs=2,
    )
    facts = run("train-generator", settings)
    assert any("2 sequences in" in line for line in facts["lines"])  # type: ignore[attr-defined]
    assert any("Test subjects: squared error" in line for line in facts["lines"])  # type: ignore[attr-defined]
    assert Path(str(facts["generator"])).is_file() and Path(str(facts["picture"])).is_file()
    assert (tmp_path / "mine" / "anger.log.jsonl").read_text().count("\n") == 3
    # What was finished is not done again, and ends the same.
    before = Path(str(facts["generator"])).read_bytes()
    run("train-generator", settings)
    assert Path(str(facts["generator"])).read_bytes() == before
    told = run(
        "generate", GenerateSettings(expressions="anger", out=tmp_path, generators=tmp_path / "mine", blend=False)
    )
    assert load_sequence(Path(str(told["landmarks"]))).frame_count == 135


def test_a_generator_learns_from_takes(models: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("onnx")
    takes = tmp_path / "takes"
    takes.mkdir()
    for seed in range(4):
        run("generate", GenerateSettings(expressions="happiness", out=tmp_path, seed=seed, blend=False))
        (tmp_path / f"happiness-{seed}.take.npz").rename(takes / f"{seed}.take.npz")
    settings = TrainGeneratorSettings(
        expression="happiness",
        data=takes,
        out=tmp_path / "mine",
        validation_subjects=1,
        test_subjects=0,
        epochs=2,
        free_epochs=0,
    )
    facts = run("train-generator", settings)
    assert any("over 3 sequences" in line for line in facts["lines"])  # type: ignore[attr-defined]
    # One that is longer than the window is cut, which is said; one that begins in the middle of a smile and stays there
    # is refused.
    whole = load_take(takes / "0.take.npz")
    twice = replace(whole, time_s=whole.time_s * 2.0)
    save_take(takes / "0.take.npz", twice)
    lines = run("train-generator", replace(settings, out=tmp_path / "cut"))["lines"]
    assert any("0.take.npz is longer than 5.4 s" in line for line in lines)  # type: ignore[attr-defined]
    apex = np.full(len(whole.time_s), whole.weights.sum(axis=1).argmax())
    smiling = replace(whole, weights=whole.weights[apex], jaw=whole.jaw[apex] if len(whole.jaw) else whole.jaw)
    save_take(takes / "0.take.npz", smiling)
    with pytest.raises(FacecapError, match=r"0\.take\.npz is never neutral"):
        run("train-generator", replace(settings, out=tmp_path / "refused"))
    with pytest.raises(FacecapError, match=r"no \.bnd sequences"):
        run("train-generator", replace(settings, data=tmp_path / "mine", out=tmp_path / "other"))
