"""Point caches from elsewhere: their header's times are kept, and another unit or other axes are not learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.errors import FacecapError
from facecap_addon.learn.data.cache_targets import check_likeness, find_sample_times, to_scene_axes
from facecap_addon.takes.formats.point_cache import PointCache, read_point_cache, write_point_cache
from tests.unit.learn.test_training_set import rig

RANDOM = np.random.default_rng(4)


def cache(path: Path, first_s: float, apart_s: float) -> PointCache:
    """A PC2 of ten samples, counted in frames of a scene of 25 a second."""
    write_point_cache(path, np.zeros((10, 3, 3)), first_s + np.arange(10) * apart_s, 3, fps=25.0)
    return read_point_cache(path)


def test_start_and_sampling_of_the_header_are_kept(tmp_path: Path) -> None:
    steps = np.arange(10)
    half = cache(tmp_path / "a.pc2", 0.0, 0.08)  # every other scene frame
    np.testing.assert_allclose(find_sample_times(half, "a", 25.0, None, 3.0), 3.0 + steps * 0.08, atol=1e-6)
    later = cache(tmp_path / "b.pc2", 4.04, 0.04)
    np.testing.assert_allclose(find_sample_times(later, "b", 25.0, 1.0, 0.0), 4.0 + steps * 0.04, atol=1e-5)
    np.testing.assert_allclose(find_sample_times(later, "b", 25.0, None, 4.0), 4.04 + steps * 0.04, atol=1e-5)
    with pytest.raises(FacecapError, match=r"starts at scene frame 101.*--cache-start"):
        find_sample_times(later, "b", 25.0, None, 0.0)


def acting(unit: float = 1.0, *, y_up: bool = False) -> np.ndarray:
    """(F, V, 3): the test's head, moving and turning a little, in some unit."""
    head = rig().neutral.astype(np.float64)
    turns = Rotation.from_euler("z", RANDOM.uniform(-0.4, 0.4, (12, 1))).as_matrix()
    moved = (head + RANDOM.normal(scale=0.02, size=(12, *head.shape))) @ turns.transpose(0, 2, 1)
    if y_up:
        moved = moved[..., [0, 2, 1]] * (1, 1, -1)
    return (moved / unit).astype(np.float32)


def test_a_head_in_its_own_unit_and_axes_is_taken() -> None:
    check_likeness(acting(), rig(), "a.pc2")
    for unit, size in (("cm", 0.01), ("in", 0.0254)):
        check_likeness(to_scene_axes(acting(size, y_up=True), unit, "y"), rig(), "a.pc2")


@pytest.mark.parametrize(
    ("unit", "y_up", "what", "way_out"),
    [
        (0.01, False, "times as large as the character", "--cache-unit cm"),
        (1.0, True, "turned by", "--cache-up y"),
        (0.01, True, "times as large as the character and turned", "--cache-unit cm --cache-up y"),
        (0.37, False, "times as large", "--cache-unit and --cache-up"),
    ],
)
def test_a_head_in_another_unit_or_other_axes_is_refused_in_words(
    unit: float, y_up: bool, what: str, way_out: str
) -> None:
    with pytest.raises(FacecapError, match=what) as caught:
        check_likeness(acting(unit, y_up=y_up), rig(), "a.pc2")
    assert way_out in caught.value.way_out


def test_vertices_in_another_order_are_refused() -> None:
    with pytest.raises(FacecapError, match="another order"):
        check_likeness(acting()[:, ::-1], rig(), "a.pc2")
