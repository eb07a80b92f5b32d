"""Corrections as data: what is written is read, what is damaged is refused, frames follow as far as asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.takes.corrections import (
    Correction,
    about_frames,
    changed_spans,
    fade,
    hold_poses,
    load_corrections,
    save_corrections,
    write_json,
)
from facecap_addon.takes.merge import BLEND_S
from facecap_addon.takes.take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take

MOVED = Correction(1.5, np.array([3, 61]), np.array([[1.25, -2.0], [0.5, 4.0]]), reach_s=0.3, scheme="mediapipe-478")
POSED = Correction(2.0, pose={"jawOpen": 0.25}, muted=True, seen={"jawOpen": 0.125})


def flat_take(frames: int = 60) -> Take:
    return Take(
        time_s=np.arange(frames) / 30,
        channels=("jawOpen", "mouthPucker"),
        weights=np.full((frames, 2), 0.25, np.float32),
        head_rotation_wxyz=np.tile(np.array([1, 0, 0, 0], np.float32), (frames, 1)),
        head_translation_m=np.zeros((frames, 3), np.float32),
        gaze_rad=np.zeros((frames, 2, 2), np.float32),
        confidence=np.ones((frames, len(REGIONS)), np.float32),
        regions=REGIONS,
        status=np.full(frames, STATUS_SOLVED, np.int8),
        landmarks_px=np.zeros((frames, 0, 2), np.float32),
        residual_px=np.zeros(frames, np.float32),
        image_size=(640, 480),
        focal_px=800.0,
    )


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "talk.corrections.json"
    save_corrections(path, [MOVED, POSED])
    moved, posed = load_corrections(path)
    np.testing.assert_array_equal(moved.landmarks, MOVED.landmarks)
    np.testing.assert_array_equal(moved.offsets_px, MOVED.offsets_px)
    assert (moved.time_s, moved.reach_s, moved.muted, moved.scheme) == (1.5, 0.3, False, "mediapipe-478")
    assert posed.pose == {"jawOpen": 0.25} and posed.seen == {"jawOpen": 0.125} and posed.muted


@pytest.mark.parametrize(
    "change",
    [
        {"landmarks": [3]},
        {"landmarks": [61, 3]},
        {"landmarks": [3.5, 61]},
        {"landmarks": [-1, 61]},
        {"offsets_px": [[1, 2], [float("nan"), 0]]},
        {"time_s": "soon"},
        {"reach_s": -1},
        {"pose": {"jawOpen": 0.5}},
        {"pose": {"jawOpen": 1e9}, "landmarks": [], "offsets_px": []},
        {"landmarks": [], "offsets_px": []},
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    facts = write_json([MOVED])
    facts["corrections"] = [{**facts["corrections"][0], **change}]  # pyright: ignore
    path = tmp_path / "talk.corrections.json"
    path.write_text(json.dumps(facts), encoding="utf-8")
    with pytest.raises(FacecapError, match=r"talk\.corrections\.json"):
        load_corrections(path)


def test_a_newer_format_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "talk.corrections.json"
    path.write_text(json.dumps({**write_json([MOVED]), "version": 2}), encoding="utf-8")
    with pytest.raises(FacecapError, match="newer"):
        load_corrections(path)
    path.write_text("[]", encoding="utf-8")
    with pytest.raises(FacecapError, match="damaged"):
        load_corrections(path)
    with pytest.raises(FacecapError, match="no corrections file"):
        load_corrections(tmp_path / "other.json")


def test_frames_follow_wholly_on_a_corrected_frame_and_not_at_all_on_the_next_corrected_one() -> None:
    time_s = np.arange(0, 2, 0.1)
    share = fade(np.array([0.5, 0.8]), np.array([0.6, 0.6]), time_s)
    assert share[0, 5] == pytest.approx(1) and share[1, 5] == pytest.approx(0)
    assert share[0, 8] == pytest.approx(0) and share[1, 8] == pytest.approx(1)
    np.testing.assert_allclose(share[:, 5:9].sum(0), 1.0)
    assert share[0, 0] > 0 and share[1, 15:].max() == 0


def test_corrections_are_about_the_frames_they_are_on_or_between() -> None:
    time_s = np.arange(20, 50) / 30
    of = {at: Correction(at / 30, pose={"jawOpen": 1.0}) for at in (0, 19, 19.5, 20, 33.4, 49, 49.5, 50, 600)}
    assert about_frames(list(of.values()), time_s) == tuple(of[at] for at in (19.5, 20, 33.4, 49, 49.5))
    written = Correction(round(49 / 30, 6), pose={"jawOpen": 1.0})
    assert about_frames([written, of[50]], time_s[-1:]) == (written,) and not about_frames([written], time_s[:0])


def test_a_held_pose_is_exact_and_fades() -> None:
    take = flat_take()
    status = take.status.copy()
    status[40:] = STATUS_MISSING
    take = replace(take, status=status)
    held = hold_poses(take, [Correction(1.0, pose={"jawOpen": 0.75, "noSuchKey": 1.0}, reach_s=0.2)])
    jaw = held.weights[:, 0]
    assert jaw[30] == pytest.approx(0.75) and jaw[27] == pytest.approx(0.5, abs=0.01)
    np.testing.assert_array_equal(jaw[:25], take.weights[:25, 0])
    np.testing.assert_array_equal(held.weights[36:], take.weights[36:])
    np.testing.assert_array_equal(held.weights[:, 1], take.weights[:, 1])


def test_only_what_differs_between_two_lists_is_solved_anew() -> None:
    near = replace(POSED, time_s=MOVED.time_s + 0.1, muted=False)
    assert changed_spans([MOVED], [MOVED, POSED]) == []  # muted: nothing to do
    assert changed_spans([MOVED, near], [near]) == [MOVED.span_s]
    (span,) = changed_spans([], [MOVED, near])
    assert span == (MOVED.time_s - 0.3 - BLEND_S, MOVED.time_s + 0.3 + BLEND_S)
    assert len(changed_spans([], [MOVED, replace(near, time_s=9.0)])) == 2
