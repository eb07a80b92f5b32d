"""Landmarks put in their place by hand: kept with the rig, used by the fit, mirrored, and not on another mesh."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.jobs.steps.character import embedding_of, response_of, rig_key
from facecap_addon.jobs.steps.sample_head import CACHE
from facecap_addon.landmarks.layout import MEDIAPIPE_478
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.rig.blendshapes import BlendshapeRig, load_rig, save_rig
from facecap_addon.rig.embedding import landmark_geometry
from facecap_addon.rig.landmark_edits import LandmarkEdits, read_json, topology_key, write_json
from facecap_addon.rig.mirrored_place import find_mirrored
from facecap_addon.rig.surface import find_nearest, place_points
from tests.unit.sample import sample

BROWS = sorted((*MEDIAPIPE_478.brow_right, *MEDIAPIPE_478.brow_left))


def lower_brows(by_m: float = 0.006) -> tuple[BlendshapeRig, np.ndarray]:
    """The sample head with brow landmarks put lower; and where they are then, (20, 3) m, rig space."""
    rig, embedding = sample().rig, sample().embedding
    place = place_points(rig.neutral, rig.triangles, embedding.triangle[BROWS], embedding.barycentric[BROWS])
    down = embedding.head_from_rig[:3, :3].T @ np.array([0, 0, -by_m])
    triangle, barycentric, _ = find_nearest(place + down, rig.neutral, rig.triangles, np.arange(len(rig.triangles)))
    edits = LandmarkEdits(
        *("mediapipe-478", np.array(BROWS, np.intp), triangle, barycentric.astype(np.float32)),
        topology_key(rig.triangles),
    )
    return replace(rig, edits=edits), place_points(rig.neutral, rig.triangles, triangle, barycentric)


def test_edits_are_kept_with_the_rig_and_as_json(tmp_path: Path) -> None:
    rig, _ = lower_brows()
    save_rig(tmp_path / "rig.npz", rig)
    loaded = load_rig(tmp_path / "rig.npz").edits
    assert rig.edits is not None and loaded is not None
    read = read_json(json.loads(json.dumps(write_json(rig.edits))))
    for one in (loaded, read):
        assert (one.scheme, one.topology) == (rig.edits.scheme, rig.edits.topology)
        np.testing.assert_array_equal(one.landmark, rig.edits.landmark)
        np.testing.assert_array_equal(one.triangle, rig.edits.triangle)
        np.testing.assert_allclose(one.barycentric, rig.edits.barycentric, atol=1e-6)
    assert rig_key(rig) == rig_key(sample().rig)  # what was found of the character stays known
    with pytest.raises(ValueError, match="fit together"):
        LandmarkEdits("mediapipe-478", np.array([3]), np.zeros(0, np.int32), np.zeros((0, 3), np.float32))


def test_the_fit_sees_moved_landmarks_and_the_measured_response_follows() -> None:
    rig, wanted = lower_brows()
    landmarker = open_landmarker()
    before, after = sample().embedding, embedding_of(rig, landmarker, CACHE)
    placed = place_points(rig.neutral, rig.triangles, after.triangle, after.barycentric)
    np.testing.assert_allclose(placed[BROWS], wanted, atol=1e-6)
    others = np.setdiff1d(np.arange(478), BROWS)
    np.testing.assert_array_equal(after.triangle[others], before.triangle[others])
    np.testing.assert_array_equal(after.head_from_rig, before.head_from_rig)

    response = response_of(rig, after, landmarker, CACHE)
    moved = landmark_geometry(rig, after)[0] - landmark_geometry(rig, before)[0]
    np.testing.assert_allclose(response.rest - sample().response.rest, moved, atol=1e-6)
    assert moved[BROWS, 2].mean() < -0.003
    np.testing.assert_array_equal(response.deltas[:, others], sample().response.deltas[:, others])


def test_edits_of_another_mesh_are_left_out() -> None:
    rig, _ = lower_brows()
    assert rig.edits is not None
    foreign = replace(rig, edits=replace(rig.edits, topology="0" * 16))
    embedding = embedding_of(foreign, open_landmarker(), CACHE)
    np.testing.assert_array_equal(embedding.triangle, sample().embedding.triangle)


def test_the_twin_lies_on_the_same_place_of_the_other_side() -> None:
    rig, embedding = sample().rig, sample().embedding
    rest = place_points(rig.neutral, rig.triangles, embedding.triangle, embedding.barycentric)
    for landmark in (61, 105, 50):
        place = int(embedding.triangle[landmark]), embedding.barycentric[landmark]
        found = find_mirrored(rig.neutral, rig.triangles, rest, MEDIAPIPE_478, place)
        assert found is not None
        twin = place_points(rig.neutral, rig.triangles, np.array([found[0]], np.int32), found[1][None])[0]
        wanted = rest[landmark] * np.array([-1, 1, 1])  # the sample head is symmetrical about x = 0
        assert np.linalg.norm(twin - wanted) < 5e-4
    crooked = rig.neutral + 0.02 * np.sin(60 * rig.neutral[:, [2, 0, 1]] + 1)
    place = int(embedding.triangle[61]), embedding.barycentric[61]
    assert find_mirrored(crooked, rig.triangles, rest, MEDIAPIPE_478, place) is None
