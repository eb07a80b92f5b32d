"""Optical flow from geometry, gaps filled by it, and frames made consistent by it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

torch = pytest.importorskip("torch")

from facecap_addon.refine.flow import infill as infilling  # noqa: E402
from facecap_addon.refine.flow.infill import FurtherFlow, gaps_of, infill, interpolate_gap  # noqa: E402
from facecap_addon.refine.flow.optical_flow import DisFlow, FootageFlow  # noqa: E402
from facecap_addon.refine.flow.rendered_flow import RenderedFlow  # noqa: E402
from facecap_addon.refine.flow.surface_points import ViewedPoints, sample_surface_points  # noqa: E402
from facecap_addon.refine.flow.temporal import (  # noqa: E402
    Motion,
    average_neighbours,
    average_rotations,
    refine_in_time,
    smooth_corrections,
)
from facecap_addon.refine.state import DeepState, differentiate_vertices, head_points  # noqa: E402
from facecap_addon.render.renderer import Appearance  # noqa: E402
from tests.unit.deep_scene import SIZE, frames, light, one, picture, render_mesh, view  # noqa: E402
from tests.unit.refine.test_deep_energy import aside  # noqa: E402


def head_rmse_mm(found: DeepState, true: DeepState) -> float:
    """RMSE of the face's vertices in the camera's space."""
    points = [
        head_points(render_mesh(), s.weights, s.jaw).numpy() @ s.rotation.transpose(0, 2, 1).astype(np.float32)
        + s.translation[:, None].astype(np.float32)
        for s in (found, true)
    ]
    return float(np.sqrt(((points[0] - points[1]) ** 2).sum(-1).mean())) * 1000


def test_the_flow_of_geometry_is_the_flow_that_is_seen() -> None:
    """DIS, which only sees the two pictures, finds what the geometry says."""
    state = frames(12)
    viewed = ViewedPoints(render_mesh(), sample_surface_points(render_mesh()), view())
    places, _ = viewed.project(state)
    footage = FootageFlow(DisFlow(), lambda row: picture(one(state, row)))
    for first in (2, 7):
        found, comes_back = footage.pair(first, first + 1, places[first]).at(places[first])
        true = places[first + 1] - places[first]
        seen = viewed.find_visible(one(state, first)) & (comes_back < 1.0)
        assert seen.mean() > 0.6
        away = np.linalg.norm(found - true, axis=1)[seen]
        motion = np.median(np.linalg.norm(true, axis=1))
        assert motion > 3.0  # it does move
        assert np.median(away) < 0.1 * motion
        assert np.quantile(away, 0.9) < 0.35 * motion


def test_unknowns_move_the_surface_as_their_derivatives_say() -> None:
    head = render_mesh()
    state = one(frames(9), 4)
    viewed = ViewedPoints(head, sample_surface_points(head, 50), view())
    by_unknown = viewed.differentiate(state)
    for unknown in (0, 1, 2, 3, 4, 5, 6 + head.channels.index("jawOpen"), 6 + head.channels.index("mouthPucker")):
        step = np.zeros((1, head.unknowns))
        step[0, unknown] = 1e-3
        moved = [viewed.project(state.with_step(sign * step, head))[0][0] for sign in (1, -1)]
        if state.weights[0, max(unknown - 6, 0)] < 1e-3 and unknown >= 6:  # at its bound: one side only
            difference = (moved[0] - viewed.project(state)[0][0]) / 1e-3
        else:
            difference = (moved[0] - moved[1]) / 2e-3
        np.testing.assert_allclose(by_unknown[:, :, unknown], difference, rtol=0.02, atol=0.5)
    assert differentiate_vertices(head, state, np.arange(4)).shape == (4, 3, head.unknowns)


@pytest.mark.parametrize("gap", [(4, 6), (2, 8)])
def test_a_gap_is_filled_better_than_by_interpolation(gap: tuple[int, int]) -> None:
    """The mouth stays open and shuts at once inside the gap; flow sees that (Bao et al., figure 9)."""
    state = frames(11)
    time_s = np.arange(11) / 25
    broken = state.part(slice(None))
    rows = np.arange(gap[0], gap[1] + 1)
    broken.weights[rows] = 0.0
    pictures = {row: picture(one(state, row)) for row in range(gap[0] - 1, gap[1] + 2)}
    keys = np.eye(len(render_mesh().channels)) / 0.3**2
    smooth = np.concatenate([np.full(3, 2e4), np.full(3, 2e5), np.full(len(keys), 12.0)])
    viewed = ViewedPoints(render_mesh(), sample_surface_points(render_mesh()), view())
    footage = FootageFlow(DisFlow(), pictures.__getitem__)
    found = infill(viewed, footage, broken, gap, time_s, keys, smooth)
    between = interpolate_gap(state, gap[0] - 1, gap[1] + 1, time_s)
    true = state.part(rows)
    assert head_rmse_mm(found, true) < 0.7 * head_rmse_mm(between, true)
    # What flow gets wrong makes the face swell and shrink: the head does not go to and fro with it.
    assert 1000 * np.abs(found.translation[:, 2] - true.translation[:, 2]).max() < 0.15


def test_gaps_have_a_good_frame_on_both_sides() -> None:
    bad = np.array([1, 0, 1, 1, 0, 0, 1, 0, 1, 1], bool)
    assert gaps_of(bad) == [(2, 3), (6, 6)]
    assert gaps_of(np.zeros(4, bool)) == []


def test_interpolation_is_linear_and_spherical() -> None:
    state = frames(5)
    time_s = np.array([0.0, 0.04, 0.2, 0.24, 0.28])
    state.rotation[1] = np.eye(3)
    state.rotation[3] = Rotation.from_rotvec([0, 0, 1.2]).as_matrix()
    middle = interpolate_gap(state, 1, 3, time_s)
    np.testing.assert_allclose(Rotation.from_matrix(middle.rotation[0]).as_rotvec(), [0, 0, 0.96], atol=1e-9)
    np.testing.assert_allclose(middle.weights[0], 0.2 * state.weights[1] + 0.8 * state.weights[3])


def test_the_mean_of_rotations_is_markleys() -> None:
    turns = Rotation.from_rotvec([[0, 0, 0.2], [0, 0, 0.4], [0, 0, 0.9]]).as_matrix()
    found = average_rotations(turns[:, None], np.array([0.25, 0.5, 0.25]))[0]
    # The quaternion mean of turns about one axis: weighted sums of sine and cosine of half angles, squared forms.
    angles, shares = np.array([0.2, 0.4, 0.9]), np.array([0.25, 0.5, 0.25])
    expected = 0.5 * np.arctan2((shares * np.sin(angles)).sum(), (shares * np.cos(angles)).sum()) * 2
    np.testing.assert_allclose(Rotation.from_matrix(found).as_rotvec(), [0, 0, expected], atol=1e-9)
    opposite = average_rotations(np.stack([turns[0], turns[0]])[:, None], np.array([0.5, 0.5]))[0]
    np.testing.assert_allclose(opposite, turns[0], atol=1e-12)


@pytest.mark.parametrize("method", ["hybrid", "plate flow", "self flow", "averaging"])
def test_refinement_in_time_steadies_without_leaving_the_footage(method: str) -> None:
    """Noise on every frame; the flow of the footage is known exactly. The bend shrinks, the error does not grow."""
    true = frames(16)
    head = render_mesh()
    viewed = ViewedPoints(head, sample_surface_points(head, 200), view())
    random = np.random.default_rng(4)
    noisy = true.part(slice(None))
    noisy.rotation = Rotation.from_rotvec(random.normal(0, 0.004, (16, 3))).as_matrix() @ true.rotation
    noisy.translation = true.translation + random.normal(0, 0.0006, (16, 3))
    noisy.weights = np.clip(true.weights + random.normal(0, 0.02, true.weights.shape), 0, 1)
    places = viewed.project(true)[0]
    motion = Motion(np.diff(places, axis=0).astype(np.float32), np.ones(places[1:, :, 0].shape, np.float32))
    good = np.ones(16, bool)
    keys = np.eye(len(head.channels)) / 0.05**2
    found = refine_in_time(viewed, noisy, motion, good, np.arange(16) / 25, keys, method=method)

    def bend(state: DeepState) -> float:
        return float(np.abs(np.diff(viewed.project(state)[0], 2, axis=0)).mean())

    assert bend(found) < 0.8 * bend(noisy)
    if method in ("hybrid", "plate flow"):
        assert head_rmse_mm(found, true) < head_rmse_mm(noisy, true)
    most = good & (np.arange(16) != 8)
    held = refine_in_time(viewed, noisy, motion, most, np.arange(16) / 25, keys, method=method)
    for row in (7, 8, 9):  # a missing frame joins nothing
        np.testing.assert_array_equal(held.weights[row], noisy.weights[row])


def test_averaging_leaves_the_ends_alone() -> None:
    state = frames(6)
    joined = np.array([False, True, True, True, True, False])
    found = average_neighbours(state, joined)
    np.testing.assert_array_equal(found.weights[[0, 5]], state.weights[[0, 5]])
    np.testing.assert_allclose(
        found.weights[2], 0.25 * state.weights[1] + 0.5 * state.weights[2] + 0.25 * state.weights[3]
    )


def test_the_memory_of_a_gap_does_not_grow_with_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute was 81 GiB of normal equations, besides every picture and every flow."""
    monkeypatch.setattr(infilling, "_KEPT_PAIRS", 3)
    monkeypatch.setattr(infilling, "_KEPT_PICTURES", 4)
    state = frames(16)
    viewed = ViewedPoints(render_mesh(), sample_surface_points(render_mesh(), 20), view())
    asked: list[int] = []
    drawn = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)

    def read(row: int) -> np.ndarray:
        asked.append(row)
        return drawn

    chain = infilling._Chain(viewed, FootageFlow(lambda first, _: np.zeros((*first.shape[:2], 2), np.float32), read), 1)
    for row in [*range(1, 14), *range(13, 0, -1)]:
        chain.targets(row, row + 1, one(state, row))
        assert len(chain._pairs) <= 3 and len(chain._pictures) <= 4
    # Going back, a video is read forward in pieces, not from its beginning for every frame.
    jumps = sum(later < earlier for earlier, later in pairwise(asked))
    assert len(asked) < 45 and jumps < 8, asked


def test_a_frame_without_a_result_beyond_the_gap_has_no_say_in_it() -> None:
    state, time_s = frames(9), np.arange(9) / 25
    keys = np.eye(len(render_mesh().channels)) / 0.3**2
    smooth = np.full(6 + len(keys), 50.0)
    viewed = ViewedPoints(render_mesh(), sample_surface_points(render_mesh(), 60), view())
    pictures = {row: picture(one(state, row)) for row in (3, 4, 5)}
    good = np.ones(9, bool)
    good[[2, 4]] = False
    found = []
    for weights_beyond in (0.0, 1.0):
        state.weights[2] = weights_beyond
        footage = FootageFlow(DisFlow(), pictures.__getitem__)
        found.append(infill(viewed, footage, state, (4, 4), time_s, keys, smooth, good=good).weights)
    np.testing.assert_allclose(found[0], found[1], atol=1e-9)


def test_smoothness_says_how_much_neighbours_count() -> None:
    true, head = frames(12), render_mesh()
    noisy = true.part(slice(None))
    noisy.weights = np.clip(true.weights + np.random.default_rng(1).normal(0, 0.05, true.weights.shape), 0, 1)
    good, time_s = np.ones(12, bool), np.arange(12) / 25
    viewed = ViewedPoints(head, sample_surface_points(head, 20), view())
    none = Motion(np.zeros((11, 20, 2), np.float32), np.zeros((11, 20), np.float32))
    keys = np.eye(len(head.channels))
    bends = []
    for smoothness in (0.0, 0.3, 1.0, 3.0):
        steady = refine_in_time(viewed, noisy, none, good, time_s, keys, method="averaging", smoothness=smoothness)
        added = smooth_corrections(head, true, noisy, good, time_s, np.zeros(len(keys), bool), smoothness)
        bends.append([np.abs(np.diff(found.weights, 2, axis=0)).mean() for found in (steady, added)])
    np.testing.assert_allclose(bends[0], np.abs(np.diff(noisy.weights, 2, axis=0)).mean())
    assert (np.diff(bends, axis=0) < 0).all(), bends


def test_what_flow_gets_wrong_on_renders_is_found() -> None:
    """A flow that always sees a third too little: what is wrong is a third of the surface's motion."""
    state, head = frames(12), render_mesh()
    viewed = ViewedPoints(head, sample_surface_points(head, 200), view())
    first, second = one(state, 4), one(state, 5)
    motion = viewed.project(second)[0][0] - viewed.project(first)[0][0]
    dis = DisFlow()
    look = Appearance(head.colors, light())
    visible = viewed.find_visible(first)
    wrong = RenderedFlow(lambda a, b: 2 / 3 * dis(a, b), viewed, look).measure_error(first, second)
    right = RenderedFlow(dis, viewed, look).measure_error(first, second)
    size = np.median(np.linalg.norm(motion, axis=1)[visible])
    assert np.median(np.linalg.norm(right, axis=1)[visible]) < 0.2 * size
    known = (np.abs(right) > 0).all(1) & (np.abs(wrong) > 0).all(1) & visible
    assert known.mean() > 0.5
    np.testing.assert_allclose(wrong[known], (2 / 3 * (right + motion) - motion)[known], atol=1e-3)


def leaning() -> DeepState:
    """A head that comes a centimetre nearer for a moment: depth, which one camera hardly sees."""
    state = frames(9).part(slice(2, 7))
    state.rotation[:], state.translation[:], state.weights[:] = (
        state.rotation[2],
        state.translation[2],
        state.weights[2],
    )
    state.translation[:, 2] -= 0.01 * np.array([0.0, 0.5, 1.0, 0.5, 0.0])
    return state


def test_a_further_camera_fills_a_gap_with_the_depth_that_the_first_hardly_sees() -> None:
    state, time_s, side = leaning(), np.arange(5) / 25, aside()
    keys = np.eye(len(render_mesh().channels)) / 0.05**2
    smooth = np.concatenate([np.full(3, 2e4), np.full(3, 2e3), np.full(len(keys), 12.0)])
    points = sample_surface_points(render_mesh(), 200)
    pictures = [{row: picture(one(state, row), camera) for row in range(5)} for camera in (view(), side)]
    away_mm = []
    for further in (
        [],
        [
            FurtherFlow(
                ViewedPoints(render_mesh(), points, side),
                FootageFlow(DisFlow(), pictures[1].__getitem__),
                np.ones(5, bool),
            )
        ],
    ):
        viewed = ViewedPoints(render_mesh(), points, view())
        footage = FootageFlow(DisFlow(), pictures[0].__getitem__)
        found = infill(viewed, footage, state, (1, 3), time_s, keys, smooth, further=further)
        away_mm.append(1000 * float(np.abs(found.translation[:, 2] - state.translation[1:4, 2]).max()))
    assert away_mm[1] < 0.5 * away_mm[0], away_mm
    assert away_mm[1] < 2.5, away_mm


def test_between_neighbours_a_further_camera_tells_what_the_first_does_not_show() -> None:
    """The head comes nearer for a moment; averaging blurs that, and the flow of a camera aside brings it back."""
    true, head = leaning(), render_mesh()
    points = sample_surface_points(head, 100)
    by = [ViewedPoints(head, points, camera) for camera in (view(), aside())]
    seen = [np.diff(viewed.project(true)[0], axis=0).astype(np.float32) for viewed in by]
    hidden, shown = (
        Motion(of, np.full(of.shape[:2], share, np.float32)) for of, share in zip(seen, (0, 1), strict=True)
    )
    keys, off_mm = np.eye(len(head.channels)) / 0.01**2, []
    for further in ([], [(by[1], shown)]):
        found = refine_in_time(by[0], true, hidden, np.ones(5, bool), np.arange(5) / 25, keys, further=further)
        off_mm.append(1000 * float(np.abs(found.translation[:, 2] - true.translation[:, 2]).sum()))
    assert off_mm[0] > 2.0
    assert off_mm[1] < 0.7 * off_mm[0], off_mm
