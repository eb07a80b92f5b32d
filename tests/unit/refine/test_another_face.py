"""A character that is not the actor: what is always different is taken away, what got worse is taken back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

torch = pytest.importorskip("torch")

from facecap_addon.landmarks.layout import layout_of  # noqa: E402
from facecap_addon.refine.energies.appearance import lit_appearance, observe_surface, own_appearance  # noqa: E402
from facecap_addon.refine.energies.deep_energy import EnergyWeights  # noqa: E402
from facecap_addon.refine.energies.landmark_bias import (  # noqa: E402
    Disagreement,
    estimate_bias,
    measure_unlikeness,
    project_bias,
)
from facecap_addon.refine.energies.landmark_weights import weights_of  # noqa: E402
from facecap_addon.refine.flow.temporal import mean_in_time, smooth_corrections  # noqa: E402
from facecap_addon.refine.guard import take_what_helped  # noqa: E402
from facecap_addon.refine.levenberg_marquardt import minimise  # noqa: E402
from facecap_addon.refine.refine import SAME_FACE_MM  # noqa: E402
from facecap_addon.refine.schedule import key_regions, moves_slowly, pass_again, passes_of  # noqa: E402
from facecap_addon.refine.settings import DeepSettings  # noqa: E402
from facecap_addon.refine.state import DeepState, head_points  # noqa: E402
from tests.unit import deep_scene  # noqa: E402
from tests.unit.deep_scene import frames, render_mesh  # noqa: E402
from tests.unit.refine.test_deep_energy import FRAME, energy_of  # noqa: E402

SCHEME = "mediapipe-478"
LAYOUT = layout_of(SCHEME)


def turned_heads(count: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 3, 3) rotations of a head that looks around, and (N, 2, 3) crops that lean with it."""
    angle = np.linspace(-0.5, 0.5, count)
    facing = Rotation.from_euler("x", 90, degrees=True).as_matrix()
    lean = Rotation.from_euler("z", 0.3 * angle[:, None]).as_matrix()
    crop = np.zeros((count, 2, 3))
    crop[:, :, :2] = 0.7 * lean[:, :2, :2]
    return lean @ Rotation.from_euler("y", angle[:, None]).as_matrix() @ facing, crop


def another_face() -> np.ndarray:
    """(L, 3) mm: how the actor's features lie elsewhere."""
    return np.random.default_rng(3).normal(0, 3.0, (LAYOUT.count, 3)) * [1.0, 0.2, 1.0]


def long_face() -> np.ndarray:
    """(L, 3) mm: an actor with a wider and lower mouth, higher brows and a lower chin."""
    bias = np.zeros((LAYOUT.count, 3))
    lips = np.flatnonzero(weights_of(SCHEME).mouth)
    bias[lips, 0] = 150 * render_mesh().landmarks[lips, 0]
    bias[lips, 2] = -3.0
    bias[[*LAYOUT.brow_right, *LAYOUT.brow_left], 2] = 5.0
    bias[list(LAYOUT.jaw), 2] = -5.0
    return bias


def test_what_is_always_different_is_found_however_the_head_turns_and_whatever_is_said() -> None:
    rotation, crop = turned_heads(40)
    bias = another_face()
    away = project_bias(bias, rotation, deep_scene.view(), crop)
    talks = np.zeros(40, bool)
    talks[5:17] = True
    away[np.flatnonzero(talks)[:, None], np.array(LAYOUT.lips_inner_lower)] += (
        8.0  # an open mouth that the start has not found
    )
    seen = np.ones((40, 1), bool)
    found = estimate_bias(Disagreement(away[:, None], rotation, crop[None], seen), deep_scene.view(), 0, seen[:, 0])
    off = project_bias(found - bias, rotation, deep_scene.view(), crop)
    assert np.abs(off).max() < 0.6
    assert np.sqrt((off**2).mean()) < 0.1


def test_a_face_that_sits_a_little_lower_is_no_other_face() -> None:
    trusted = weights_of(SCHEME)
    spans = trusted.spans[trusted.proportions]
    assert measure_unlikeness(np.tile([1.0, 5.0, -4.0], (LAYOUT.count, 1)), spans) == 0.0
    assert measure_unlikeness(long_face(), spans) > SAME_FACE_MM
    wild = np.zeros((LAYOUT.count, 3))
    wild[[0, 10, 152]] = 20.0  # a landmark or two that hair or a beard carries off
    assert measure_unlikeness(wild, spans) < SAME_FACE_MM


def test_a_character_is_lit_as_the_footage_is_and_keeps_its_own_features() -> None:
    """The footage is of a darker head in another light than previews have."""
    head, seen = render_mesh(), deep_scene.picture(FRAME)
    darker = observe_surface(head, FRAME, deep_scene.view(), seen)
    darker = replace(darker, color=darker.color * torch.tensor([0.4, 0.3, 0.25]))
    look = lit_appearance(head, [darker])
    torch.testing.assert_close(look.albedo, head.colors)
    shown = darker.weight > 0.3
    off = {
        name: float((darker.basis @ drawn.light * drawn.albedo - darker.color)[shown].abs().mean())
        for name, drawn in (("lit", look), ("own", own_appearance(head)))
    }
    assert off["lit"] < 0.3 * off["own"], off  # what ambient occlusion takes away is not in the picture
    away = FRAME.part(slice(None))
    away.translation[:, 0] += 5.0
    unseen = observe_surface(head, away, deep_scene.view(), seen)
    torch.testing.assert_close(lit_appearance(head, [unseen]).light, own_appearance(head).light)


def test_keys_come_back_though_the_actor_has_another_face(models: object) -> None:
    """The actor's mouth is wider and lower, her brows higher, her chin lower, throughout: that is no expression."""
    start = FRAME.part(slice(None))
    opening = render_mesh().channels.index("jawOpen")
    start.weights[0, opening] = 0.35
    parts, free = EnergyWeights(spans=1.0, by_geometry=True), np.zeros(render_mesh().unknowns, bool)
    free[6:] = True
    ended = {"start": start}
    for known in ("bias known", "bias unknown"):
        energy = energy_of(start, [deep_scene.view()])
        plates, bias = energy.plates[0], long_face()
        in_mm = plates.pixel_mm(energy.views[0], FRAME.translation[:, 2], 2)
        aside = project_bias(bias, FRAME.rotation, energy.views[0], plates.image_from_fine) / in_mm[:, None, None]
        energy.plates[0] = replace(plates, target=plates.target - torch.from_numpy(aside).float())
        energy.bias_mm = [bias] if known == "bias known" else None
        keys = len(render_mesh().channels)
        energy.expect(replace(energy.expected, weights=start.weights, precision=np.eye(keys) / 0.2**2))
        ended[known] = minimise(energy, start, parts, free, 4).state
    off_mm = {name: surface_error_mm(state) for name, state in ended.items()}
    assert off_mm["bias known"] < 0.6 * off_mm["start"], off_mm
    assert off_mm["bias known"] < 0.6 * off_mm["bias unknown"], off_mm
    opened = {name: float(state.weights[0, opening] - FRAME.weights[0, opening]) for name, state in ended.items()}
    assert abs(opened["bias known"]) < 0.4 * abs(opened["start"]), opened


def surface_error_mm(state: DeepState) -> float:
    """Root-mean-square distance of the face's surface from the true frame's, as seen from the front."""
    away = head_points(render_mesh(), state.weights, state.jaw) - head_points(render_mesh(), FRAME.weights, FRAME.jaw)
    return 1000 * float((away[..., [0, 2]] ** 2).sum(-1).mean().sqrt())


MEMBERS = {
    "brows": [*LAYOUT.brow_right, *LAYOUT.brow_left],
    "lids": [*LAYOUT.upper_lid_right, *LAYOUT.lower_lid_right, *LAYOUT.upper_lid_left, *LAYOUT.lower_lid_left],
    "mouth": [
        *(*LAYOUT.lips_inner_upper, *LAYOUT.lips_inner_lower, *LAYOUT.lips_outer_upper, *LAYOUT.lips_outer_lower),
        *LAYOUT.jaw,
    ],
}


def disagreements(left: dict[str, np.ndarray]) -> tuple[Disagreement, Disagreement]:
    """Before and after a refinement that left so much (N,) of what differed in the landmarks of a region.

    What differs around the regions is nothing: only the regions' own landmarks say how far to go.
    """
    count = len(next(iter(left.values())))
    before = np.zeros((count, 1, LAYOUT.count, 2))
    after = np.zeros_like(before)
    random = np.random.default_rng(0)
    for region, share in left.items():
        here = np.ix_(list(range(count)), [0], MEMBERS[region])
        before[here] = random.normal(0, 1.0, before[here].shape)
        after[here] = share[:, None, None, None] * before[here]
    turn, crop = turned_heads(count)
    seen = np.ones((count, 1), bool)
    return Disagreement(before, turn, crop[None], seen), Disagreement(after, turn, crop[None], seen)


def helped(left: dict[str, np.ndarray], time_s: np.ndarray) -> dict[str, np.ndarray]:
    """(N,) the share of the refinement that the guard takes over, as the keys of each region show it."""
    count, regions = len(time_s), key_regions(render_mesh())
    start, state = frames(count), frames(count)
    start.weights[:], state.weights[:] = 0.2, 0.6
    state.translation[:] += 0.01
    found = take_what_helped(*disagreements(left), start, state, weights_of(SCHEME), SCHEME, regions, time_s)
    np.testing.assert_array_equal(found.state.translation, state.translation)
    shares = {}
    for region, keys in (("brows", "brows"), ("lids", "eyes"), ("mouth", "mouth"), ("mouth", "jaw")):
        mine = (found.state.weights[:, regions == keys] - 0.2) / 0.4
        np.testing.assert_allclose(mine, np.tile(found.share[region][:, None], mine.shape[1]), atol=1e-9)
        shares[region] = found.share[region]
    return shares


def test_of_what_went_too_far_as_much_is_taken_as_the_network_agrees_with_best() -> None:
    # What is left, and where between start and refinement nothing is left: from 1 to -0.5, two thirds of the way.
    for left, best in ((1.5, 0.0), (-0.5, 2 / 3), (0.0, 1.0), (0.7, 1.0)):
        for region in MEMBERS:
            np.testing.assert_allclose(helped({region: np.full(30, left)}, np.arange(30) / 25)[region], best)


def test_a_camera_that_shows_no_face_has_no_say_in_what_helped() -> None:
    """What it holds of frames without a face is no difference to the footage, nor an agreement with it."""
    count, time_s = 20, np.arange(20) / 25
    found = []
    for beside in (0.0, 50.0):
        sides = []
        for of in disagreements({"mouth": np.full(count, 0.2)}):
            away = np.concatenate([of.away_mm, np.full_like(of.away_mm, beside)], axis=1)
            away[10:, 1] = away[10:, 0]
            seen = np.ones((count, 2), bool)
            seen[:10, 1] = False
            sides.append(replace(of, away_mm=away, seen=seen))
        start, state = frames(count), frames(count)
        regions = key_regions(render_mesh())
        found.append(take_what_helped(*sides, start, state, weights_of(SCHEME), SCHEME, regions, time_s).share["mouth"])
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[0], 1.0)


def test_what_helped_for_a_while_is_faded_in_and_out_and_a_single_frame_does_not_switch() -> None:
    time_s = np.arange(150) / 25
    worse = np.zeros(150)
    worse[60:] = 1.3
    flicker = np.zeros(150)
    flicker[75] = 1.3
    for region in MEMBERS:
        share = helped({region: worse}, time_s)[region]
        assert share[:45].min() > 0.6 and share[75:].max() < 0.2, share
        assert np.abs(np.diff(share)).max() < 0.15
        assert helped({region: flicker}, time_s)[region].min() > 0.7


def test_frames_on_both_sides_of_a_hole_have_no_say_in_each_other() -> None:
    values = np.concatenate([np.zeros((10, 1)), np.ones((10, 1))])
    time_s = np.concatenate([np.arange(10), np.arange(10) + 20]) / 25
    np.testing.assert_allclose(mean_in_time(values, time_s, 0.5), values)
    np.testing.assert_allclose(mean_in_time(values, np.arange(20) / 25, 0.5)[9:11, 0], 0.5, atol=0.1)


def test_means_in_time_are_over_seconds_whatever_the_frame_rate() -> None:
    found = {}
    for fps in (25, 100):
        time_s = np.arange(2 * fps + 1) / fps
        found[fps] = mean_in_time(np.cos(2 * np.pi * 2 * time_s)[:, None], time_s, 0.05)[fps, 0]
    np.testing.assert_allclose(list(found.values()), np.exp(-0.5 * (2 * np.pi * 2 * 0.05) ** 2), rtol=0.02)


def test_a_blink_stays_as_fast_as_it_was_while_what_refining_adds_is_smoothed() -> None:
    count = 50
    blink, jaw, brow = (render_mesh().channels.index(name) for name in ("eyeBlinkLeft", "jawOpen", "browInnerUp"))
    start = frames(count)
    start.weights[:] = 0.1
    start.weights[26, blink] = 0.9
    noise = np.where(np.arange(count) % 2 == 0, 0.06, 0.0)
    slow = 0.1 + 0.1 * np.sin(2 * np.pi * np.arange(count) / 40)
    state = DeepState(start.rotation, start.translation.copy(), start.weights.copy(), start.jaw)
    state.weights[:, blink] += noise
    state.weights[:, jaw] += slow
    state.weights[26, [jaw, brow]] += 0.1
    state.translation[:, 2] += noise / 10
    slow_keys = moves_slowly(key_regions(render_mesh()))
    out = smooth_corrections(render_mesh(), start, state, np.ones(count, bool), np.arange(count) / 25, slow_keys)
    added = out.weights - start.weights
    np.testing.assert_allclose(added[5:-5, blink], 0.03, atol=0.001)
    np.testing.assert_allclose(added[5:20, jaw], slow[5:20], atol=0.01)
    assert added[26, brow] < 0.5 * (added[26, jaw] - slow[26]) < 0.03  # a single frame's error: brows are slow
    np.testing.assert_allclose(out.translation[14:-14, 2] - start.translation[14:-14, 2], 0.003, atol=1e-5)
    was, raw, smoothed = (np.abs(np.diff(of.weights, 2, axis=0)).mean() for of in (start, state, out))
    assert smoothed - was < 0.1 * (raw - was)


def test_frames_without_a_result_are_left_out_of_the_smoothing() -> None:
    start, state = frames(9), frames(9)
    start.weights[:], state.weights[:] = 0.1, 0.2
    state.weights[4] = 0.9  # failed
    good = np.arange(9) != 4
    out = smooth_corrections(
        render_mesh(), start, state, good, np.arange(9) / 25, np.zeros(start.weights.shape[1], bool)
    )
    np.testing.assert_allclose(out.weights[good], 0.2)
    np.testing.assert_allclose(out.weights[4], 0.9)


def test_without_the_pictures_say_the_network_moves_the_keys() -> None:
    by_network = passes_of(DeepSettings(), by_picture=False)
    moving = [stage for one in by_network for stage in one.stages if stage.keys != "none"]
    assert moving and all(stage.weights.network > 0 and stage.weights.picture == 0 for stage in moving)


@pytest.mark.parametrize("by_picture", [True, False])
def test_what_is_set_reaches_the_stages_that_move_keys(by_picture: bool) -> None:
    settings = DeepSettings(edges=0.5, ridge=3.0)
    passes = [*passes_of(settings, by_picture=by_picture), pass_again(settings)]
    moving = [stage.weights for one in passes for stage in one.stages if stage.keys != "none"]
    assert moving and all(weights.edges == 0.5 and weights.ridge == 3.0 and weights.looks for weights in moving)


def test_the_papers_schedule_ends_with_the_papers_stages() -> None:
    settings = DeepSettings(schedule="paper")
    (only,) = passes_of(settings)
    assert only.stages[-1].name == "jaw, mouth and head" and only.finds_failures
    for stage in (*only.stages, *pass_again(settings).stages):
        weights = stage.weights
        assert weights.picture == 0 and weights.network > 0 and not weights.by_geometry and weights.robust_mm > 1000
    assert [stage.pose for stage in pass_again(settings).stages] == ["none"]
