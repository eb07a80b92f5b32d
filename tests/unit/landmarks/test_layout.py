"""Named landmark groups: both sides correspond, and the mesh is a mesh."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.landmarks.layout import (
    IBUG_68,
    MEDIAPIPE_478,
    MEDIAPIPE_OF_IBUG,
    MIRROR_478,
    TRIANGLES_468,
    Layout,
    layout_of,
)

LAYOUTS = [MEDIAPIPE_478, IBUG_68]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.scheme)
def test_mirroring_twice_changes_nothing(layout: Layout) -> None:
    assert layout.mirror.shape == (layout.count,)
    np.testing.assert_array_equal(layout.mirror[layout.mirror], np.arange(layout.count))


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.scheme)
def test_groups_of_both_sides_are_mirror_images(layout: Layout) -> None:
    for name in ("upper_lid", "lower_lid", "brow", "cheek", "iris"):
        right, left = getattr(layout, f"{name}_right"), getattr(layout, f"{name}_left")
        assert tuple(layout.mirror[list(right)]) == left if right else left == ()
    for name in ("lips_outer_upper", "lips_outer_lower", "lips_inner_upper", "lips_inner_lower", "jaw"):
        group = getattr(layout, name)
        assert tuple(layout.mirror[list(group)]) == group[::-1]
    assert sorted(layout.mirror[list(layout.outline)]) == sorted(layout.outline)
    right_eye, left_eye, nose, mouth = layout.keypoints
    assert sorted(layout.mirror[list(right_eye)]) == sorted(left_eye)
    assert sorted(layout.mirror[list(nose + mouth)]) == sorted(nose + mouth)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.scheme)
def test_lips_and_lids_meet_at_their_corners(layout: Layout) -> None:
    for upper, lower in (
        (layout.lips_outer_upper, layout.lips_outer_lower),
        (layout.lips_inner_upper, layout.lips_inner_lower),
        (layout.upper_lid_right, layout.lower_lid_right),
        (layout.upper_lid_left, layout.lower_lid_left),
    ):
        assert (upper[0], upper[-1]) == (lower[0], lower[-1])
        assert len(set(upper) & set(lower)) == 2


def test_the_mesh_is_a_surface_with_twins() -> None:
    assert TRIANGLES_468.shape == (852, 3)
    assert set(TRIANGLES_468.ravel().tolist()) == set(range(468))
    edges = np.sort(TRIANGLES_468[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    _, uses = np.unique(edges, axis=0, return_counts=True)
    assert uses.max() == 2
    triangles = {tuple(sorted(t)) for t in TRIANGLES_468.tolist()}
    twins = {tuple(sorted(MIRROR_478[t].tolist())) for t in TRIANGLES_468}
    # Six quads are cut along the other diagonal on the other side.
    assert len(twins - triangles) == 12


def test_the_68_points_have_symmetric_places_on_the_mesh() -> None:
    places = np.array(MEDIAPIPE_OF_IBUG)
    assert len(set(places.tolist())) == 68
    np.testing.assert_array_equal(MIRROR_478[places], places[IBUG_68.mirror])


def test_an_unknown_scheme_is_refused_in_plain_words() -> None:
    with pytest.raises(FacecapError, match="wflw-98"):
        layout_of("wflw-98")
