"""Motion relative to the actor: full motion of a small mouth or of narrow eyes is full motion of the keys."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.layout import MEDIAPIPE_478
from facecap_addon.landmarks.observations import Observations
from facecap_addon.takes.actor import Actor
from facecap_addon.takes.region_scale import RegionScale
from facecap_addon.takes.take import Take
from tests.unit.fit.test_actor import MOUTH, talking, with_mouth
from tests.unit.fit.test_solve import blinking, lid_gaps_mm
from tests.unit.sample import FOCAL_PX, sample, seen

SMILES = ("mouthSmileLeft", "mouthSmileRight")


def solve(observations: Observations, actor: Actor | None = None, **chosen: object) -> Take:
    settings = FitSettings(**({"focal_px": FOCAL_PX, "match": "weights"} | chosen))  # type: ignore[arg-type]
    found = sample()
    return solve_take(observations, found.rig, found.embedding, settings, response=found.response, actor=actor)


def of(take: Take, *names: str) -> np.ndarray:
    return take.weights[:, [take.channels.index(name) for name in names]].mean(1)


def small_mouth(size: float) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks of somebody whose mouth, and all that it does, is of another size; and what her keys do."""
    deltas = sample().response.deltas.astype(np.float64).copy()
    for k, name in enumerate(sample().rig.channels):
        if name.startswith("mouth") and name != "mouthClose":
            deltas[k] *= size
    return with_mouth(size), deltas


def gain(found: np.ndarray, true: np.ndarray) -> float:
    a, b = true - true.mean(), found - found.mean()
    return float((a * b).sum() / (a * a).sum())


@pytest.mark.parametrize("size", [0.75, 1.3])
def test_a_smile_is_as_full_as_the_mouth_is_large(size: float) -> None:
    weights, turn, shift = talking()
    rest, deltas = small_mouth(size)
    observations = seen(rest, deltas, weights, turn, shift)
    own = seen(sample().response.rest, sample().response.deltas, weights, turn, shift)
    true = weights[:, sample().rig.channels.index("mouthSmileLeft")]

    def smile(observations: Observations, **chosen: object) -> float:
        return gain(of(solve(observations, None, **chosen), *SMILES), true)

    off, off_equal = (abs(smile(observations, **chosen) - smile(own)) for chosen in ({}, {"mouth_scale": 100.0}))
    assert off < 0.95 * off_equal, (off, off_equal)


def test_scales_are_used_as_found_or_as_asked() -> None:
    weights, turn, shift = talking()
    observations = seen(*small_mouth(0.8), weights, turn, shift)
    as_found, asked = solve(observations).actor, solve(observations, mouth_scale=100.0).actor
    assert as_found is not None and asked is not None
    assert as_found.scales["mouth"].used == as_found.scales["mouth"].found < 0.9
    assert asked.scales["mouth"] == RegionScale(as_found.scales["mouth"].found, 1.0, asked=True)
    look = solve(observations, match="look").actor
    assert look is not None and {scale.used for scale in look.scales.values()} == {1.0}


@pytest.mark.parametrize("percent", [60.0, 100.0, 150.0])
@pytest.mark.parametrize("match", ["look", "weights"])
def test_shut_eyes_are_shut_and_open_ones_open_at_any_size(percent: float, match: str) -> None:
    still = np.zeros((40, 3))
    found = sample().response
    for sides in (("Left", "Right"), ("Left",)):
        observations = seen(found.rest, found.deltas, blinking(*sides), still, still + np.array([0, 0, 0.6]), fps=25)
        gaps = lid_gaps_mm(solve(observations, lids_scale=percent, match=match).weights)
        right, left = gaps[20]
        assert left < 0.5
        assert right < 0.5 if "Right" in sides else right > 4.5
        assert gaps[[16, 24]].min() > 4.0


def test_narrow_eyes_half_shut_are_half_shut() -> None:
    """Eyes of a smaller opening, which shut completely."""
    rest, deltas = sample().response.rest.astype(np.float64).copy(), sample().response.deltas.astype(np.float64).copy()
    for upper, lower in (
        (MEDIAPIPE_478.upper_lid_right, MEDIAPIPE_478.lower_lid_right),
        (MEDIAPIPE_478.upper_lid_left, MEDIAPIPE_478.lower_lid_left),
    ):
        middle = 0.5 * (rest[list(upper)] + rest[list(lower)])
        for lid in (upper, lower):
            rest[list(lid)] = middle + 0.75 * (rest[list(lid)] - middle)
    deltas[[k for k, name in enumerate(sample().rig.channels) if name.startswith("eyeBlink")]] *= 0.75
    weights, still = np.zeros((60, len(deltas))), np.zeros((60, 3))
    blinks = [sample().rig.channels.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    weights[20:27, blinks] = 0.4
    observations = seen(rest, deltas, weights, still, still + np.array([0, 0, 0.6]))
    off, off_equal = (
        abs(np.median(of(take, "eyeBlinkLeft", "eyeBlinkRight")[22:25]) - 0.4)
        for take in (solve(observations), solve(observations, lids_scale=100.0))
    )
    assert off < off_equal and off < 0.05


def test_an_actor_is_known_again_where_she_never_rests() -> None:
    """In the second clip she smiles from beginning to end; without her file that passes for her face."""
    weights, turn, shift = talking()
    rest, deltas = with_mouth(0.9), sample().response.deltas
    rest = rest.copy()
    rest[MOUTH, 2] += 0.003
    actor = solve(seen(rest, deltas, weights, turn, shift)).actor
    assert actor is not None
    smiling = weights * 0.0
    smiling[:, [sample().rig.channels.index(name) for name in SMILES]] = 0.5
    observations = seen(rest, deltas, smiling, turn, shift)
    alone, known = solve(observations), solve(observations, actor)
    assert abs(of(known, *SMILES).mean() - 0.5) < abs(of(alone, *SMILES).mean() - 0.5)
    assert abs(of(known, *SMILES).mean() - 0.5) < 0.15
    assert known.actor is not None and known.actor.proportions == actor.proportions
    np.testing.assert_allclose(known.actor.offsets_m, actor.offsets_m, atol=5e-4)


def test_what_an_actor_file_asks_for_holds_until_the_settings_ask_otherwise() -> None:
    observations = seen(sample().response.rest, sample().response.deltas, *talking())
    actor = solve(observations).actor
    assert actor is not None
    asked = replace(actor, scales={**actor.scales, "jaw": RegionScale(1.0, 0.8, asked=True)})
    by_file, by_settings = solve(observations, asked), solve(observations, asked, jaw_scale=120.0)
    assert by_file.actor is not None and by_settings.actor is not None
    assert by_file.actor.scales["jaw"].used == 0.8 and by_settings.actor.scales["jaw"].used == 1.2
    assert of(by_file, "jawOpen").max() > of(by_settings, "jawOpen").max() * 1.1  # what is usual holds back a little


def test_an_actor_of_other_landmarks_is_refused() -> None:
    observations = seen(sample().response.rest, sample().response.deltas, *talking())
    actor = solve(observations).actor
    assert actor is not None
    with pytest.raises(FacecapError, match="ibug-68 landmarks, the footage has mediapipe-478"):
        solve(observations, replace(actor, scheme="ibug-68"))


def test_an_actor_found_on_one_character_is_known_on_another() -> None:
    """The other character's face is wider and shorter; the actor smiles from beginning to end."""
    weights, turn, shift = talking()
    found, rest = sample(), with_mouth(0.9)
    deltas = found.response.deltas
    actor = solve(seen(rest, deltas, weights, turn, shift)).actor
    assert actor is not None
    other = replace(found.response, rest=(found.response.rest * np.array([1.05, 1.0, 0.96])).astype(np.float32))
    smiling = weights * 0.0
    smiling[:, [found.rig.channels.index(name) for name in SMILES]] = 0.5
    observations = seen(rest, deltas, smiling, turn, shift)
    settings = FitSettings(focal_px=FOCAL_PX, match="weights")
    alone, known = (
        solve_take(observations, found.rig, found.embedding, settings, response=other, actor=one)
        for one in (None, actor)
    )
    error, error_known = (np.abs(take.weights - smiling).mean() for take in (alone, known))
    assert error_known < 0.95 * error, (error, error_known)
    assert abs(of(known, *SMILES).mean() - 0.5) < abs(of(alone, *SMILES).mean() - 0.5)
    assert known.actor is not None
    assert np.abs(known.actor.neutral_m - actor.neutral_m).max() < 0.012  # but for what turns and sizes explain
