"""The measures by which footage and animated head are compared, on faces whose motion is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.landmarks.face_measures import (
    MEASURES,
    align_faces,
    compare_faces,
    measure_difference,
    measure_faces,
)

FRAMES = 60


def _resting_face() -> np.ndarray:
    """(478, 3) points: mouth, eyes and brows roughly where a face has them, 100 between the outer eye corners."""
    points = np.random.default_rng(3).normal(0.0, 30.0, (478, 3))
    points[[33, 263]] = [[-50, 0, 0], [50, 0, 0]]
    points[[61, 291]] = [[-25, 70, 0], [25, 70, 0]]
    points[[13, 14]] = [[0, 68, -5], [0, 72, -5]]
    points[[98, 327]] = [[-12, 45, -8], [12, 45, -8]]
    points[152] = [0, 110, 5]
    points[[159, 145]] = [[-30, -5, 0], [-30, 5, 0]]
    points[[386, 374]] = [[30, -5, 0], [30, 5, 0]]
    points[[107, 336]] = [[-12, -28, 0], [12, -28, 0]]
    points[[70, 300]] = [[-50, -22, 0], [50, -22, 0]]
    return points


def _opening_mouth(size: float, *, moved_head: bool = False) -> np.ndarray:
    """(F, 478, 3): the lower lip and the chin go down by up to `size`; the head may turn, come near and move."""
    points = np.repeat(_resting_face()[None], FRAMES, axis=0)
    opening = size * np.sin(np.linspace(0, 6, FRAMES)) ** 2
    points[:, [14, 152], 1] += opening[:, None]
    if moved_head:
        turn = Rotation.from_euler("yxz", np.stack([np.linspace(-20, 20, FRAMES)] * 3, axis=1), degrees=True)
        scale = np.linspace(1.0, 2.0, FRAMES)[:, None, None]
        points = scale * np.einsum("fij,flj->fli", turn.as_matrix(), points) + [300, 200, 0]
    return points


def _measured(points: np.ndarray) -> np.ndarray:
    return measure_faces(align_faces(points))


def test_where_the_head_goes_does_not_count():
    still, moved = (_measured(_opening_mouth(20.0, moved_head=moves)) for moves in (False, True))
    # Of another mean pose: heights are along another axis, distances are what they were.
    for name in ("mouth_width", "lip_gap", "roundness", "eye_R"):
        k = MEASURES.index(name)
        np.testing.assert_allclose(moved[:, k], still[:, k], atol=1e-6)
    assert still[:, MEASURES.index("lip_gap")].max() == pytest.approx(0.24, abs=0.001)


def test_a_head_that_does_seven_tenths_has_a_gain_of_seven_tenths():
    found = compare_faces(_measured(_opening_mouth(20.0)), _measured(_opening_mouth(14.0)))
    assert set(found.names) == {"lip_gap", "roundness", "lower_lip", "chin"}
    np.testing.assert_allclose(found.gain, 0.7, atol=0.01)
    np.testing.assert_allclose(found.correlation, 1.0, atol=0.01)
    assert found.part_gain("lips") == pytest.approx(0.7, abs=0.01)
    assert np.isnan(found.part_gain("brows"))


def test_a_head_that_does_something_else_is_found_out():
    footage = _measured(_opening_mouth(20.0))
    assert compare_faces(footage, _measured(_opening_mouth(0.0))).median_gain == pytest.approx(0.0, abs=1e-6)
    late = np.roll(footage, FRAMES // 4, axis=0)
    assert compare_faces(footage, late).mean_correlation < 0.5


def test_frames_without_a_face_are_left_out():
    points = _opening_mouth(20.0)
    hidden = points.copy()
    hidden[::3] = np.nan
    found = compare_faces(_measured(hidden), _measured(points))
    assert found.frames == FRAMES - FRAMES // 3
    np.testing.assert_allclose(found.gain, 1.0, atol=0.05)
    nothing = compare_faces(_measured(np.full_like(points, np.nan)), _measured(points))
    assert nothing.frames == 0
    assert nothing.names == ()


def test_the_frame_that_differs_most_is_named():
    footage, head = _opening_mouth(20.0), _opening_mouth(20.0)
    head[17, 14, 1] += 15.0
    assert np.nanargmax(measure_difference(_measured(footage), _measured(head))) == 17
