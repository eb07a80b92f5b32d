"""Eyes: each looks where its own iris is, also where the two cross; under shut lids an iris says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.fit.energies.landmark_terms import SPANS, terms_for
from facecap_addon.fit.energies.visible_frames import find_visible_frames
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.gaze_measures import GAZE_MEASURES, compare_gaze, measure_gaze
from facecap_addon.takes.take import Take
from tests.unit.sample import FOCAL_PX, sample, seen

KEYS = ("eyeLookInLeft", "eyeLookOutLeft", "eyeLookInRight", "eyeLookOutRight")
# Straight ahead, both to the left, crossed, the right eye alone to the right.
POSES = {"ahead": (0, 0, 0, 0), "left": (0, 0.6, 0.6, 0), "crossed": (0.7, 0, 0.7, 0), "right alone": (0, 0, 0, 0.6)}
HOLD = 12


def _solve(match: str) -> dict[str, np.ndarray]:
    """The four keys in the middle of each pose, as solved of an actor who makes them in turn."""
    channels, response = sample().rig.channels, sample().response
    weights = np.zeros((HOLD * 2 * len(POSES), len(channels)), np.float32)
    for k, pose in enumerate(POSES.values()):
        weights[(2 * k + 1) * HOLD : (2 * k + 2) * HOLD, [channels.index(key) for key in KEYS]] = pose
    still = np.zeros((len(weights), 3))
    observed = seen(response.rest, response.deltas, weights, still, still + np.array([0, 0, 0.6]))
    settings = FitSettings(focal_px=FOCAL_PX, match=match)
    take = solve_take(observed, sample().rig, sample().embedding, settings, response=response)
    middle = {name: (2 * k + 1) * HOLD + HOLD // 2 for k, name in enumerate(POSES)}
    return {name: take.weights[row, [channels.index(key) for key in KEYS]] for name, row in middle.items()}


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(("match", "share"), [("look", 0.7), ("weights", 0.5)])
def test_each_eye_looks_for_itself(match: str, share: float) -> None:
    found = _solve(match)
    assert found["crossed"][[0, 2]].min() > share * 0.7, found
    assert found["crossed"][[1, 3]].max() < 0.12, found
    assert found["left"][[1, 2]].min() > share * 0.6, found
    assert found["right alone"][3] > share * 0.6, found
    assert found["right alone"][[0, 1]].max() < 0.6 * found["right alone"][3], found
    assert found["ahead"].max() < 0.12, found


@pytest.mark.usefixtures("models")
def test_who_crosses_her_eyes_all_the_time_is_seen_to() -> None:
    """What never changes is not always the actor: irises lie alike between the corners of everybody's eyes."""
    channels, response = sample().rig.channels, sample().response
    inwards = [channels.index(key) for key in ("eyeLookInLeft", "eyeLookInRight")]
    weights = np.zeros((40, len(channels)), np.float32)
    weights[:, inwards] = 0.8
    weights[15:25, inwards] = 0.5  # 15 degrees each
    still = np.zeros((len(weights), 3))

    def solve(rest: np.ndarray, weights: np.ndarray) -> Take:
        observed = seen(rest, response.deltas, weights, still, still + np.array([0, 0, 0.6]))
        settings = FitSettings(focal_px=FOCAL_PX, match="look")
        return solve_take(observed, sample().rig, sample().embedding, settings, response=response)

    crossed = solve(response.rest, weights)
    assert crossed.weights[:15, inwards].min() > 0.3
    assert crossed.gaze_rad[:15, 0, 0].min() > 0.05 and crossed.gaze_rad[:15, 1, 0].max() < -0.05
    # Whose eyes lie half a millimetre closer together does not squint.
    closer = response.rest.copy()
    closer[468:473, 0] += 0.0005
    closer[473:478, 0] -= 0.0005
    assert solve(closer, 0 * weights).weights[:, inwards].max() < 0.1


def test_under_shut_lids_an_iris_has_no_weight() -> None:
    channels, response = sample().rig.channels, sample().response
    weights = np.zeros((2, len(channels)), np.float32)
    weights[1, channels.index("eyeBlinkLeft")] = 1
    still = np.zeros((2, 3))
    observed = seen(response.rest, response.deltas, weights, still, still + np.array([0, 0, 0.6]))
    terms = terms_for("mediapipe-478")
    found = find_visible_frames(observed, np.ones(478, bool), terms)
    weight = found.landmarks(slice(None))[1]
    to_iris = [np.flatnonzero(np.isin(terms.gap_upper, iris) & (terms.gap_group == SPANS)) for iris in terms.irises]
    assert all(len(spans) == 2 for spans in to_iris)
    for iris, spans, share in zip(terms.irises, to_iris, (1.0, 0.0), strict=True):
        columns = [*iris, *(len(terms.used) + spans)]
        np.testing.assert_allclose(weight[1, columns], share * weight[0, columns], atol=0.05 * weight[0, columns].max())


def _face(right: tuple[float, float] = (0, 0), left: tuple[float, float] = (0, 0), lids: float = 0.1) -> np.ndarray:
    """(478, 3): eyes one wide, irises so many widths aside and up from their middles."""
    points = np.zeros((478, 3))
    for middle, iris, one, other, upper, lower, (aside, up) in (
        (-1.0, 468, 33, 133, 159, 145, right),
        (1.0, 473, 362, 263, 386, 374, left),
    ):
        points[[one, other, iris], 0] = middle - 0.5, middle + 0.5, middle + aside
        points[iris, 1] = -up
        points[[upper, lower], 1] = -lids, lids
    return points


def test_gaze_measures_are_what_they_say() -> None:
    faces = np.stack([_face(), _face((0.2, 0.1), (0.2, 0.1)), _face((0.2, 0), (-0.1, 0)), _face(lids=0.03)])
    found = measure_gaze(faces)
    expected = [(0, 0, 0, 0, 0), (0.2, 0.2, 0.1, 0.1, 0), (0.2, -0.1, 0, 0, -0.3)]
    np.testing.assert_allclose(found[:3], expected, atol=1e-12)
    assert np.isnan(found[3]).all()


def test_a_head_that_looks_straight_ahead_does_not_follow_crossing_eyes() -> None:
    turn = 0.2 * np.sin(np.linspace(0, 6, 50))
    crossing = measure_gaze(np.stack([_face((t, 0), (-t, 0)) for t in turn]))
    half = compare_gaze(crossing, crossing * 0.5)
    assert half.names == tuple(name for name in GAZE_MEASURES if not name.startswith("up"))
    np.testing.assert_allclose(half.gain, 0.5)
    still = compare_gaze(crossing, measure_gaze(np.stack([_face() for _ in turn])))
    assert np.abs(still.gain).max() == 0
