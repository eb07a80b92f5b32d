"""What a solve finds out about the actor: her neutral face and proportions, against the character's."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.fit.actor.region_scales import AS_FOUND
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.layout import MEDIAPIPE_478
from facecap_addon.takes.actor import Actor
from tests.unit.sample import FOCAL_PX, sample, seen

LIPS = [*MEDIAPIPE_478.lips_outer_upper, *MEDIAPIPE_478.lips_outer_lower]
MOUTH = [*LIPS, *MEDIAPIPE_478.lips_inner_upper, *MEDIAPIPE_478.lips_inner_lower]


def talking(frames: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights, turns and shifts of somebody who opens her mouth and smiles now and then."""
    time, channels = np.linspace(0, 4 * np.pi, frames), sample().rig.channels
    weights = np.zeros((frames, len(channels)))
    for i, name in enumerate(("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp")):
        weights[:, channels.index(name)] = 0.4 * np.maximum(np.sin(time + i // 2), 0)
    turn = np.stack([0.05 * np.sin(time), 0.2 * np.sin(time / 2), 0 * time], axis=1)
    return weights, turn, np.tile([0.0, 0.0, 0.6], (frames, 1))


def with_mouth(width: float) -> np.ndarray:
    """(L, 3) m: the character's landmarks with a mouth of another width, which fades out around the lips."""
    rest = sample().response.rest.astype(np.float64).copy()
    middle = rest[MOUTH].mean(0)
    near = np.exp(-((np.linalg.norm(rest - middle, axis=1) / 0.04) ** 2))
    near[MOUTH] = 1.0
    rest[:, 0] += near * (width - 1) * (rest[:, 0] - middle[0])
    return rest


def solve(neutral: np.ndarray, match: str = "look", prior: float = 1.0) -> Actor:
    found = sample()
    observations = seen(neutral, found.response.deltas, *talking())
    settings = FitSettings(focal_px=FOCAL_PX, match=match, prior=prior)
    actor = solve_take(observations, found.rig, found.embedding, settings, response=found.response).actor
    assert actor is not None
    return actor


@pytest.mark.parametrize("match", ["look", "weights"])
def test_the_character_itself_is_its_own_actor(match: str) -> None:
    actor = solve(sample().response.rest, match)
    assert np.abs(actor.offsets_m).max() < 0.002
    assert all(abs(scale.found - 1) < 0.08 for scale in actor.scales.values()), actor.scales
    as_found = {region for region, scale in actor.scales.items() if scale.used == scale.found}
    assert as_found == set(AS_FOUND[match]) and all(
        scale.used == 1 for region, scale in actor.scales.items() if region not in as_found
    )
    rest = sample().response.rest[actor.landmarks] / sample().embedding.rig_scale
    np.testing.assert_allclose(actor.neutral_m - actor.offsets_m, rest, atol=1e-6)
    assert actor.face_landmarks.size == len(actor.face) > 100 and actor.character == sample().rig.name


@pytest.mark.parametrize("match", ["look", "weights"])
def test_a_wide_mouth_and_a_small_one_are_told_from_the_characters(match: str) -> None:
    wide, small = solve(with_mouth(1.2), match), solve(with_mouth(0.8), match)
    assert 1.1 < wide.scales["mouth"].found < 1.3
    assert 0.7 < small.scales["mouth"].found < 0.9
    for actor in (wide, small):
        assert abs(actor.scales["lids"].found - 1) < 0.1 and abs(actor.scales["brows"].found - 1) < 0.1
    assert wide.proportions["mouth_width"] > 1.3 * small.proportions["mouth_width"]


def test_without_a_prior_proportions_are_those_of_most_frames() -> None:
    wide, small = solve(with_mouth(1.2), prior=0.0), solve(with_mouth(0.8), prior=0.0)
    assert 1.1 < wide.scales["mouth"].found < 1.3 and 0.7 < small.scales["mouth"].found < 0.9
    assert wide.face_landmarks.size == 0
