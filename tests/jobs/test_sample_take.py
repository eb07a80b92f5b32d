"""The rendered take of the sample head: it is what it says it is, and a solve of it comes near the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.sample_take import CLIP, TRUTH, compare
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.jobs.cli.main import main
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.tracking.observe import observe
from facecap_addon.takes.formats.live_link import read_live_link_csv
from facecap_addon.takes.npz import load_take
from sample_scenes.performance import perform
from tests.jobs.solving import QUICK_FLAGS
from tests.unit.sample import sample


def test_the_clip_and_its_truth_belong_together() -> None:
    assert CLIP.stat().st_size + TRUTH.stat().st_size < 2_000_000
    truth = load_take(TRUTH)
    frames = list(read_frames(open_footage(CLIP)))
    assert frames[0].image.shape[:2] == truth.image_size[::-1] and min(truth.image_size) >= 384
    np.testing.assert_allclose([frame.time_s for frame in frames], truth.time_s, atol=1e-6)
    assert 8.0 <= truth.time_s[-1] + 0.04 <= 10.0
    # The curves are the authored ones, and Live Link says the same.
    np.testing.assert_allclose(truth.weights, perform().weights, atol=1e-6)
    phone = read_live_link_csv(TRUTH.with_suffix(".csv"))
    assert phone.frame_count == truth.frame_count
    for name in ("jawOpen", "eyeBlinkLeft", "browInnerUp"):
        said = phone.weights[:, phone.channels.index(name)]
        np.testing.assert_allclose(said, truth.weights[:, truth.channels.index(name)], atol=1e-3)


def test_the_network_sees_the_true_landmarks_in_the_clip(models: Path) -> None:
    truth = load_take(TRUTH)
    seen = list(observe(read_frames(open_footage(CLIP)), open_landmarker()))
    assert min(one.presence for one in seen) > 0.9
    away = np.stack([one.landmarks_px for one in seen]) - truth.landmarks_px
    face_px = np.ptp(truth.landmarks_px[..., 1], axis=1).mean()
    assert np.median(np.linalg.norm(away, axis=2)) < 0.015 * face_px


@pytest.fixture(scope="module")
def solved(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("take_01")
    quick = [flag for flag in QUICK_FLAGS if flag.startswith("--no-")]
    assert main(["solve", str(CLIP), "--out", str(out), "--match", "weights", *quick]) == 0
    return out / "take_01.take.npz"


def test_a_solve_of_its_look_keeps_lips_lids_and_head_where_they_are(models: Path, tmp_path: Path) -> None:
    quick = [flag for flag in QUICK_FLAGS if flag.startswith("--no-")]
    assert main(["solve", str(CLIP), "--out", str(tmp_path), *quick]) == 0
    found = compare(load_take(tmp_path / "take_01.take.npz"), load_take(TRUTH), sample().rig)
    # What the landmark network sees is not quite what is there: docs/fit.md, Look or weights.
    assert found.rmse_mm < 0.6 * found.still_mm
    assert found.rotation_deg < 1.5 and found.gaze_deg < 5.0
    assert found.blinks[0] > 0.75 and found.blinks[1] < 0.2
    assert found.lips_mm[0] < 1.2 and found.lips_mm[1] < 2.8


def test_a_solve_of_the_clip_comes_near_the_truth(solved: Path) -> None:
    """The camera is not told. `python -m benchmarks.sample_take` prints the numbers."""
    take, truth = load_take(solved), load_take(TRUTH)
    found = compare(take, truth, sample().rig)
    assert found.rmse_mm < 1.4 < 0.65 * found.still_mm
    assert found.correlation > 0.5 and found.absolute_error < 0.08
    assert found.rotation_deg < 1.2 and found.gaze_deg < 5.0
    assert found.blinks[0] > 0.75 and found.blinks[1] < 0.2
    assert found.lips_mm[0] < 1.2 and found.lips_mm[1] < 2.8
    assert abs(take.focal_px / truth.focal_px - 1) < 0.1
    by_name = {row[0]: row[1] for row in found.rows}
    for name in ("jawOpen", "mouthPucker", "mouthSmileLeft", "browInnerUp", "browOuterUpRight", "eyeBlinkLeft"):
        assert by_name[name] > 0.8, name
