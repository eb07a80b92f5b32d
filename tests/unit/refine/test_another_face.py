"""A character that is not the actor: what is always different is taken away, what got worse is taken back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

torch = pytest.importorskip("torch")

from facecap_addon.landmarks.layout import layout_of  # noqa: E402
from facecap_addon.refine.energies.deep_energy import EnergyWeights  # noqa: E402
from facecap_addon.refine.energies.landmark_bias import (  # noqa: E402
    Disagreement,
    estimate_bias,
    measure_unlikeness,
    project_bias,
)
from facecap_addon.refine.energies.landmark_weights import weights_of  # noqa: E402
from facecap_addon.refine.flow.temporal import average_corrections  # noqa: E402
from facecap_addon.refine.guard import keep_better_regions  # noqa: E402
from facecap_addon.refine.levenberg_marquardt import minimise  # noqa: E402
from facecap_addon.refine.refine import SAME_FACE_MM  # noqa: E402
from facecap_addon.refine.schedule import key_regions, pass_again, passes_of  # noqa: E402
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
    lean = Rotation.from_euler("z", 0.3 * angle).as_matrix()
    crop = np.zeros((count, 2, 3))
    crop[:, :, :2] = 0.7 * lean[:, :2, :2]
    return lean @ Rotation.from_euler("y", angle).as_matrix() @ facing, crop


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
    found = estimate_bias(Disagreement(away[:, None], rotation, crop[None]), deep_scene.view(), 0, np.ones(40, bool))
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


def disagreements(count: int, worse: dict[str, list[int]]) -> tuple[Disagreement, Disagreement]:
    """Before and after a refinement that helped everywhere but for some frames of some regions."""
    random = np.random.default_rng(0)
    before = random.normal(0, 1.0, (count, 1, LAYOUT.count, 2))
    after = 0.5 * before
    members = {
        "brows": [*LAYOUT.brow_right, *LAYOUT.brow_left],
        "lids": [*LAYOUT.upper_lid_right, *LAYOUT.lower_lid_right, *LAYOUT.upper_lid_left, *LAYOUT.lower_lid_left],
        "mouth": [*LAYOUT.lips_inner_upper, *LAYOUT.lips_inner_lower, *LAYOUT.lips_outer_lower, *LAYOUT.jaw],
    }
    for region, rows in worse.items():
        some = np.ix_(rows, [0], list(members[region]))
        after[some] = 3 * before[some]
    turn, crop = turned_heads(count)
    return Disagreement(before, turn, crop[None]), Disagreement(after, turn, crop[None])


def test_a_region_that_got_worse_keeps_its_start_and_the_others_do_not() -> None:
    head = render_mesh()
    regions = key_regions(head)
    start, state = frames(9), frames(9)
    start.weights[:] = 0.2
    state.weights[:] = 0.6
    rows = np.arange(20, 29)
    before, after = disagreements(9, {"brows": [2], "mouth": [4, 5, 6]})
    guarded = keep_better_regions(before, after, start, state, weights_of(SCHEME), SCHEME, regions, rows)
    found = {region: guarded.state.weights[:, regions == region][:, 0] for region in ("brows", "eyes", "mouth", "jaw")}
    assert np.flatnonzero(guarded.kept["brows"]).tolist() == [2]
    assert np.flatnonzero(guarded.kept["mouth"]).tolist() == [4, 5, 6] and not guarded.kept["lids"].any()
    np.testing.assert_allclose(found["eyes"], 0.6)
    np.testing.assert_allclose(found["brows"], [0.6, 0.5, 0.4, 0.5, *[0.6] * 5])  # shared out: it does not flicker
    np.testing.assert_allclose(found["mouth"], [0.6, 0.6, 0.6, 0.5, 0.3, 0.2, 0.3, 0.5, 0.6])
    np.testing.assert_allclose(found["jaw"], found["mouth"])
    np.testing.assert_array_equal(guarded.state.translation, state.translation)


def test_frames_that_are_no_neighbours_in_time_have_no_say() -> None:
    start, state = frames(2), frames(2)
    start.weights[:], state.weights[:] = 0.0, 1.0
    before, after = disagreements(2, {"brows": [0]})
    regions = key_regions(render_mesh())
    rows = np.array([3, 40])
    found = keep_better_regions(before, after, start, state, weights_of(SCHEME), SCHEME, regions, rows).state
    brows = found.weights[:, regions == "brows"][:, 0]
    np.testing.assert_allclose(brows, [0.0, 1.0])


def test_a_blink_stays_as_fast_as_it_was_while_what_refining_adds_is_smoothed() -> None:
    count, blink = 12, render_mesh().channels.index("eyeBlinkLeft")
    start = frames(count)
    start.weights[:] = 0.1
    start.weights[6, blink] = 0.9
    noise = np.where(np.arange(count) % 2 == 0, 0.06, 0.0)
    state = DeepState(start.rotation, start.translation, start.weights.copy(), start.jaw)
    state.weights[:, blink] += noise
    out = average_corrections(render_mesh(), start, state, np.ones(count, bool), np.arange(count) / 25)
    np.testing.assert_allclose(out.weights[1:-1, blink] - start.weights[1:-1, blink], 0.03)
    np.testing.assert_allclose(out.translation, start.translation, atol=1e-12)


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
