"""The pinhole camera follows OpenCV's axes, with pixel centres at whole numbers."""

from __future__ import annotations

import numpy as np
from numpy.testing import assert_allclose

from facecap_addon.geometry.camera import centered_camera, focal_px_from_lens, project


def test_a_point_ahead_lands_in_the_middle_of_the_picture() -> None:
    camera = centered_camera(640, 480, 500.0)
    assert_allclose(project(np.array([0.0, 0.0, 2.0]), camera), (319.5, 239.5))


def test_right_and_down_are_positive_and_shrink_with_distance() -> None:
    camera = centered_camera(101, 101, 200.0)
    points = np.array([[[0.1, 0.0, 1.0], [0.0, 0.1, 1.0]], [[0.1, 0.0, 2.0], [0.0, -0.1, 2.0]]])
    assert_allclose(project(points, camera), [[[70, 50], [50, 70]], [[60, 50], [50, 40]]])


def test_blenders_default_lens_sees_its_sensor_over_the_longer_side() -> None:
    focal = focal_px_from_lens(50.0, 36.0, 1280, 720)
    camera = centered_camera(1280, 720, focal)
    edge = project(np.array([18.0, 0.0, 50.0]), camera)
    assert_allclose(edge[0] - camera.center_px[0], 640.0)
    assert focal_px_from_lens(50.0, 36.0, 720, 1280) == focal
