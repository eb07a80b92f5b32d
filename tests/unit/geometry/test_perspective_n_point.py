"""Poses from points and where they are seen: as good as noise allows, whatever the pose, lens and outliers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from facecap_addon.fit.pose_known_shape import head_poses, measure_misses
from facecap_addon.geometry.perspective_n_point import find_poses, refine_poses

WIDTH = 1000
CENTRE = (WIDTH - 1) / 2


def scene(frames: int, count: int, focal_widths: float, depth: float = 1.0, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Points like a face's (F, P, 3) m, where they are seen (F, P, 2) px, rotations and translations.

    Turned by up to 80 degrees aside and 45 up, down and over; a tenth to half of the picture wide, 0.3 m away or more.
    """
    random = np.random.default_rng(seed)
    points = random.uniform(-1, 1, (frames, count, 3)) * [0.07, 0.09, 0.02 * depth]
    points[..., 2] += depth * 8 * points[..., 0] ** 2
    angles = random.uniform(-1, 1, (frames, 3)) * [80, 45, 45]
    rotation = Rotation.from_euler("yxz", angles, degrees=True).as_matrix()
    away = np.maximum(focal_widths * 0.14 / random.uniform(0.1, 0.5, frames), 0.3)
    aside = random.uniform(-0.3, 0.3, (frames, 2)) * away[:, None] / focal_widths
    translation = np.concatenate([aside, away[:, None]], axis=1)
    return points, projected(points, rotation, translation, focal_widths * WIDTH), rotation, translation


def projected(points: np.ndarray, rotation: np.ndarray, translation: np.ndarray, focal_px: float) -> np.ndarray:
    placed = points @ rotation.transpose(0, 2, 1) + translation[:, None]
    return placed[..., :2] / placed[..., 2:] * focal_px + CENTRE


def turns_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(Rotation.from_matrix(a @ b.transpose(0, 2, 1)).magnitude())


def normalised(seen: np.ndarray, focal_px: float) -> np.ndarray:
    return (seen - CENTRE) / focal_px


@pytest.mark.parametrize("focal_widths", [0.6, 1.2, 5.0])
@pytest.mark.parametrize("depth", [1.0, 0.0])
def test_without_noise_every_pose_is_found_exactly(focal_widths: float, depth: float) -> None:
    """Points in a plane, too, for which six are as good as many."""
    for count in (8, 60):
        points, seen, rotation, translation = scene(100, count, focal_widths, depth)
        found = find_poses(points, normalised(seen, focal_widths * WIDTH), np.ones(seen.shape[:2], bool))
        assert found.found.all()
        assert turns_deg(found.rotation, rotation).max() < 1e-4
        np.testing.assert_allclose(found.translation, translation, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("focal_widths", [0.6, 1.2, 5.0])
def test_noise_costs_no_more_than_it_must(focal_widths: float) -> None:
    """Errors have the covariance of the Cramer-Rao bound: measured in it, their square is 6 in the mean."""
    focal, noise = focal_widths * WIDTH, 0.7
    points, seen, rotation, translation = scene(400, 60, focal_widths)
    seen = seen + np.random.default_rng(1).normal(size=seen.shape) * noise
    found_rotation, found_translation, residual = head_poses(points, seen, focal, (WIDTH, WIDTH))
    squares = []
    for f in range(len(points)):
        turn = Rotation.from_matrix(found_rotation[f] @ rotation[f].T).as_rotvec()
        error = np.concatenate([turn, found_translation[f] - translation[f]])
        jacobian = numeric_jacobian(points[f], rotation[f], translation[f], focal)
        squares.append(error @ (jacobian.T @ jacobian) @ error / noise**2)
    # Of 400 frames' chi-squares with 6 degrees of freedom the mean is 6 give or take 0.17.
    assert np.mean(squares) == pytest.approx(6.0, abs=0.6)
    assert np.max(squares) < 35
    np.testing.assert_allclose(residual, noise * np.sqrt(2 - 6 / 60), rtol=0.35)


def numeric_jacobian(points: np.ndarray, rotation: np.ndarray, translation: np.ndarray, focal: float) -> np.ndarray:
    """(2 P, 6) derivatives by differences, in place of the analytic ones that are on trial."""
    columns = []
    for step in 1e-6 * np.eye(6):
        ends = [
            projected(
                points[None],
                (Rotation.from_rotvec(sign * step[:3]).as_matrix() @ rotation)[None],
                (translation + sign * step[3:])[None],
                focal,
            )
            for sign in (1, -1)
        ]
        columns.append((ends[0] - ends[1]).ravel() / 2e-6)
    return np.stack(columns, axis=1)


@pytest.mark.parametrize(("count", "depth", "noise"), [(12, 1.0, 3.0), (60, 1.0, 3.0), (60, 0.1, 2.0)])
def test_the_least_error_there_is_is_found_without_a_start(count: int, depth: float, noise: float) -> None:
    """Few, flat or badly seen points: nobody who starts from the truth gets lower."""
    points, seen, rotation, translation = scene(25, count, 1.2, depth, seed=2)
    seen = seen + np.random.default_rng(3).normal(size=seen.shape) * noise
    found = find_poses(points, normalised(seen, 1.2 * WIDTH), np.ones(seen.shape[:2], bool))
    ours = ((projected(points, found.rotation, found.translation, 1.2 * WIDTH) - seen) ** 2).sum((1, 2))
    for f in range(len(points)):

        def residual(x: np.ndarray, f: int = f) -> np.ndarray:
            turned = Rotation.from_rotvec(x[:3]).as_matrix() @ rotation[f]
            return (projected(points[f][None], turned[None], x[None, 3:], 1.2 * WIDTH) - seen[f]).ravel()

        best = 2 * least_squares(residual, np.concatenate([np.zeros(3), translation[f]])).cost
        assert ours[f] <= best * (1 + 1e-5)


def test_a_quarter_of_wild_landmarks_costs_little() -> None:
    points, seen, rotation, translation = scene(100, 60, 1.2)
    random = np.random.default_rng(4)
    seen = seen + random.normal(size=seen.shape) * 0.7
    wild = random.random(seen.shape[:2]) < 0.25
    shifted = seen + np.where(wild[..., None], random.normal(size=seen.shape) * 60, 0)
    clean = head_poses(points, seen, 1.2 * WIDTH, (WIDTH, WIDTH))
    found = head_poses(points, shifted, 1.2 * WIDTH, (WIDTH, WIDTH))
    assert np.isfinite(found[2]).all()
    assert np.median(turns_deg(found[0], rotation)) < 2.5 * np.median(turns_deg(clean[0], rotation))
    assert np.quantile(turns_deg(found[0], rotation), 0.95) < 1.5
    assert np.median(np.linalg.norm(found[1] - translation, axis=1) / translation[:, 2]) < 0.005


def test_a_frame_does_not_depend_on_those_before_it() -> None:
    points, seen, *_ = scene(70, 40, 1.2)
    seen = seen + np.random.default_rng(5).normal(size=seen.shape)
    together = head_poses(points, seen, 1.2 * WIDTH, (WIDTH, WIDTH))
    for f in (0, 33, 69):
        alone = head_poses(points[f : f + 1], seen[f : f + 1], 1.2 * WIDTH, (WIDTH, WIDTH))
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a[f], b[0], rtol=1e-6, atol=1e-8)


def test_landmarks_that_give_no_pose_have_no_residual_and_harm_no_other_frame() -> None:
    points, seen, rotation, _ = scene(8, 40, 1.2, seed=6)
    seen[0] = np.nan
    seen[1, 11:] = np.nan  # eleven are too few
    seen[2] = 300.0  # all in one place
    points[3] = np.linspace(-0.05, 0.05, 40)[:, None] * np.ones(3)  # all on a line
    points[4] = np.nan
    points[5] = 0.0
    seen[6, 20:] = np.nan  # twenty are enough
    found, _, residual = head_poses(points, seen, 1.2 * WIDTH, (WIDTH, WIDTH))
    assert np.isnan(residual[:6]).all()
    np.testing.assert_array_equal(found[:6], np.tile(np.eye(3), (6, 1, 1)))
    assert turns_deg(found[6:], rotation[6:]).max() < 1e-3
    assert (residual[6:] < 1e-3).all()
    with np.errstate(all="raise"):
        assert head_poses(points[:0], seen[:0], 900.0, (WIDTH, WIDTH))[0].shape == (0, 3, 3)


def test_no_point_is_ever_behind_the_camera() -> None:
    """Landmarks at random, and a picture turned about its middle as points behind a camera would be seen."""
    points, seen, *_ = scene(60, 20, 0.6, seed=7)
    at_random = np.random.default_rng(8).uniform(0, WIDTH, seen.shape)
    for wrong in (at_random, 2 * CENTRE - seen):
        rotation, translation, residual = head_poses(points, wrong, 0.6 * WIDTH, (WIDTH, WIDTH))
        depth = (points @ rotation.transpose(0, 2, 1) + translation[:, None])[..., 2]
        posed = np.isfinite(residual)
        assert posed.any() and (depth[posed] > 0).all()
        np.testing.assert_allclose(np.linalg.det(rotation), 1.0, atol=1e-9)


def test_a_pose_known_roughly_is_refined_to_the_same() -> None:
    points, seen, rotation, translation = scene(30, 40, 1.2, seed=9)
    used = np.random.default_rng(10).random(seen.shape[:2]) < 0.8
    seen[~used] = np.nan
    sights = normalised(seen, 1.2 * WIDTH)
    found = find_poses(points, sights, used)
    rough = found._replace(
        rotation=Rotation.from_rotvec([0.1, -0.1, 0.05]).as_matrix() @ rotation, translation=translation * 1.1
    )
    refined = refine_poses(points, sights, used, rough)
    assert turns_deg(refined.rotation, found.rotation).max() < 1e-4


def test_how_far_a_landmark_is_missed_is_said_on_the_face() -> None:
    points, seen, rotation, translation = scene(3, 20, 1.2, seed=11)
    seen[:, 4] += [3.0, -2.0]
    seen[:, 5] = np.nan
    found = measure_misses(points, rotation, translation, seen, 1.2 * WIDTH, (WIDTH, WIDTH))
    depth = (points @ rotation.transpose(0, 2, 1) + translation[:, None])[:, 4, 2]
    np.testing.assert_allclose(found[:, 4], 1000 * np.outer(depth, [3.0, -2.0]) / (1.2 * WIDTH), rtol=1e-3)
    assert np.isnan(found[:, 5]).all()
    assert np.abs(np.delete(found, [4, 5], axis=1)).max() < 1e-3
