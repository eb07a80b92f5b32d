"""From footage to a solver and back: training sets, training and solving with what comes out, through the jobs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from scipy.optimize import lsq_linear

from facecap_addon.errors import FacecapError
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.jobs.settings.dataset import DatasetSettings
from facecap_addon.jobs.settings.solve import SolveSettings
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.tracking.observe import observe
from facecap_addon.learn.data.training_set import open_set
from facecap_addon.solvers.face_keypoints import extract_face_keypoints
from facecap_addon.takes.formats.point_cache import read_point_cache, write_point_cache
from facecap_addon.takes.npz import load_take
from tests.jobs.solving import facecap, half_written, run, steps_of
from tests.patience import PATIENCE_S

pytest.importorskip("torch")
pytest.importorskip("safetensors")

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "sample_scenes" / "take_01.mp4"
CURVES = CLIP.with_suffix(".csv")


@pytest.fixture(scope="module")
def drawn(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of two short shots of the sample head, drawn by our own renderer."""
    folder = tmp_path_factory.mktemp("learn") / "set"
    run("dataset", DatasetSettings(folder=folder, draw_seconds=1.6))
    run("dataset", DatasetSettings(folder=folder, draw_seconds=1.0, seed=1, use="validation"))
    return folder


@pytest.fixture(scope="module")
def solver(drawn: Path) -> Path:
    """A solver that has hardly learned."""
    out = drawn.parent / "quick.facecap"
    facts = run("train", TrainSettings(folder=drawn, out=out, preset="preview", epochs=2))
    assert facts["solver"] == str(out)
    assert any("differs from the trained one by at most" in line for line in facts["lines"])
    # Two epochs teach next to nothing, and that is said plainly.
    assert any("is NOT better than a fast solve" in line for line in facts["lines"])
    assert "heads colored by their error" in Path(facts["report"]).read_text(encoding="utf-8")
    return out


def test_a_drawn_set_knows_its_truth(drawn: Path) -> None:
    training_set = open_set(drawn)
    assert [shot.frames for shot in training_set.shots] == [48, 30]
    assert [s.name for s in training_set.split_shots().validation] == ["drawn-0001"]
    rows = training_set.read_rows(training_set.shots[0])
    assert np.isfinite(rows.box).all() and rows.weights.max() > 0.3
    assert training_set.crop is not None
    left, top, width, height = training_set.crop
    assert (rows.box[:, 0] > left).all() and (rows.box[:, 3] < top + height).all()
    assert width * 240 / (height * 320) == pytest.approx(0.75, rel=0.01)
    assert (drawn / "sheet.png").is_file()


def test_a_shot_can_be_added_beside_one_whose_footage_is_gone(drawn: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    shutil.copytree(drawn, folder)
    (folder / "footage" / "drawn-0000.mp4").unlink()
    facts = json.loads((folder / "set.json").read_text())
    for shot in facts["shots"]:  # as in a set of an older version
        shot.update(size_px=None, side_size_px=None, rate_fps=None)
    (folder / "set.json").write_text(json.dumps(facts))
    lines = run("dataset", DatasetSettings(folder=folder, video=CLIP, curves=CURVES, end="1s"))["lines"]
    assert any(line.startswith("drawn-0000: ") and "Put the footage back" in line for line in lines)
    grown = open_set(folder)
    assert [shot.name for shot in grown.shots] == ["drawn-0000", "drawn-0001", "take_01-start-1s"]
    assert [shot.size_px for shot in grown.shots] == [None, (240, 320), open_footage(CLIP).size_px]
    assert grown.crop == open_set(drawn).crop and (folder / "sheet.png").is_file()
    (folder / "shots" / "drawn-0001.npz").write_bytes((folder / "shots" / "drawn-0000.npz").read_bytes())
    with pytest.raises(FacecapError, match="do not fit its frames"):
        grown.read_rows(grown.shots[1])


def test_eyes_and_nose_of_renders_are_where_a_solve_will_see_them(drawn: Path) -> None:
    training_set, landmarker = open_set(drawn), open_landmarker()
    shot = training_set.shots[0]
    footage = training_set.open_shot_footage(shot)
    seen = list(observe(read_frames(footage), landmarker))
    landmarks = np.stack([frame.landmarks_px for frame in seen])
    face = extract_face_keypoints(landmarks, footage.size_px, landmarker.scheme)[0]
    # A twentieth of a pixel: batches of frames may be looked at in other sizes.
    np.testing.assert_allclose(training_set.read_rows(shot).face, face, atol=0.05 / 320)


def test_a_trained_solver_solves_footage(solver: Path, drawn: Path, tmp_path: Path) -> None:
    video = drawn / "footage" / "drawn-0001.mp4"
    settings = SolveSettings(video=video, out=tmp_path, method=str(solver), blend=False, point_cache="pc2", report=True)
    facts = run("solve", settings)
    take = load_take(Path(facts["take"]))
    assert take.frame_count == 30 and take.solved.all()
    truth = open_set(drawn)
    rows = truth.read_rows(next(shot for shot in truth.shots if shot.name == "drawn-0001"))
    cache = read_point_cache(tmp_path / "drawn-0001.pc2")
    wanted = truth.rig.vertices_at(rows.weights)
    moving = np.linalg.norm(truth.rig.deltas, axis=2).max(0) > 5e-4
    apart = np.sqrt(((cache.positions - wanted)[:, moving] ** 2).sum(-1).mean())
    mean = np.sqrt(((wanted - wanted.mean(0))[:, moving] ** 2).sum(-1).mean())
    assert apart < 2 * mean  # two epochs teach little; nonsense would be ten times as far
    # The keys are the solver's own vertices, as nearly as keys inside their ranges can be.
    keys = truth.rig.deltas[:, moving].reshape(len(truth.rig.channels), -1).T.astype(np.float64)
    q, r = np.linalg.qr(keys)
    kept = truth.rig.vertices_at(take.weights)[:, moving]
    for row in (0, 14, 29):
        given = (cache.positions[row] - truth.rig.neutral)[moving].ravel().astype(np.float64)
        best = lsq_linear(r, q.T @ given, tuple(truth.rig.ranges.T.astype(np.float64)))
        nearest = np.sqrt(((keys @ best.x - given) ** 2).mean())
        found = np.sqrt(((kept[row] - cache.positions[row][moving]) ** 2).mean())
        assert found < 1.05 * nearest + 2e-5
    # The head is where it was drawn: before the camera, moving with the drawn head.
    assert np.nanmedian(take.residual_px) < 4.0
    assert not half_written(tmp_path)


def test_the_head_can_be_left_out(solver: Path, drawn: Path, tmp_path: Path) -> None:
    video, empty = tmp_path / "gone.mp4", range(10, 20)
    frames = [frame.image for frame in read_frames(open_footage(drawn / "footage" / "drawn-0001.mp4"))]
    write_video(video, [np.full_like(image, 90) if i in empty else image for i, image in enumerate(frames)])
    settings = SolveSettings(video=video, out=tmp_path, method=str(solver), head=False, blend=False, report=False)
    take = load_take(Path(run("solve", settings)["take"]))
    # A network has an answer for a wall, too: it is none.
    assert [i for i in range(30) if not take.solved[i]] == list(empty)
    assert not take.weights[list(empty)].any() and take.weights[take.solved].any()
    assert np.isnan(take.residual_px).all()
    assert np.ptp(take.head_translation_m, axis=0).max() == 0
    write_video(video, [np.full_like(frames[0], 90)] * 5)
    with pytest.raises(FacecapError, match="None of the 5 frames"):
        run("solve", settings)


def write_video(path: Path, images: list[np.ndarray]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def test_a_solved_take_becomes_a_shot_or_a_range_of_it(models: Path, tmp_path: Path) -> None:
    solve = SolveSettings(video=CLIP, out=tmp_path / "solve", end="30", focal_px=864.0, blend=False, report=False)
    path = Path(run("solve", solve)["take"])
    take = load_take(path)
    folder = tmp_path / "set"
    run("dataset", DatasetSettings(folder=folder, take=path))
    run("dataset", DatasetSettings(folder=folder, take=path, start="10", end="19", name="part"))
    found = open_set(folder)
    assert [(shot.name, shot.frames) for shot in found.shots] == [("take_01", 31), ("part", 10)]
    columns = [take.channels.index(name) for name in found.rig.channels]
    np.testing.assert_allclose(found.read_rows(found.shots[1]).weights, take.weights[10:20][:, columns], atol=1e-6)
    lines = run("dataset", DatasetSettings(folder=folder))["lines"]
    assert any("10 frames are also in take_01" in line for line in lines)


def test_curves_and_footage_are_brought_together(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    settings = DatasetSettings(folder=folder, video=CLIP, curves=CURVES, end="60")
    run("dataset", settings)
    training_set = open_set(folder)
    rows = training_set.read_rows(training_set.shots[0])
    truth = load_take(CLIP.with_suffix(".npz"))
    columns = [truth.channels.index(name) for name in training_set.rig.channels]
    at = np.searchsorted(truth.time_s, rows.time_s - 1e-4)
    np.testing.assert_allclose(rows.weights, np.clip(truth.weights[at][:, columns], 0, 1), atol=0.02)


def test_a_cache_of_another_length_is_refused_until_its_rate_is_said(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    rig = open_rig()
    truth = load_take(CLIP.with_suffix(".npz"))
    time_s = np.arange(0, 1.0, 1 / 50)
    frames = (rig.neutral for _ in time_s)
    write_point_cache(tmp_path / "fast.pc2", frames, time_s, rig.vertex_count, fps=50.0)
    settings = DatasetSettings(folder=folder, video=CLIP, cache=tmp_path / "fast.pc2", end="24")
    with pytest.raises(FacecapError, match="has 50 frames"):
        run("dataset", settings)
    assert not (folder / "set.json").exists()
    run("dataset", DatasetSettings(folder=folder, video=CLIP, cache=tmp_path / "fast.pc2", end="24", cache_fps=50))
    found = open_set(folder)
    vertices = found.read_vertices(found.shots[0])
    assert vertices is not None and len(vertices) == 25 and truth.frame_count > 25


def open_rig():  # type: ignore[no-untyped-def]
    from facecap_addon.jobs.steps.sample_head import CACHE
    from facecap_addon.rig.blendshapes import load_rig

    return load_rig(sorted(CACHE.glob("rig-*.npz"))[-1])


def test_a_solver_of_another_mesh_is_refused(solver: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from facecap_addon.rig.blendshapes import save_rig

    rig = open_rig()
    changed = replace(rig, neutral=rig.neutral[:, [1, 0, 2]].copy())
    save_rig(tmp_path / "other.npz", changed)
    settings = SolveSettings(
        video=CLIP, out=tmp_path / "out", end="2", method=str(solver), character=str(tmp_path / "other.npz"), head=False
    )
    with pytest.raises(FacecapError, match=r"not this character|no face|No face|cannot be seen|not clear"):
        run("solve", settings)


def test_the_command_line_says_what_is_wrong(tmp_path: Path) -> None:
    empty = facecap("dataset", tmp_path / "none")
    assert empty.returncode == 2 and "no training set yet" in empty.stderr
    missing = facecap("train", tmp_path / "none")
    assert missing.returncode == 2 and "no training set" in missing.stderr
    method = facecap("solve", CLIP, "--out", tmp_path / "o", "--method", "magic")
    assert method.returncode == 2 and "a .facecap file" in method.stderr
    gone = facecap("solve", CLIP, "--out", tmp_path / "o", "--end", "3", "--no-head", "--method", "gone.facecap")
    assert gone.returncode == 2 and "no solver" in gone.stderr


def test_a_training_is_cancelled_and_goes_on(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "b.facecap"
    settings = TrainSettings(folder=drawn, out=out, preset="preview", epochs=2, checkpoint_minutes=0.01, compare=False)
    log = tmp_path / ".b.training" / "log.jsonl"
    steps = steps_of("train", settings)
    assert any(log.is_file() for _ in steps)
    steps.close()
    assert not out.exists()
    run("train", settings)
    assert out.is_file()
    assert len([json.loads(line) for line in log.read_text().splitlines()]) == 2
    assert list(log.parent.glob("events.out.tfevents.*"))


@pytest.mark.slow
def test_two_processes_train_together(drawn: Path, tmp_path: Path) -> None:
    out = tmp_path / "both.facecap"
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "facecap_addon", "train", str(drawn), "--out", str(out), "--preset", "preview", "--epochs", "1"),
        *("--no-compare", "--threads", "1", "--device", "cpu"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert out.is_file() and done.stdout.count("components explain") == 1
