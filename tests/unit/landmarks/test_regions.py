"""Regions: points there and back, and pictures cut where the mapping says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from facecap_addon.landmarks.regions import Region, crop, region_around, to_crop, to_image
from facecap_addon.landmarks.tracking.region_filter import RegionFilter

REGIONS = [
    Region((320.5, 181.25), 257.3, 0.4),
    Region((12.0, -7.5), 96.0, -2.9),
    Region((1900.0, 1000.0), 1500.0, 0.01, mirrored=True),
]


@pytest.mark.parametrize("region", REGIONS)
def test_points_come_back(region: Region) -> None:
    points = np.random.default_rng(1).uniform(-50, 250, (478, 2))
    back = to_crop(to_image(points, region, 192), region, 192)
    assert np.abs(back - points).max() < 1e-4


def test_the_middle_of_the_crop_is_the_center_and_x_follows_the_rotation() -> None:
    region = Region((100.0, 50.0), 80.0, math.radians(90))
    middle, right = to_image(np.array([[96.0, 96.0], [192.0, 96.0]]), region, 192)
    np.testing.assert_allclose(middle, (100.0, 50.0), atol=1e-9)
    np.testing.assert_allclose(right, (100.0, 90.0), atol=1e-9)


@pytest.mark.parametrize("side", [90.0, 300.0, 700.0, 1300.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_crop_shows_what_the_mapping_says(side: float, mirrored: bool) -> None:
    # A picture whose red is its column and green its row tells where every crop pixel came from.
    rows, columns = np.indices((1600, 1600))
    picture = np.stack([columns * 0.15, rows * 0.15, np.zeros_like(rows)], axis=2).astype(np.uint8)
    region = Region((802.0, 790.0), side, 0.2, mirrored)
    cut = crop(picture, region, 192).astype(np.float64)
    v, u = np.indices((192, 192))
    source = to_image(np.stack([u, v], axis=2).reshape(-1, 2), region, 192).reshape(192, 192, 2)
    # The picture's own rounding down takes half a step on average.
    error = cut[..., :2] - (source * 0.15 - 0.45)
    assert np.abs(error).max() < 1.3
    # A mean of four whole numbers is a tie one time in four, and ties go up: an eighth of a level.
    assert np.abs(error.mean(axis=(0, 1))).max() < 0.13


def test_a_region_outside_the_picture_repeats_its_border() -> None:
    picture = np.full((40, 60, 3), 77, dtype=np.uint8)
    for region in (Region((-900.0, -900.0), 100.0, 0.3), Region((5000.0, 20.0), 2000.0, 0.0)):
        assert (crop(picture, region, 64) == 77).all()


def test_region_around_points_takes_the_longer_side() -> None:
    points = np.array([[10.0, 20.0], [50.0, 100.0]])
    region = region_around(points, np.array([0.0, 1.0]), 1.5)
    assert region.center_px == (30.0, 60.0)
    assert region.side_px == pytest.approx(120.0)
    assert region.rotation_rad == pytest.approx(math.pi / 2)


def test_the_filter_steadies_a_still_face_and_keeps_up_with_a_fast_one() -> None:
    random = np.random.default_rng(2)
    still, steadied = RegionFilter(1.0), []
    for i in range(120):
        x, y = random.normal(100.0, 1.0, 2)
        steadied.append(still.step(Region((x, y), 100.0, 0.0), i / 30).center_px)
    assert np.std(steadied[30:], axis=0).max() < 0.5

    fast = RegionFilter(1.0)
    for i in range(30):
        region = fast.step(Region((100.0 + 10.0 * i, 50.0), 100.0, 0.0), i / 30)
    # 10 px a frame on a 100 px region: it trails by less than one frame's way, the crop has half a side to spare.
    assert abs(region.center_px[0] - (100.0 + 10.0 * 29)) < 10.0


def test_the_filter_goes_the_short_way_round() -> None:
    steady = RegionFilter(1.0)
    steady.step(Region((0.0, 0.0), 100.0, math.pi - 0.05), 0.0)
    turned = steady.step(Region((0.0, 0.0), 100.0, -math.pi + 0.05), 1 / 30)
    assert abs(turned.rotation_rad - math.pi) < 0.1
