"""What a trained solver's take says of itself: a region is trusted where landmarks move as the network says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.jobs.settings.solve import SolveSettings
from facecap_addon.jobs.solve_trained import Expressions, observe_with_solver, take_from
from facecap_addon.landmarks.layout import MEDIAPIPE_OF_IBUG
from facecap_addon.landmarks.observations import Observations
from facecap_addon.rig.embedding import landmark_geometry
from facecap_addon.takes.filters.options import FilterChoice
from facecap_addon.takes.filters.take_filter import filter_take
from facecap_addon.takes.take import REGIONS
from tests.unit.sample import sample

FRAMES, FOCAL_PX, SIZE = 40, 900.0, (640, 480)
RANDOM = np.random.default_rng(5)


@pytest.mark.usefixtures("models")
def test_a_mouth_that_the_network_reads_wrongly_is_not_trusted_and_brows_are() -> None:
    found = sample()
    rig, embedding = found.rig, found.embedding
    neutral, deltas = landmark_geometry(rig, embedding)
    weights = np.zeros((FRAMES, len(rig.channels)), np.float32)
    weights[:, rig.channels.index("browInnerUp")] = np.abs(np.sin(np.arange(FRAMES) / 5))
    truly = weights.copy()
    truly[30:, rig.channels.index("jawOpen")] = 0.8  # seen, and missed by the network
    facing = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    turn = Rotation.from_euler("y", 0.2 * np.sin(np.arange(FRAMES) / 7)[:, None]).as_matrix() @ facing
    points = (neutral + np.tensordot(truly, deltas, axes=1)).astype(np.float64)
    placed = points @ turn.transpose(0, 2, 1) + (0.0, 0.0, 0.7)
    pixels = placed[..., :2] / placed[..., 2:] * FOCAL_PX + (319.5, 239.5)
    pixels += RANDOM.normal(scale=2.0, size=(1, *pixels.shape[1:]))  # where this actor's landmarks lie differently
    pixels += RANDOM.normal(scale=0.3, size=pixels.shape)
    pixels[12] = np.nan
    presence = np.where(np.arange(FRAMES) == 12, 0, 1).astype(np.float32)
    time_s = np.arange(FRAMES) / 30.0
    seen = Observations(
        time_s,
        np.arange(FRAMES),
        pixels.astype(np.float32),
        np.zeros(pixels.shape[:2], np.float32),
        presence,
        np.repeat(presence[:, None], pixels.shape[1], 1),
        embedding.scheme,
        SIZE,
        "test",
    )
    expressions = Expressions(time_s, np.arange(FRAMES), weights, None, np.zeros(FRAMES), np.zeros(0, np.int32), ())
    footage: Any = SimpleNamespace(size_px=SIZE)
    settings = SolveSettings(video=Path("a.mp4"), out=Path("out"), focal_px=FOCAL_PX)
    take = take_from(settings, footage, rig, expressions, embedding, seen)
    trust = dict(zip(REGIONS, take.confidence.T, strict=True))
    good = np.flatnonzero((np.arange(FRAMES) < 30) & (np.arange(FRAMES) != 12))
    assert min(trust[region][good].min() for region in REGIONS) > 0.8
    assert max(trust[region][12] for region in REGIONS) == 0 and not take.solved[12]
    assert trust["mouth"][30:].max() < 0.5 and trust["brows"][30:].min() > 0.6
    without = take_from(settings, footage, rig, expressions, None, None)
    assert (without.confidence == 1).all()
    # Where the keys of looking say that the eyes look to her left, the gaze, and so the CSV's angles, say it, too.
    weights[5, rig.channels.index("eyeLookOutLeft")] = weights[5, rig.channels.index("eyeLookInRight")] = 0.5
    looking = take_from(settings, footage, rig, expressions, None, None)
    np.testing.assert_allclose(looking.gaze_rad[5], [[0.3, 0.0], [0.3, 0.0]], atol=1e-6)
    assert not looking.gaze_rad[6].any()


@pytest.mark.usefixtures("models")
def test_landmarks_that_a_solver_finds_give_pose_and_confidence_and_are_filtered() -> None:
    found = sample()
    rig, embedding = found.rig, found.embedding
    truly = np.zeros((FRAMES, len(rig.channels)), np.float32)
    truly[:, rig.channels.index("jawOpen")] = 0.4 + 0.4 * np.sin(np.arange(FRAMES) / 6)
    truly[30:] = 0.8 * (np.arange(len(rig.channels)) == rig.channels.index("jawOpen"))
    weights = truly.copy()
    weights[30:, rig.channels.index("jawOpen")] = 0.0  # the landmarks say that the mouth is open, the keys do not
    chosen = list(MEDIAPIPE_OF_IBUG)
    neutral, deltas = (part[..., chosen, :] for part in landmark_geometry(rig, embedding))
    facing = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    turn = Rotation.from_euler("y", 0.2 * np.sin(np.arange(FRAMES) / 7)[:, None]).as_matrix() @ facing
    placed = (neutral + np.tensordot(truly, deltas, axes=1)).astype(np.float64) @ turn.transpose(0, 2, 1) + (0, 0, 0.7)
    still = placed[..., :2] / placed[..., 2:] * FOCAL_PX + (319.5, 239.5)
    pixels = (still + np.random.default_rng(3).normal(scale=0.8, size=still.shape)).astype(np.float32)
    shows = np.arange(FRAMES) != 12
    expressions = Expressions(
        np.arange(FRAMES) / 30.0,
        np.arange(FRAMES),
        weights,
        None,
        np.zeros(FRAMES),
        np.zeros(0, np.int32),
        (),
        shows,
        pixels,
    )
    footage: Any = SimpleNamespace(size_px=SIZE)
    settings = SolveSettings(video=Path("a.mp4"), out=Path("out"), focal_px=FOCAL_PX, head=False)
    own = observe_with_solver(expressions, embedding, footage)
    assert own is not None and own[1].scheme == "ibug-68"
    take = take_from(settings, footage, rig, expressions, *own)
    assert take.landmarks_px.shape == (FRAMES, 68, 2)
    assert not take.solved[12] and np.isnan(take.landmarks_px[12]).all() and take.confidence[12].max() == 0
    seen = take.solved & (np.arange(FRAMES) < 30)
    np.testing.assert_allclose(take.head_translation_m[seen], np.tile([0, 0, 0.7], (seen.sum(), 1)), atol=0.02)
    head = Rotation.from_quat(take.head_rotation_wxyz[:, [1, 2, 3, 0]]).inv() * Rotation.from_matrix(turn)
    assert np.degrees(head.magnitude())[seen].max() < 3
    trust = dict(zip(REGIONS, take.confidence.T, strict=True))
    assert trust["mouth"][seen].min() > 2 * trust["mouth"][30:].max()
    # Figure 6 of the paper: their jitter goes, what they follow stays.
    smooth = filter_take(take, FilterChoice())
    off = [np.nanstd((one.landmarks_px - still)[seen]) for one in (take, smooth)]
    assert off[1] < 0.75 * off[0]
    assert np.isnan(smooth.landmarks_px[12]).all()
    measured = replace(take, provenance={})  # a landmark network's stay what was seen
    np.testing.assert_array_equal(filter_take(measured, FilterChoice()).landmarks_px, take.landmarks_px)
    without = replace(expressions, landmarks_px=None)
    assert observe_with_solver(without, embedding, footage) is None
