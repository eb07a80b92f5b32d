"""Planted faults are found with their reason and place; a calm take has none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.geometry.quaternions import wxyz_of
from facecap_addon.landmarks.layout import MEDIAPIPE_478
from facecap_addon.takes.measures.bad_frames import BadStretch, find_bad_stretches, relative_confidence
from facecap_addon.takes.take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take

CHANNELS = ("jawOpen", "eyeBlinkLeft")
FACING = Rotation.from_euler("x", 90, degrees=True)
"""Head space, z up, seen by a camera with y down."""


def calm_take(frames: int = 100, rate: float = 25.0) -> Take:
    """A face of 100 px between the eyes that talks gently."""
    time_s = np.arange(frames) / rate
    talk = 0.3 + 0.3 * np.sin(2 * np.pi * 2.0 * time_s)
    points = np.zeros((frames, MEDIAPIPE_478.count, 2), np.float32)
    points[:, MEDIAPIPE_478.upper_lid_right[0]] = (270.0, 200.0)
    points[:, MEDIAPIPE_478.upper_lid_left[0]] = (370.0, 200.0)
    points[:, MEDIAPIPE_478.nose[0]] = (320.0, 200.0)
    return Take(
        time_s=time_s,
        channels=CHANNELS,
        weights=np.stack([talk, np.zeros(frames)], 1).astype(np.float32),
        head_rotation_wxyz=np.tile(wxyz_of(FACING), (frames, 1)).astype(np.float32),
        head_translation_m=np.tile((0.0, 0.0, 0.6), (frames, 1)).astype(np.float32),
        gaze_rad=np.zeros((frames, 2, 2), np.float32),
        confidence=np.full((frames, len(REGIONS)), 0.8, np.float32),
        regions=REGIONS,
        status=np.full(frames, STATUS_SOLVED, np.int8),
        landmarks_px=points,
        residual_px=np.full(frames, 1.5, np.float32),
        image_size=(640, 480),
        focal_px=700.0,
    )


def changed(take: Take, name: str, rows: slice, values: object) -> Take:
    array = getattr(take, name).copy()
    array[rows] = values
    return replace(take, **{name: array})


def only(take: Take) -> BadStretch:
    (found,) = find_bad_stretches(take)
    return found


def test_a_calm_take_has_no_bad_frames() -> None:
    assert find_bad_stretches(calm_take()) == ()


def test_frames_without_a_face_are_one_stretch() -> None:
    found = only(changed(calm_take(), "status", slice(40, 50), STATUS_MISSING))
    assert (found.first, found.last, found.text) == (40, 49, "No face")


@pytest.mark.parametrize(("degrees", "bad"), [(40.0, False), (-40.0, False), (50.0, True), (-50.0, True)])
def test_a_face_is_seen_from_the_side_beyond_45_degrees(degrees: float, bad: bool) -> None:
    turned = FACING * Rotation.from_euler("z", degrees, degrees=True)
    take = changed(calm_take(), "head_rotation_wxyz", slice(20, 31), wxyz_of(turned))
    found = find_bad_stretches(take)
    assert [(one.first, one.last, one.reason) for one in found] == ([(20, 30, "profile")] if bad else [])


def test_an_uncertain_region_is_named() -> None:
    take = calm_take()
    confidence = take.confidence.copy()
    confidence[60:70, [REGIONS.index("mouth"), REGIONS.index("jaw")]] = 0.2
    found = only(replace(take, confidence=confidence))
    assert (found.first, found.last, found.text) == (60, 69, "Uncertain: mouth, jaw")


def test_a_hand_before_the_mouth_is_named_so() -> None:
    take = calm_take()
    covered = np.zeros_like(take.confidence)
    covered[60:70, REGIONS.index("mouth")] = 1.0
    found = only(replace(take, covered=covered))
    assert (found.first, found.last, found.text) == (60, 69, "Something before the face (hand, hair …): mouth")


def test_stretches_that_nearly_meet_are_one() -> None:
    take = calm_take()
    for rows in (slice(60, 64), slice(66, 70)):
        take = changed(take, "confidence", rows, 0.2)
    found = only(take)
    assert (found.first, found.last, found.regions) == (60, 69, ())


def test_a_fast_face_is_perhaps_blurred() -> None:
    take = calm_take()
    points = take.landmarks_px.copy()
    points[50:60] += (np.arange(10, dtype=np.float32) * 20.0)[:, None, None] * np.array((1, 0), np.float32)
    points[60:] += np.array((180.0, 0.0), np.float32)  # 20 px a frame: 5 eye distances a second
    found = find_bad_stretches(replace(take, landmarks_px=points))
    assert "fast" in {one.reason for one in found}
    fast = next(one for one in found if one.reason == "fast")
    assert 50 <= fast.first <= 52 and 58 <= fast.last <= 60


def test_a_misfit_counts_for_this_take_and_at_all() -> None:
    found = only(changed(calm_take(), "residual_px", slice(10, 13), 8.0))
    assert (found.first, found.last, found.reason) == (10, 12, "misfit")
    assert find_bad_stretches(changed(calm_take(), "residual_px", slice(10, 13), 3.2)) == ()  # 3 % of the eye distance


def test_one_frame_that_leaves_its_neighbours_jumps_and_a_blink_does_not() -> None:
    take = calm_take()
    weights = take.weights.copy()
    weights[30, 1] = 1.0  # a blink of one frame
    assert find_bad_stretches(replace(take, weights=weights)) == ()
    weights[70, 0] += 0.8
    found = only(replace(take, weights=weights))
    assert (found.first, found.last, found.reason) == (70, 70, "jump")


def test_confidence_is_relative_to_the_regions_usual_one_and_never_flatters() -> None:
    take = calm_take()
    confidence = take.confidence.copy()
    confidence[:, 0], confidence[:, 1] = 0.5, 0.1
    confidence[5, 0] = 0.25
    shares = relative_confidence(changed(replace(take, confidence=confidence), "status", slice(0, 2), STATUS_MISSING))
    assert (shares[:2] == 0).all()
    assert shares[10, 0] == pytest.approx(1.0) and shares[5, 0] == pytest.approx(0.5)
    assert shares[10, 1] < 0.3  # a region that is never good is not green
