"""A minute of holds of somebody of other proportions, who moves less than the character: found, learned, and of use."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from facecap_addon.fit.actor.guide import GUIDE, NEUTRAL
from facecap_addon.fit.actor_calibration import CalibratedActor, calibrate_actor
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.observations import Observations
from facecap_addon.takes.actor import Actor
from facecap_addon.takes.take import Take
from tests.unit.fit.test_actor import MOUTH, with_mouth
from tests.unit.sample import FOCAL_PX, sample, seen

FPS = 15.0
# How far the actor moves of what the character's keys do, where she does not move alike.
LESS = {"mouthSmile": 0.7, "browInnerUp": 0.6, "browOuterUp": 0.6, "noseSneer": 0.8, "eyeWide": 0.7, "jawLeft": 0.7}
SETTINGS = FitSettings(focal_px=FOCAL_PX, match="weights")


def actors_face() -> tuple[np.ndarray, np.ndarray]:
    """(L, 3) m her neutral landmarks and (K, L, 3) what she does at each channel's 1."""
    rest = with_mouth(0.9).copy()
    rest[MOUTH, 2] -= 0.003
    deltas = sample().response.deltas.astype(np.float64).copy()
    for k, name in enumerate(sample().rig.channels):
        deltas[k] *= next((size for start, size in LESS.items() if name.startswith(start)), 1.0)
    return rest, deltas


def observe(weights: np.ndarray, seed: int) -> Observations:
    """Landmarks of the actor under weights (F, K), with the small motions of a head and a network's jitter."""
    random, frames = np.random.default_rng(seed), len(weights)
    time = np.arange(frames) / FPS
    turn = np.stack([0.03 * np.sin(0.7 * time), 0.08 * np.sin(0.4 * time), 0.02 * np.sin(time)], axis=1)
    observations = seen(*actors_face(), weights, turn, np.tile([0.0, 0.0, 0.6], (frames, 1)), fps=FPS)
    observations.landmarks_px[:] += random.normal(0, 0.15, observations.landmarks_px.shape)
    return observations


def smooth(weights: np.ndarray) -> np.ndarray:
    kernel = np.hanning(7)[1:-1] / np.hanning(7)[1:-1].sum()
    return np.stack([np.convolve(np.pad(column, 2, mode="edge"), kernel, "valid") for column in weights.T], axis=1)


def minute(names: tuple[str, ...]) -> tuple[np.ndarray, dict[str, tuple[float, float]]]:
    """Weights of holds of 1.6 s with 1.2 s of rest before each, and when (s) each is held."""
    channels, rows, when = sample().rig.channels, [], {}
    rest = np.zeros((round(1.2 * FPS), len(channels)))
    for name in names:
        held = np.zeros((round(1.6 * FPS), len(channels)))
        for meant in next(one.meant for one in GUIDE if one.name == name):
            held[:, channels.index(meant)] = 1.0
        if name == "smile":
            held[:, [channels.index(f"cheekSquint{side}") for side in ("Left", "Right")]] = 0.4
        rows += [rest, held]
        first = sum(len(row) for row in rows) - len(held)
        when[name] = (first / FPS, (first + len(held)) / FPS)
    return smooth(np.concatenate([*rows, rest])), when


NAMES = tuple(one.name for one in GUIDE if one.name not in (NEUTRAL, "tongue"))


@lru_cache(maxsize=1)
def calibrated() -> CalibratedActor:
    found, weights = sample(), minute(NAMES)[0]
    return calibrate_actor(observe(weights, 1), found.rig, found.embedding, SETTINGS, response=found.response)


def performance(frames: int = 90) -> np.ndarray:
    """Something else: she talks, smiles, raises and lowers her brows and moves her jaw to her left."""
    channels, time = sample().rig.channels, np.arange(frames) / FPS
    weights = np.zeros((frames, len(channels)))

    def put(level: float, rate: float, at: float, *names: str) -> None:
        for name in names:
            weights[:, channels.index(name)] = level * np.clip(np.sin(rate * time + at), 0, None)

    put(0.35, 4.0, 0.0, "jawOpen")
    put(0.8, 1.0, 1.0, "mouthSmileLeft", "mouthSmileRight")
    put(0.8, 1.3, 2.0, "browInnerUp", "browOuterUpLeft", "browOuterUpRight")
    put(0.6, 0.9, 4.0, "browDownLeft", "browDownRight")
    put(0.7, 0.8, 3.0, "jawLeft")
    return weights


def solve(weights: np.ndarray, actor: Actor | None) -> Take:
    found = sample()
    return solve_take(observe(weights, 2), found.rig, found.embedding, SETTINGS, response=found.response, actor=actor)


def test_the_holds_are_found_where_they_are() -> None:
    when, take = minute(NAMES)[1], calibrated().take
    found = {hold.name: hold for hold in calibrated().holds}
    assert NEUTRAL in found
    missing = set(NAMES) - set(found)
    assert len(missing) <= 2, missing
    for name, (first_s, last_s) in when.items():
        if name in found:
            assert first_s < take.time_s[found[name].middle] < last_s, name
    rest = found[NEUTRAL].middle / FPS
    assert not any(first_s <= rest <= last_s for first_s, last_s in when.values())


def test_another_performance_is_nearer_to_the_truth_with_her_file() -> None:
    weights = performance()
    alone, known = solve(weights, None), solve(weights, calibrated().actor)
    moving = [k for k in range(weights.shape[1]) if weights[:, k].std() > 0.02]
    error, error_known = (np.abs(take.weights[:, moving] - weights[:, moving]).mean() for take in (alone, known))
    assert error_known < 0.85 * error, (error, error_known)
    everything, everything_known = (np.abs(take.weights - weights).mean() for take in (alone, known))
    assert everything_known < everything
    for name in ("mouthSmileLeft", "browInnerUp", "jawLeft"):
        k = alone.channels.index(name)
        assert abs(known.weights[:, k].max() - weights[:, k].max()) < abs(
            alone.weights[:, k].max() - weights[:, k].max()
        ), name


def test_a_neutral_face_that_is_none_is_noticed() -> None:
    """Somebody marks a face that smiles, frowns and opens its mouth."""
    channels, found = sample().rig.channels, sample()
    weights = minute(("smile",))[0]
    marked = weights.copy()
    for name in ("browDownLeft", "browDownRight", "jawOpen", "mouthSmileLeft", "mouthSmileRight", "noseSneerLeft"):
        marked[:15, channels.index(name)] = 0.9
    verdicts = [
        calibrate_actor(
            *(observe(of, 3), found.rig, found.embedding, SETTINGS),
            response=found.response,
            marks=[(0.5, NEUTRAL), (2.0, "smile")],
        ).looks_neutral
        for of in (weights, marked)
    ]
    assert verdicts == [True, False] and calibrated().looks_neutral


def test_what_comes_from_elsewhere_is_no_companion() -> None:
    for name, one in calibrated().actor.gains.items():
        assert not any(other.startswith(("eyeBlink", "jawOpen", "mouthClose")) for other in one.companions), name
        if name.startswith("mouth"):
            assert not any(other.startswith(("eye", "brow")) for other in one.companions), name


def test_a_rest_stays_a_rest() -> None:
    known = solve(performance() * 0.0, calibrated().actor)
    assert known.weights.max() < 0.15 and known.weights.mean() < 0.02
