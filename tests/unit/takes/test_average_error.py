"""The average error of a take: in pixels, and good or poor by the size of the face."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecap_addon.takes.measures.average_error import AverageError, average_error
from facecap_addon.takes.take import Take

FRAMES, EYES_PX = 5, 100.0


def take_of(*, residual_px: float, eyes_px: float = EYES_PX, count: int = 478) -> Take:
    """A take whose outer eye corners are so far apart, and whose third frame shows no face."""
    right, left = {478: (33, 263), 68: (36, 45)}.get(count, (0, 1))
    landmarks = np.zeros((FRAMES, count, 2), np.float32)
    landmarks[:, right], landmarks[:, left] = (200, 100), (200 + eyes_px, 100)
    residual = np.full(FRAMES, residual_px, np.float32)
    landmarks[2], residual[2] = np.nan, np.nan
    identity = np.tile(np.float32([1, 0, 0, 0]), (FRAMES, 1))
    return Take(
        time_s=np.arange(FRAMES) / 25,
        channels=("jawOpen",),
        weights=np.zeros((FRAMES, 1), np.float32),
        head_rotation_wxyz=identity,
        head_translation_m=np.zeros((FRAMES, 3), np.float32),
        gaze_rad=np.zeros((FRAMES, 2, 2), np.float32),
        confidence=np.ones((FRAMES, 1), np.float32),
        regions=("mouth",),
        status=np.array([1, 1, 0, 1, 1], np.int8),
        landmarks_px=landmarks,
        residual_px=residual,
        image_size=(640, 360),
        focal_px=700.0,
    )


@pytest.mark.parametrize("count", [478, 68])
@pytest.mark.parametrize(
    ("residual_px", "words"),
    [(1.4, "1.4 px (good)"), (1.9, "1.9 px (good)"), (2.6, "2.6 px (fair)"), (4.5, "4.5 px (poor)")],
)
def test_an_error_is_rated_by_the_size_of_the_face(residual_px: float, words: str, count: int) -> None:
    error = average_error(take_of(residual_px=residual_px, count=count))
    assert error is not None and error.text == words


def test_the_same_pixels_are_worse_on_a_small_face_and_better_on_a_large_one() -> None:
    ratings = [average_error(take_of(residual_px=2.2, eyes_px=eyes_px)) for eyes_px in (400.0, 100.0, 40.0)]
    assert [error.rating for error in ratings if error is not None] == ["good", "fair", "poor"]


def test_a_head_that_turns_away_is_not_rated_by_its_foreshortened_eyes() -> None:
    take = take_of(residual_px=1.5)
    landmarks = take.landmarks_px.copy()
    landmarks[3:, 263] = (220, 100)  # a fifth of the width that the same face shows from the front
    error = average_error(replace(take, landmarks_px=landmarks))
    assert error is not None and error.rating == "good"


def test_what_is_not_known_is_not_rated() -> None:
    assert average_error(take_of(residual_px=float("nan"))) is None
    error = average_error(take_of(residual_px=2.0, count=7))
    assert error is not None and error.text == "2.0 px"
    assert AverageError(0.94).rating == ""  # takes of earlier scenes
