"""Corrected frames are hit, their neighbours follow, and nothing far away changes."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.errors import FacecapError
from facecap_addon.fit.actor.channel_gains import learn_from_corrections
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.layout import MEDIAPIPE_478
from facecap_addon.landmarks.observations import Observations
from facecap_addon.takes.actor import Actor, ChannelGain
from facecap_addon.takes.corrections import Correction, corrections_of, seen_and_wanted
from facecap_addon.takes.take import Take
from tests.unit.sample import FOCAL_PX, SIZE, sample, seen

SETTINGS = FitSettings(focal_px=FOCAL_PX)
FRAMES, AT, FPS = 90, 45, 30.0
SMILES = ("mouthSmileLeft", "mouthSmileRight")
LIPS = sorted(
    {
        *(*MEDIAPIPE_478.lips_outer_upper, *MEDIAPIPE_478.lips_outer_lower),
        *(*MEDIAPIPE_478.lips_inner_upper, *MEDIAPIPE_478.lips_inner_lower),
    }
)


def truth() -> np.ndarray:
    """(F, K) weights of a face that smiles and opens its mouth."""
    channels = sample().rig.channels
    weights = np.zeros((FRAMES, len(channels)))
    wave = 0.5 * (1 - np.cos(np.linspace(0, 4 * np.pi, FRAMES)))
    for name in SMILES:
        weights[:, channels.index(name)] = 0.7 * wave
    weights[:, channels.index("jawOpen")] = 0.3 * np.roll(wave, 11)
    return weights


def film(weights: np.ndarray) -> Observations:
    """Landmarks of weights (F, K) on a head that turns a little."""
    time = np.linspace(0, 2 * np.pi, len(weights))
    turn = 0.08 * np.stack([np.sin(time), np.cos(time), 0 * time], axis=1)
    shift = np.tile([0.0, 0.0, 0.6], (len(weights), 1))
    return seen(sample().response.rest, sample().response.deltas, weights, turn, shift, FPS)


def spoilt(first: int = AT - 6, last: int = AT + 6) -> Observations:
    """The film with lips that some frames show 8 px to the right."""
    observations = film(truth())
    observations.landmarks_px[np.ix_(range(first, last + 1), LIPS)] += np.array([8.0, 5.0], np.float32)
    return observations


def solve(observations: Observations, *corrections: Correction) -> Take:
    found = sample()
    return solve_take(
        *(observations, found.rig, found.embedding, SETTINGS), response=found.response, corrections=corrections
    )


@lru_cache(maxsize=2)
def plain(*, good: bool) -> Take:
    return solve(film(truth()) if good else spoilt())


def lips_error_px(take: Take, frame: int, wanted_px: np.ndarray) -> float:
    """Root-mean-square distance of the head's lips, as a network would see them, from where they are wanted (N, 2)."""
    response, one = sample().response, slice(frame, frame + 1)
    weights = take.weights[one].astype(np.float64)
    rotation = Rotation.from_quat(take.head_rotation_wxyz[frame, [1, 2, 3, 0]]).as_matrix()
    rest = np.zeros_like(response.rest)
    assert take.actor is not None
    rest[take.actor.landmarks] = take.actor.offsets_m
    head = (response.rest + rest + np.tensordot(weights, response.deltas, axes=1))[0]
    camera = head @ rotation.T + take.head_translation_m[frame]
    px = camera[:, :2] / camera[:, 2:] * take.focal_px + (np.array(SIZE) - 1) / 2
    return float(np.sqrt(((px[LIPS] - wanted_px) ** 2).sum(1).mean()))


def back(reach_s: float = 0.4) -> Correction:
    """What puts the spoilt lips of a frame right."""
    offsets = np.tile([-8.0, -5.0], (len(LIPS), 1))
    return Correction(AT / FPS, np.array(LIPS), offsets, reach_s=reach_s, scheme="mediapipe-478")


def test_a_corrected_pose_is_hit_and_only_what_is_near_changes() -> None:
    before = plain(good=True)
    pose = {"mouthSmileLeft": 0.95, "jawOpen": 0.05, "tongueOut": 0.4}
    after = solve(film(truth()), Correction(AT / FPS, pose=pose, reach_s=0.3))
    for name, weight in pose.items():
        assert abs(after.weights[AT, after.channels.index(name)] - weight) < 0.02, name
    k = after.channels.index("mouthSmileLeft")
    change = (after.weights - before.weights)[:, k]
    whole = change[AT]
    inside = change[AT - 9 : AT + 10] / whole
    assert np.abs(np.diff(inside)).max() < 0.35  # no frame jumps
    assert (np.diff(inside[:10]) > -0.05).all() and (np.diff(inside[9:]) < 0.05).all()
    far = np.abs(np.arange(FRAMES) - AT) > 0.3 * FPS + 0.16 * FPS + 1
    np.testing.assert_array_equal(after.weights[far], before.weights[far])
    np.testing.assert_array_equal(after.head_rotation_wxyz[far], before.head_rotation_wxyz[far])
    assert [one.pose for one in corrections_of(after)] == [pose]


def test_corrected_landmarks_are_hit_and_bring_their_neighbours_nearer_the_truth() -> None:
    wrong, clean = plain(good=False), film(truth())
    after = solve(spoilt(), back())
    wanted = clean.landmarks_px[AT, LIPS].astype(np.float64)
    assert lips_error_px(wrong, AT, wanted) > 2.0
    assert lips_error_px(after, AT, wanted) < 0.5
    columns = [after.channels.index(name) for name in (*SMILES, "jawOpen", "mouthLeft", "mouthRight")]
    for frames in (slice(AT - 4, AT + 5), slice(AT, AT + 1)):
        errors = [
            np.abs(take.weights[frames][:, columns] - truth()[frames][:, columns]).mean() for take in (wrong, after)
        ]
        assert errors[1] < 0.6 * errors[0]
    far = np.abs(np.arange(FRAMES) - AT) > 0.4 * FPS + 0.16 * FPS + 1
    np.testing.assert_array_equal(after.weights[far], wrong.weights[far])
    np.testing.assert_array_equal(after.landmarks_px, spoilt().landmarks_px)  # what was seen stays on record


def test_what_is_muted_is_as_if_it_were_not_there() -> None:
    muted = Correction(AT / FPS, pose={"jawOpen": 1.0}, muted=True)
    np.testing.assert_array_equal(solve(film(truth()), muted).weights, plain(good=True).weights)


def test_corrections_of_frames_that_there_are_not_change_nothing_and_are_not_recorded() -> None:
    late = Correction(20.0, pose={"jawOpen": 1.0})
    for elsewhere in ([late], [late, replace(back(), time_s=-5.0)]):
        take = solve(film(truth()), *elsewhere)
        np.testing.assert_array_equal(take.weights, plain(good=True).weights)
        assert not corrections_of(take)
    pose = Correction((FRAMES - 1) / FPS, pose={"jawOpen": 1.0})
    take = solve(film(truth()), pose, late)
    assert take.weights[-1, take.channels.index("jawOpen")] == pytest.approx(1.0, abs=0.02)
    assert [one.time_s for one in corrections_of(take)] == [pytest.approx(pose.time_s)]


def test_a_pose_is_what_weights_end_as_whatever_the_actors_gain() -> None:
    found = sample()
    actor = plain(good=True).actor
    assert actor is not None
    actor = replace(actor, gains={"mouthSmileLeft": ChannelGain(1.5)})
    pose = Correction(AT / FPS, pose={"mouthSmileLeft": 0.5})
    take = solve_take(
        *(film(truth()), found.rig, found.embedding, SETTINGS),
        response=found.response,
        actor=actor,
        corrections=[pose],
    )
    assert take.weights[AT, take.channels.index("mouthSmileLeft")] == pytest.approx(0.5, abs=0.02)


def test_corrections_of_other_landmarks_are_refused() -> None:
    other = Correction(AT / FPS, np.array([3]), np.ones((1, 2)), scheme="ibug-68")
    with pytest.raises(FacecapError, match="ibug-68"):
        solve(film(truth()), other)


def smaller_smiles() -> tuple[np.ndarray, np.ndarray]:
    """(L, 3) and (K, L, 3): somebody who smiles less than the character: her smiles come out at 0.6 of the truth."""
    deltas = sample().response.deltas.astype(np.float64).copy()
    for name in SMILES:
        deltas[sample().rig.channels.index(name)] *= 0.88
    return sample().response.rest, deltas


def film_of_her(weights: np.ndarray) -> Observations:
    still = np.zeros((len(weights), 3))
    return seen(*smaller_smiles(), weights, still, still + np.array([0.0, 0.0, 0.6]), FPS)


def solve_her(weights: np.ndarray, actor: Actor | None) -> Take:
    found, observations = sample(), film_of_her(weights)
    settings = replace(SETTINGS, match="weights")
    return solve_take(observations, found.rig, found.embedding, settings, response=found.response, actor=actor)


def test_a_later_take_gets_better_for_a_few_corrected_poses() -> None:
    channels = sample().rig.channels
    columns = [channels.index(name) for name in SMILES]
    first = solve_her(truth(), None)
    corrections = [
        Correction(
            row / FPS,
            pose={name: float(truth()[row, k]) for name, k in zip(SMILES, columns, strict=True)},
            seen={name: float(first.weights[row, k]) for name, k in zip(SMILES, columns, strict=True)},
        )
        for row in (15, 22, 28, 66)
    ]
    assert first.actor is not None
    taught = replace(first.actor, gains=learn_from_corrections(first.actor.gains, seen_and_wanted(corrections)))
    later = np.roll(truth(), 7, axis=0) * 0.9
    before, after = solve_her(later, first.actor), solve_her(later, taught)
    full = later[:, columns] > 0.4
    assert before.weights[:, columns][full].mean() / later[:, columns][full].mean() == pytest.approx(0.6, abs=0.1)
    assert after.weights[:, columns][full].mean() / later[:, columns][full].mean() == pytest.approx(1.0, abs=0.1)
    wrong, better = (np.abs(take.weights[:, columns] - later[:, columns]).mean() for take in (before, after))
    assert better < 0.5 * wrong, (before, after)
    assert np.abs(after.weights - later).mean() < np.abs(before.weights - later).mean()


def test_gains_shrink_towards_what_was_known_and_stay_within_reason() -> None:
    once = learn_from_corrections({}, {"mouthSmileLeft": [(0.3, 0.5)]})["mouthSmileLeft"].gain
    often = learn_from_corrections({}, {"mouthSmileLeft": [(0.3, 0.5)] * 5})["mouthSmileLeft"].gain
    assert 1.0 < once < often < 0.5 / 0.3
    assert learn_from_corrections({}, {"jawOpen": [(0.2, 1.0)] * 9})["jawOpen"].gain <= 2.5
    known = {"jawOpen": ChannelGain(1.4, 0.02, {"mouthClose": 0.1})}
    kept = learn_from_corrections(known, {"jawOpen": [(0.5, 0.67)], "Horn": [(0.1, 0.9)]})
    assert set(kept) == {"jawOpen"} and kept["jawOpen"].companions == {"mouthClose": 0.1}
    assert kept["jawOpen"].gain == pytest.approx(1.4, abs=0.01)
    rest = learn_from_corrections({}, {"browDownLeft": [(0.12, 0.0)] * 4})["browDownLeft"]
    assert rest.gain == 1.0 and 0.05 < rest.offset < 0.12


def test_a_brow_that_is_put_right_changes_brows_and_no_mouth() -> None:
    before = plain(good=True)
    brow = sorted(MEDIAPIPE_478.brow_right)
    up = Correction(AT / FPS, np.array(brow), np.tile([0.0, -6.0], (len(brow), 1)), scheme="mediapipe-478")
    change = np.abs(solve(film(truth()), up).weights - before.weights)
    moved = {name: float(change[AT, k]) for k, name in enumerate(before.channels)}
    assert max(value for name, value in moved.items() if name.startswith("brow")) > 0.2
    assert not any(value for name, value in moved.items() if name.startswith(("mouth", "jaw", "eyeLook")))
    assert change[AT].max() == change.max()


def test_a_long_corrected_run_has_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is solved in stretches so that memory does not grow; what is smooth in time must not show where they meet."""
    brow = sorted(MEDIAPIPE_478.brow_right)
    up = Correction(AT / FPS, np.array(brow), np.tile([0.0, -2.0], (len(brow), 1)), reach_s=1.2, scheme="mediapipe-478")
    noisy = film(truth())
    noisy.landmarks_px[:] += np.random.default_rng(0).normal(0, 1, noisy.landmarks_px.shape).astype(np.float32)
    at_once = solve(noisy, up)
    monkeypatch.setattr("facecap_addon.fit.solve.STRETCH", 20)
    np.testing.assert_allclose(solve(noisy, up).weights, at_once.weights, atol=2e-3)


def test_around_a_dragged_lip_frames_are_smoothed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step of all frames together raises the energy there and was not taken: shorter ones are."""
    lower = sorted({*MEDIAPIPE_478.lips_outer_lower, *MEDIAPIPE_478.lips_inner_lower})
    down = Correction(AT / FPS, np.array(lower), np.tile([0.0, 9.0], (len(lower), 1)), scheme="mediapipe-478")
    noisy = film(truth())
    noisy.landmarks_px[:] += np.random.default_rng(0).normal(0, 1, noisy.landmarks_px.shape).astype(np.float32)
    mouth = [k for k, name in enumerate(sample().rig.channels) if name.startswith(("mouth", "jaw"))]

    def jitter() -> float:
        weights = solve(noisy, down).weights[AT - 10 : AT + 11, mouth].astype(np.float64)
        return float(np.sqrt((np.diff(weights, 2, axis=0) ** 2).mean()))

    together = jitter()
    monkeypatch.setattr("facecap_addon.fit.solve.AGAIN_TIME_ITERATIONS", 1)
    assert together < 0.97 * jitter()
