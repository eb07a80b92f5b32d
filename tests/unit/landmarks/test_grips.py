"""What moves when a landmark is dragged: its group as a whole, neighbours less, the other lip not at all."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.landmarks.grips import KINDS, drag, find_grip, grip_with, grips_of
from facecap_addon.landmarks.layout import IBUG_68, MEDIAPIPE_478


def face() -> np.ndarray:
    """(478, 2) px of a front view."""
    from facecap_addon.fit.energies.expression_prior import load_prior

    shape = load_prior().template[:, [0, 2]] * 100
    return np.abs(shape - shape.min(0))


@pytest.mark.parametrize("layout", [MEDIAPIPE_478, IBUG_68])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_grips_on_both_sides(layout: object, kind: str) -> None:
    grips = grips_of(layout, kind)  # pyright: ignore[reportArgumentType]
    held = {int(i) for grip in grips for i in grip.landmarks}
    mirror = layout.mirror  # pyright: ignore[reportAttributeAccessIssue]
    assert held and {int(mirror[i]) for i in held} == held
    assert all(
        len(grip.landmarks) == len(grip.share) and not set(grip.apart) & set(grip.landmarks.tolist()) for grip in grips
    )


def test_the_picked_landmark_goes_all_the_way_and_neighbours_follow_less() -> None:
    points = face()
    grip, picked = find_grip(MEDIAPIPE_478, "lip corner", points, points[61] + 0.5)
    assert picked in (61, 78)
    moved, offsets = drag(points, grip, picked, np.array([4.0, -2.0]), radius=25.0)
    of = dict(zip(moved.tolist(), offsets.tolist(), strict=True))
    assert of[picked] == [4.0, -2.0]
    away = np.linalg.norm(points[moved] - points[[61, 78]].mean(0), axis=1)
    assert np.linalg.norm(offsets[away > 15], axis=1).max() < np.linalg.norm(offsets[away < 5], axis=1).min()
    assert not {291, 308} & set(of)


def test_dragging_one_lip_leaves_the_other_where_it_is() -> None:
    points = face()
    grip = grip_with(MEDIAPIPE_478, "lip edge", 14)
    moved, offsets = drag(points, grip, 14, np.array([0.0, 6.0]), radius=20.0)
    assert 17 in moved and not {13, 0, 82, 312} & set(moved.tolist())
    of = dict(zip(moved.tolist(), offsets[:, 1].tolist(), strict=True))
    assert of[14] == 6.0 and of[95] < of[88] < of[178] < of[87]


def test_a_radius_of_zero_moves_the_grip_alone() -> None:
    points = face()
    grip = grip_with(MEDIAPIPE_478, "brow", 105)
    moved, offsets = drag(points, grip, 105, np.array([0.0, -3.0]), radius=0.0)
    assert sorted(moved.tolist()) == sorted(MEDIAPIPE_478.brow_right)
    np.testing.assert_array_equal(offsets, np.tile([0.0, -3.0], (len(moved), 1)))
    with pytest.raises(ValueError, match="brow"):
        grip_with(MEDIAPIPE_478, "brow", 14)
