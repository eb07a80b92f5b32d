"""The preview video: both pictures side by side, each frame at its own time, and honest about missing faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

pytest.importorskip("facecap_addon.geometry.raster", reason="the rasteriser is not built yet")

from facecap_addon.errors import FacecapError
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import Frame, read_frames
from facecap_addon.reports.preview_video import write_preview
from facecap_addon.rig.blendshapes import BlendshapeRig, JawWeights
from facecap_addon.takes.take import REGIONS, Take

WIDTH, HEIGHT = 160, 120
FOCAL_PX, DISTANCE_M, RADIUS_M = 200.0, 1.0, 0.15


def ball_rig(rings: int = 24) -> BlendshapeRig:
    """A ball whose only key moves it a quarter of a metre up."""
    polar, around = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, rings), np.linspace(0, 2 * np.pi, rings, endpoint=False)
    )
    neutral = RADIUS_M * np.stack(
        [np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=2
    ).reshape(-1, 3)
    triangles = []
    for i in range(rings):
        for j in range(rings - 1):
            a, b = i * rings + j, (i + 1) % rings * rings + j
            triangles += [(a, a + 1, b), (b, a + 1, b + 1)]
    deltas = np.zeros((1, len(neutral), 3), np.float32)
    deltas[0, :, 2] = 0.25
    return BlendshapeRig(
        neutral.astype(np.float32), np.array(triangles, np.int32), deltas, ("up",), np.array([[0, 1]], np.float32)
    )


def still_take(time_s: list[float], weight: list[float] | None = None) -> Take:
    """A head at the middle of the picture, upright, facing the camera."""
    frames = len(time_s)
    half = np.sqrt(0.5)
    return Take(
        time_s=np.array(time_s),
        channels=("other", "up"),
        weights=np.stack([np.ones(frames), np.array(weight or [0.0] * frames)], axis=1).astype(np.float32),
        head_rotation_wxyz=np.tile([half, half, 0, 0], (frames, 1)).astype(np.float32),
        head_translation_m=np.tile([0, 0, DISTANCE_M], (frames, 1)).astype(np.float32),
        gaze_rad=np.zeros((frames, 2, 2), np.float32),
        confidence=np.ones((frames, len(REGIONS)), np.float32),
        regions=REGIONS,
        status=np.ones(frames, np.int8),
        landmarks_px=np.full((frames, 3, 2), np.nan, np.float32),
        residual_px=np.zeros(frames, np.float32),
        image_size=(WIDTH, HEIGHT),
        focal_px=FOCAL_PX,
    )


def plain_frames(time_s: list[float], color: tuple[int, int, int] = (120, 40, 40)) -> Iterator[Frame]:
    for index, time in enumerate(time_s):
        yield Frame(index, time, np.full((HEIGHT, WIDTH, 3), color, np.uint8))


def write(path: Path, frames: Iterable[Frame], **given: Any) -> int:
    """Write a whole preview; returns how many frames it has."""
    return max(write_preview(path, frames, **given))


def centre_of_head(panel: np.ndarray, background: np.ndarray) -> np.ndarray:
    """(x, y) of the middle of what differs from the background."""
    ys, xs = np.nonzero(np.abs(panel.astype(int) - background).max(axis=2) > 40)
    return np.array([(xs.min() + xs.max()) / 2, (ys.min() + ys.max()) / 2])


def background_of(panel: np.ndarray) -> np.ndarray:
    return np.repeat(panel[:, :2].mean(axis=1, keepdims=True), panel.shape[1], axis=1).astype(int)


def test_frames_keep_their_irregular_times(tmp_path: Path) -> None:
    time_s = [2.0, 2.013, 2.055, 2.0968, 2.3]
    count = write(tmp_path / "p.mp4", plain_frames(time_s), take=still_take(time_s), rig=ball_rig())
    footage = open_footage(tmp_path / "p.mp4")
    assert count == 5
    assert footage.size_px == (2 * WIDTH, HEIGHT)
    assert_allclose([f.time_s for f in read_frames(footage)], np.array(time_s) - 2.0, atol=2e-5)
    assert [file.name for file in tmp_path.iterdir()] == ["p.mp4"]


def test_left_is_the_footage_and_right_the_head_where_the_camera_sees_it(tmp_path: Path) -> None:
    time_s = [0.0, 0.04]
    take = still_take(time_s, [0.0, 1.0])
    write(tmp_path / "p.mp4", plain_frames(time_s), take=take, rig=ball_rig())
    rest, raised = (frame.image for frame in read_frames(open_footage(tmp_path / "p.mp4")))
    assert_allclose(rest[:, :WIDTH].mean(axis=(0, 1)), (120, 40, 40), atol=8)
    panel = rest[:, WIDTH:]
    assert_allclose(centre_of_head(panel, background_of(panel)), ((WIDTH - 1) / 2, (HEIGHT - 1) / 2), atol=2)
    # The key lifts the ball by 0.25 m: 50 px at one metre, of which part leaves the picture.
    panel = raised[:, WIDTH:]
    ys = np.nonzero(np.abs(panel.astype(int) - background_of(panel)).max(axis=2) > 40)[0]
    assert ys.max() == pytest.approx((HEIGHT - 1) / 2 - 50 + 30, abs=3)


def test_a_jaw_bone_moves_the_head_as_a_key_would(tmp_path: Path) -> None:
    rig, up = ball_rig(), np.float32([[0, 0, 0, 0, 0, 0.25]])
    jawed = replace(rig, jaw=JawWeights(np.ones(rig.vertex_count, np.float32), np.zeros(3, np.float32)))
    panels = []
    for name, one, take in (("key", rig, still_take([0.0], [1.0])), ("jaw", jawed, replace(still_take([0.0]), jaw=up))):
        write(tmp_path / f"{name}.mp4", plain_frames([0.0]), take=take, rig=one)
        panels.append(next(read_frames(open_footage(tmp_path / f"{name}.mp4"))).image[:, WIDTH:].astype(int))
    assert np.abs(panels[0] - panels[1]).max() < 6


def test_landmarks_are_drawn_where_they_were_seen(tmp_path: Path) -> None:
    time_s = [0.0]
    landmarks = np.array([[[40.0, 30.0], [100.0, 90.0], [5000.0, -9000.0]]], np.float32)
    take = replace(still_take(time_s), landmarks_px=landmarks)
    write(tmp_path / "p.mp4", plain_frames(time_s), take=take, rig=ball_rig())
    left = next(read_frames(open_footage(tmp_path / "p.mp4"))).image[:, :WIDTH].astype(int)
    changed = np.abs(left - (120, 40, 40)).max(axis=2) > 45
    assert changed[28:33, 38:43].any()
    assert changed[88:93, 98:103].any()
    changed[24:37, 34:47] = changed[84:97, 94:107] = False
    assert not changed.any()


def test_a_missing_face_is_grey_and_said(tmp_path: Path) -> None:
    time_s = [0.0, 0.04, 0.08]
    take = still_take(time_s, [0.0, 1.0, 0.0])
    take = replace(take, status=np.array([1, 0, 1], np.int8))
    rig = replace(ball_rig(), colors=np.tile(np.float32([0.8, 0.2, 0.1]), (ball_rig().vertex_count, 1)))
    write(tmp_path / "p.mp4", plain_frames(time_s), take=take, rig=rig)
    seen, missing, _ = (frame.image[:, WIDTH:].astype(int) for frame in read_frames(open_footage(tmp_path / "p.mp4")))
    assert np.abs(missing - missing.mean(axis=2, keepdims=True)).max() < 12
    assert missing.max() > 120  # the words
    middle = (slice(HEIGHT // 2 - 4, HEIGHT // 2 + 4), slice(WIDTH // 2 - 4, WIDTH // 2 + 4))
    assert missing[middle].mean() != pytest.approx(missing[2:6, 2:6].mean(), abs=3)  # neutral, in the middle
    assert seen[middle].mean() > missing[middle].mean()


def test_frames_that_the_take_does_not_know_are_missing(tmp_path: Path) -> None:
    take = still_take([0.0, 0.08])
    write(tmp_path / "p.mp4", plain_frames([0.0, 0.04, 0.08]), take=take, rig=ball_rig())
    shown = [frame.image[:, WIDTH:].mean() for frame in read_frames(open_footage(tmp_path / "p.mp4"))]
    assert shown[1] < 0.9 * shown[0]
    assert shown[2] == pytest.approx(shown[0], abs=3)


def test_head_from_rig_is_applied(tmp_path: Path) -> None:
    """A rig in centimetres whose origin lies 20 cm to the head's left."""
    rig = ball_rig()
    rig = replace(rig, neutral=rig.neutral * 100 + np.float32([20, 0, 0]), deltas=rig.deltas * 100)
    head_from_rig = np.diag([0.01, 0.01, 0.01, 1.0])
    write(tmp_path / "p.mp4", plain_frames([0.0]), take=still_take([0.0]), rig=rig, head_from_rig=head_from_rig)
    panel = next(read_frames(open_footage(tmp_path / "p.mp4"))).image[:, WIDTH:]
    xs = np.nonzero(np.abs(panel.astype(int) - background_of(panel)).max(axis=2) > 40)[1]
    assert xs.min() == pytest.approx((WIDTH - 1) / 2 + 40 - 30, abs=3)


def test_large_footage_is_made_smaller(tmp_path: Path) -> None:
    picture = np.zeros((1080, 1922, 3), np.uint8)
    write(
        tmp_path / "p.mp4", [Frame(0, 0.0, picture)], take=replace(still_take([0.0]), focal_px=2000.0), rig=ball_rig()
    )
    assert open_footage(tmp_path / "p.mp4").size_px == (2 * 854, 480)


def test_a_cancelled_preview_leaves_nothing(tmp_path: Path) -> None:
    time_s = [i / 25 for i in range(20)]
    steps = write_preview(tmp_path / "p.mp4", plain_frames(time_s), take=still_take(time_s), rig=ball_rig())
    assert [next(steps), next(steps)] == [1, 2]
    steps.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_no_frames_and_no_folder_are_explained(tmp_path: Path) -> None:
    with pytest.raises(FacecapError, match="no frames"):
        write(tmp_path / "p.mp4", [], take=still_take([0.0]), rig=ball_rig())
    (tmp_path / "file").touch()
    with pytest.raises(FacecapError, match="cannot be written"):
        write(tmp_path / "file" / "p.mp4", plain_frames([0.0]), take=still_take([0.0]), rig=ball_rig())
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
