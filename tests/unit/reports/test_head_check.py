"""Footage and head compared, where the footage is the head itself with weights that are known."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from facecap_addon.geometry.camera import centered_camera
from facecap_addon.landmarks.observations import Observations
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.reports.head_check import WORST, HeadCheck, check_head
from facecap_addon.reports.observe_head import observe_head
from facecap_addon.reports.thumbnails import THUMBNAIL_PX
from facecap_addon.takes.take import Take
from tests.unit.sample import posed_take, sample

SIZE, FOCAL_PX, FRAMES = (480, 480), 900.0, 24


def _talking(size: float = 1.0) -> Take:
    """A mouth that opens and shuts under brows that never move; at rest in every fourth frame."""
    channels = sample().rig.channels
    weights = np.zeros((FRAMES, len(channels)), np.float32)
    weights[:, channels.index("jawOpen")] = 0.8 * size * np.tile([0.0, 0.4, 1.0, 0.6], FRAMES // 4)
    return posed_take(weights, np.zeros((FRAMES, 3)), fps=25.0, size=SIZE, focal_px=FOCAL_PX)


@pytest.fixture(scope="module")
def footage() -> Observations:
    """What the landmark network sees of the head that talks."""
    found = sample()
    camera = centered_camera(*SIZE, FOCAL_PX)
    return observe_head(_talking(), found.rig, found.embedding.head_from_rig, camera, open_landmarker())


def _check(take: Take, footage: Observations) -> HeadCheck | None:
    found = sample()
    grey = np.full((THUMBNAIL_PX, THUMBNAIL_PX, 3), 128, np.uint8)
    return check_head(
        take, found.rig, found.embedding.head_from_rig, footage, open_landmarker(), face_of=lambda row: grey
    )


def test_a_head_that_does_the_same_shows_all_of_it(footage: Observations) -> None:
    check = _check(_talking(), footage)
    assert check is not None
    assert set(check.shares) == {"lips"}
    assert check.shares["lips"] == pytest.approx(1.0, abs=0.02)
    assert check.sentence == f"The head shows {100 * check.shares['lips']:.0f} % of the motion of the lips."
    assert check.agreement.mean_correlation > 0.99


def test_a_head_that_does_half_of_it_is_found_out(footage: Observations) -> None:
    check = _check(_talking(0.5), footage)
    assert check is not None
    gain = dict(zip(check.agreement.names, check.agreement.gain, strict=True))
    # The landmark network sees little of a mouth that opens a little: that is less than half.
    assert 0.1 < gain["lip_gap"] < 0.6
    assert check.shares["lips"] < 0.6


def test_the_frames_shown_are_those_that_differ(footage: Observations) -> None:
    take = _talking()
    take.weights[[6, 7, 17]] = 0.0
    check = _check(take, footage)
    assert check is not None
    assert {6, 7, 17} <= {pair.frame for pair in check.worst}
    assert len(check.worst) == WORST
    assert [pair.time_s for pair in check.worst] == sorted(pair.time_s for pair in check.worst)
    width, height = Image.open(io.BytesIO(check.worst[0].jpeg)).size
    assert height == 2 * width


def test_without_faces_there_is_nothing_to_compare(footage: Observations) -> None:
    missing = replace(_talking(), status=np.zeros(FRAMES, np.int8))
    assert _check(missing, footage) is None
    other_network = replace(footage, scheme="ibug-68")
    assert _check(_talking(), other_network) is None
