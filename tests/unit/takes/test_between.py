"""What is exported keeps the footage's times, and where no face was seen it goes from one face to the next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.errors import FacecapError
from facecap_addon.generate.from_take import make_take_sequence
from facecap_addon.jobs.settings.output import OutputSettings
from facecap_addon.jobs.steps.results.outputs import OutputFiles, write_vertices
from facecap_addon.rig.blendshapes import BlendshapeRig, JawWeights
from facecap_addon.rig.embedding import LandmarkEmbedding
from facecap_addon.rig.jaw_bone import pose_jaw
from facecap_addon.takes.between import find_between_rows, frame_rate, resample, space_evenly
from facecap_addon.takes.formats.point_cache import read_point_cache
from facecap_addon.takes.take import REGIONS, STATUS_MISSING, STATUS_SOLVED, Take

FPS = 25.0
RNG = np.random.default_rng(3)


def make_rig(keys: int = 2) -> BlendshapeRig:
    neutral = RNG.normal(scale=0.1, size=(12, 3)).astype(np.float32)
    deltas = RNG.normal(scale=0.02, size=(keys, 12, 3)).astype(np.float32)
    triangles = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]], np.int32)
    ranges = np.tile(np.float32([0, 1]), (keys, 1))
    return BlendshapeRig(neutral, triangles, deltas, ("jawOpen", "mouthPucker")[:keys], ranges)


def performance(time_s: np.ndarray) -> np.ndarray:
    """(F, 2) weights that rise and fall evenly with time: truth at any time."""
    return np.stack([time_s / 10.0, 1.0 - time_s / 10.0], axis=1)


def make_take(time_s: np.ndarray, missing: tuple[int, ...] = ()) -> Take:
    frames = len(time_s)
    status = np.full(frames, STATUS_SOLVED, np.int8)
    status[list(missing)] = STATUS_MISSING
    turn = Rotation.from_euler("z", 0.04 * time_s[:, None]).as_quat()[:, [3, 0, 1, 2]]
    weights = np.where((status > 0)[:, None], performance(time_s), 0.0)
    return Take(
        time_s=time_s,
        channels=("jawOpen", "mouthPucker"),
        weights=weights.astype(np.float32),
        head_rotation_wxyz=np.where((status > 0)[:, None], turn, (1, 0, 0, 0)).astype(np.float32),
        head_translation_m=np.where((status > 0)[:, None], 0.1 * time_s[:, None], 0.0).repeat(3, 1).astype(np.float32),
        gaze_rad=np.zeros((frames, 2, 2), np.float32),
        confidence=np.ones((frames, len(REGIONS)), np.float32),
        regions=REGIONS,
        status=status,
        landmarks_px=np.zeros((frames, 0, 2), np.float32),
        residual_px=np.zeros(frames, np.float32),
        image_size=(640, 480),
        focal_px=700.0,
        provenance={"fps": "25"},
    )


def every_third_gone() -> np.ndarray:
    """Times of a clip of 8.92 s, 25 frames a second, of which every third frame is missing."""
    rows = np.arange(224)
    return rows[(rows % 3 != 1) | (rows == 223)] / FPS


def write(take: Take, rig: BlendshapeRig, folder: Path, kind: str, of_row=None) -> tuple[np.ndarray, np.ndarray]:
    """Positions (N, V, 3) and times (N,) of a cache written by a job."""
    settings = OutputSettings(point_cache=kind)
    path = write_vertices(OutputFiles(folder, "a"), take, rig, settings, of_row, FPS, np.eye(4))
    cache = read_point_cache(path)
    return np.asarray(cache.positions, np.float32), cache.times(FPS)


@pytest.mark.parametrize("kind", ["pc2", "mdd"])
def test_a_cache_lasts_as_long_as_the_footage_whatever_frames_are_missing(tmp_path: Path, kind: str) -> None:
    time_s, rig = every_third_gone(), make_rig()
    positions, at_s = write(make_take(time_s), rig, tmp_path, kind)
    assert at_s[-1] - at_s[0] == pytest.approx(8.92, abs=1e-3)
    np.testing.assert_allclose(np.diff(at_s), 1 / FPS, atol=1e-5)  # any program plays it at its rate
    np.testing.assert_allclose(positions, rig.vertices_at(performance(at_s)), atol=1e-6)


def test_a_trimmed_cache_says_where_it_starts(tmp_path: Path) -> None:
    _, at_s = write(make_take(4.0 + np.arange(10) / FPS), make_rig(), tmp_path, "pc2")
    assert at_s[0] == pytest.approx(4.0) and len(at_s) == 10


@pytest.mark.parametrize("kind", ["pc2", "mdd"])
def test_where_no_face_is_seen_the_cache_bends_and_rests_at_the_ends(tmp_path: Path, kind: str) -> None:
    time_s, rig = np.arange(40) / FPS, make_rig()
    take = make_take(time_s, missing=(0, 1, 12, 13, 14, 15, 39))
    positions, _ = write(take, rig, tmp_path, kind)
    wanted = rig.vertices_at(performance(np.clip(time_s, time_s[2], time_s[38])))
    np.testing.assert_allclose(positions, wanted, atol=1e-6)


def test_a_networks_answer_on_an_empty_frame_is_never_written(tmp_path: Path) -> None:
    take, rig = make_take(np.arange(20) / FPS, missing=(5, 6, 19)), make_rig()
    asked: list[int] = []

    def answer(row: int) -> np.ndarray:
        asked.append(row)
        return rig.vertices_at(performance(take.time_s[row : row + 1])[0] if take.solved[row] else np.full(2, 9.0))

    positions, at_s = write(take, rig, tmp_path, "pc2", answer)
    assert not {5, 6, 19} & set(asked)
    np.testing.assert_allclose(positions, rig.vertices_at(performance(np.minimum(at_s, at_s[18]))), atol=1e-6)


def test_a_jaw_bone_is_in_the_cache(tmp_path: Path) -> None:
    rig = replace(make_rig(), jaw=JawWeights(np.linspace(0, 1, 12, dtype=np.float32), np.float32([0.01, 0.02, 0])))
    head_from_rig = np.eye(4)
    head_from_rig[:3, :3] = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    jaw = np.float32([0.2, 0, 0, 0, 0, 0.003])  # turned about head x, which is rig −y … and 3 mm along z
    found = pose_jaw(rig, np.zeros(2), jaw, head_from_rig)
    turn = Rotation.from_rotvec([0, -0.2, 0]).as_matrix()
    moved = (rig.neutral - rig.jaw.pivot) @ turn.T + rig.jaw.pivot + [0, 0, 0.003]  # type: ignore[union-attr]
    np.testing.assert_allclose(found[0], rig.neutral[0], atol=1e-7)
    np.testing.assert_allclose(found[11], moved[11], atol=1e-6)
    half = 0.5 * (rig.neutral + moved)
    share = rig.jaw.weights[:, None]  # type: ignore[union-attr]
    np.testing.assert_allclose(found, rig.neutral + share * (2 * (half - rig.neutral)), atol=1e-6)


def face_of(rig: BlendshapeRig) -> LandmarkEmbedding:
    """Landmarks of the mesh layout strewn over the rig's triangles."""
    count = 478
    share = RNG.dirichlet((1, 1, 1), count).astype(np.float32)
    return LandmarkEmbedding(
        "mediapipe-478",
        RNG.integers(0, len(rig.triangles), count).astype(np.int32),
        share,
        np.ones(count, bool),
        np.eye(4),
        1.0,
    )


def test_landmarks_to_retarget_keep_the_footages_times() -> None:
    rig = make_rig()
    time_s = every_third_gone()
    missing = tuple(np.flatnonzero((time_s > 3) & (time_s < 4)).tolist())
    embedding = face_of(rig)
    found = make_take_sequence(make_take(time_s, missing), rig, embedding)
    whole = make_take_sequence(make_take(np.arange(224) / FPS), rig, embedding)
    assert found.fps == pytest.approx(FPS)
    assert found.time_s[-1] == pytest.approx(8.92, abs=1e-6)
    # Neither jumps nor steps: the head turns and the mouth opens evenly, seen or not.
    shift = found.displacements.mean(axis=1) - whole.displacements.mean(axis=1)
    np.testing.assert_allclose(found.displacements - shift[:, None], whole.displacements, atol=2e-4)


def test_landmarks_to_retarget_follow_a_jaw_bone_as_the_mesh_does() -> None:
    of_triangle = np.repeat(np.float32([0, 0.3, 0.6, 1]), 3)
    rig = replace(make_rig(), jaw=JawWeights(of_triangle, np.float32([0.01, 0.02, 0])))
    embedding = face_of(rig)
    still = replace(make_take(np.arange(5) / FPS), head_translation_m=np.zeros((5, 3), np.float32))
    jaw = np.zeros((5, 6), np.float32)
    jaw[2] = 0.3, 0.1, 0, 0, 0, 0.004
    plain, opened = (make_take_sequence(take, rig, embedding) for take in (still, replace(still, jaw=jaw)))
    corners = rig.triangles[embedding.triangle]
    of_mesh = [
        (pose_jaw(rig, still.weights[2], one, np.eye(4))[corners] * embedding.barycentric[..., None]).sum(axis=1)
        for one in (jaw[0], jaw[2])
    ]
    apart = opened.displacements - plain.displacements
    assert np.abs(apart[2]).max() > 0.01
    # The head turns a little besides, which the distances do not tell.
    wanted = np.linalg.norm(of_mesh[1] - of_mesh[0], axis=1)
    np.testing.assert_allclose(np.linalg.norm(apart[2], axis=1), wanted, atol=1e-5)
    np.testing.assert_allclose(apart[[0, 1, 3, 4]], 0, atol=1e-6)


def test_a_take_says_its_own_rate() -> None:
    take = make_take(every_third_gone())
    assert frame_rate(take) == 25.0
    assert frame_rate(replace(take, provenance={"fps": "30000/1001"})) == pytest.approx(29.97, abs=1e-3)
    steady = replace(make_take(np.arange(9) / 50.0), provenance={})
    assert frame_rate(steady) == pytest.approx(50.0)
    assert frame_rate(replace(steady, provenance={"fps": "no/number"})) == pytest.approx(50.0)
    # Coarse timecodes give most frames a time that another one has, too.
    coarse = replace(make_take(np.repeat(np.arange(10) / 10.0, 3)), provenance={})
    assert frame_rate(coarse) == pytest.approx(10.0)


def test_quaternions_turn_the_shorter_way() -> None:
    at = find_between_rows(np.array([0.0, 1.0]), np.ones(2, bool), np.array([0.5]))
    first, second = Rotation.from_euler("x", [[170], [190]], degrees=True).as_quat()[:, [3, 0, 1, 2]]
    for sign in (1, -1):
        mixed = at.interpolate_quaternions(np.stack([first, sign * second]))[0]
        turned = Rotation.from_quat(mixed[[1, 2, 3, 0]])
        assert turned.magnitude() == pytest.approx(np.pi, abs=1e-6)


def test_a_resampled_take_has_no_face_where_there_was_none() -> None:
    take = make_take(np.arange(20) / FPS, missing=(7, 8))
    at_s = space_evenly(take.time_s, 60.0)
    found = resample(take, at_s)
    seen = (at_s <= 6 / FPS + 1e-9) | (at_s >= 9 / FPS - 1e-9)
    np.testing.assert_array_equal(found.solved, seen)
    np.testing.assert_allclose(found.weights[seen], performance(np.minimum(at_s, 19 / FPS)[seen]), atol=1e-6)
    with pytest.raises(FacecapError, match="no frame with a face"):
        resample(replace(take, status=np.zeros(20, np.int8)), at_s)
