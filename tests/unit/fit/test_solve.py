"""The whole fit on landmarks of known pose and weights, and on a rendered performance of known weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import CancelledError, FacecapError, NoFaceError
from facecap_addon.fit.energies.contact import shut_lids
from facecap_addon.fit.energies.landmark_terms import LID_GROUPS, OTHER_GAPS, terms_for
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.layout import MEDIAPIPE_478
from facecap_addon.takes.measures.metrics import lip_gap
from facecap_addon.takes.take import STATUS_MISSING, STATUS_SOLVED
from tests.unit.sample import FOCAL_PX, facing, mesh_landmarks, sample, seen

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not (DATA / "renders").is_dir(), reason="the development data is not there")
SHOWN = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "eyeBlinkLeft", "eyeBlinkRight", "mouthPucker")
KNOWN_CAMERA = FitSettings(focal_px=FOCAL_PX, prior=0.0, adapt=False)


def performance(frames: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights of the sample head, turns and shifts of a moving, talking head."""
    time = np.linspace(0, 2 * np.pi, frames)
    channels = sample().rig.channels
    weights = np.zeros((frames, len(channels)))
    for i, name in enumerate(SHOWN):
        weights[:, channels.index(name)] = 0.35 * (1 - np.cos((1 + i % 3) * time + i))
    turn = np.stack([0.1 * np.sin(time), 0.3 * np.sin(time + 1), 0.1 * np.cos(time)], axis=1)
    shift = np.stack([0.03 * np.sin(time), 0.02 * np.cos(time), 0.6 + 0.05 * np.sin(time)], axis=1)
    return weights, turn, shift


def test_pose_and_weights_come_back() -> None:
    weights, turn, shift = performance()
    take = solve_take(seen(*mesh_landmarks(), weights, turn, shift), sample().rig, sample().embedding, KNOWN_CAMERA)
    channels = sample().rig.channels
    for name in SHOWN:
        k = channels.index(name)
        assert np.abs(take.weights[:, k] - weights[:, k]).mean() < 0.12, name  # a ridge draws weights towards rest
        assert np.corrcoef(take.weights[:, k], weights[:, k])[0, 1] > 0.75, name
    w, x, y, z = take.head_rotation_wxyz.T
    toward = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)
    angle = np.degrees(np.arccos(np.clip((toward * facing(turn)[:, :, 2]).sum(1), -1, 1)))
    assert angle.max() < 1.5
    assert np.abs(take.head_translation_m - shift).max() < 0.01
    assert np.nanmax(take.residual_px) < 2.0
    low, high = sample().rig.ranges.T
    assert (take.weights >= low - 1e-6).all() and (take.weights <= high + 1e-6).all()


def test_a_rig_whose_keys_have_no_known_names_is_solved_all_the_same() -> None:
    weights, turn, shift = performance()
    rig = replace(sample().rig, channels=tuple(f"Shape {k}" for k in range(len(sample().rig.channels))))
    take = solve_take(seen(*mesh_landmarks(), weights, turn, shift), rig, sample().embedding, FitSettings())
    jaw = sample().rig.channels.index("jawOpen")
    assert np.corrcoef(take.weights[:, jaw], weights[:, jaw])[0, 1] > 0.9


def test_a_head_ten_times_the_size_gives_the_same_weights() -> None:
    weights, turn, shift = performance(30)
    found = sample()
    giant = replace(found.rig, neutral=found.rig.neutral * 10, deltas=found.rig.deltas * 10)
    transform = found.embedding.head_from_rig.copy()
    transform[:3, 3] *= 10
    embedding = replace(found.embedding, head_from_rig=transform, rig_scale=found.embedding.rig_scale * 10)
    observations = seen(*mesh_landmarks(), weights, turn, shift)
    small = solve_take(observations, found.rig, found.embedding, KNOWN_CAMERA)
    large = solve_take(observations, giant, embedding, KNOWN_CAMERA)
    np.testing.assert_allclose(large.weights, small.weights, atol=0.01)
    np.testing.assert_allclose(large.head_translation_m, small.head_translation_m * 10, atol=0.05)


def test_frames_without_a_face_are_missing_and_at_rest() -> None:
    weights, turn, shift = performance()
    observations = seen(*mesh_landmarks(), weights, turn, shift)
    observations.presence[20:26] = 0.0
    observations.landmarks_px[20:26] = np.nan
    take = solve_take(observations, sample().rig, sample().embedding, KNOWN_CAMERA)
    assert (take.status[20:26] == STATUS_MISSING).all() and (
        np.delete(take.status, range(20, 26)) == STATUS_SOLVED
    ).all()
    assert (take.weights[20:26] == 0).all() and (take.confidence[20:26] == 0).all()
    assert np.isnan(take.residual_px[20:26]).all()
    observations.presence[:] = 0.0
    with pytest.raises(NoFaceError):
        solve_take(observations, sample().rig, sample().embedding, KNOWN_CAMERA)


def test_lips_seen_closed_for_one_frame_close_for_that_frame() -> None:
    """A b, p or m closes the lips for a frame or two: smoothing in time must not part them."""
    rest, deltas = sample().response.rest, sample().response.deltas
    channels = sample().rig.channels
    weights = np.zeros((40, len(channels)))
    weights[:, channels.index("jawOpen")] = 0.35
    weights[20, channels.index("jawOpen")] = 0.05
    weights[20, channels.index("mouthClose")] = 0.05
    still = np.zeros((40, 3))
    observations = seen(rest, deltas, weights, still, still + np.array([0, 0, 0.6]))
    take = solve_take(
        observations, sample().rig, sample().embedding, FitSettings(focal_px=FOCAL_PX), response=sample().response
    )
    neutral, keys = mesh_landmarks()
    gap, true = (
        lip_gap(neutral + np.tensordot(found, keys, axes=1)) - lip_gap(neutral[None])
        for found in (take.weights, weights)
    )
    assert gap[5] > 0.5 * true[5] and gap[20] < 0.15 * true[5]
    assert gap[[17, 23]].min() > 0.95 * gap[5]


def lid_gaps_mm(weights: np.ndarray) -> np.ndarray:
    """(F, 2) how far the lids of the right and the left eye are from where the blink keys shut them, on the mesh."""
    neutral, keys = mesh_landmarks()
    blink = keys[[sample().rig.channels.index(f"eyeBlink{side}") for side in ("Right", "Left")]].sum(0)
    lids = (
        (MEDIAPIPE_478.upper_lid_right, MEDIAPIPE_478.lower_lid_right),
        (
            MEDIAPIPE_478.upper_lid_left,
            MEDIAPIPE_478.lower_lid_left,
        ),
    )

    def gaps(points: np.ndarray) -> np.ndarray:
        middle = [(points[..., u[3:-3], :], points[..., w[3:-3], :]) for u, w in lids]
        return 1000 * np.stack([np.linalg.norm(u - w, axis=-1).mean(-1) for u, w in middle], axis=-1)

    return gaps(neutral + np.tensordot(weights, keys, axes=1)) - gaps(neutral + blink)


def blinking(*sides: str) -> np.ndarray:
    """Weights of a performance of 40 frames with a blink of one frame, lids half-way in the frames beside it."""
    weights, _, _ = performance(40)
    for side in ("Left", "Right"):
        k = sample().rig.channels.index(f"eyeBlink{side}")
        weights[:, k] = 0.0
        if side in sides:
            weights[[19, 20, 21], k] = 0.4, 1.0, 0.4
    return weights


@pytest.mark.parametrize("wider_mm", [0.0, 1.5])
def test_a_blink_of_one_frame_shuts_the_eyes_whoevers_eyes_they_are(wider_mm: float) -> None:
    rest, deltas = sample().response.rest.copy(), sample().response.deltas.copy()
    lids = [*MEDIAPIPE_478.upper_lid_right[1:-1], *MEDIAPIPE_478.upper_lid_left[1:-1]]
    rest[lids, 2] += wider_mm / 1000
    for side, upper in (("Right", MEDIAPIPE_478.upper_lid_right), ("Left", MEDIAPIPE_478.upper_lid_left)):
        deltas[sample().rig.channels.index(f"eyeBlink{side}"), upper[1:-1], 2] -= wider_mm / 1000
    still = np.zeros((40, 3))
    observations = seen(rest, deltas, blinking("Left", "Right"), still, still + np.array([0, 0, 0.6]), fps=25)
    take = solve_take(
        observations, sample().rig, sample().embedding, FitSettings(focal_px=FOCAL_PX), response=sample().response
    )
    gaps = lid_gaps_mm(take.weights)
    assert gaps[20].max() < 0.5
    assert gaps[[16, 24]].min() > 4.0


def test_a_wink_shuts_one_eye() -> None:
    still = np.zeros((40, 3))
    found = sample().response
    observations = seen(found.rest, found.deltas, blinking("Left"), still, still + np.array([0, 0, 0.6]), fps=25)
    take = solve_take(observations, sample().rig, sample().embedding, FitSettings(focal_px=FOCAL_PX), response=found)
    right, left = lid_gaps_mm(take.weights)[20]
    assert left < 0.5 and right > 5.0


def test_eyes_that_no_key_shuts_have_no_shut_pose() -> None:
    terms = terms_for("mediapipe-478")
    rest, deltas = (part[..., terms.used, :].astype(np.float32) for part in mesh_landmarks())
    lids, shut = shut_lids(terms, rest, deltas, sample().rig.ranges[:, 1])
    assert (lids.gap_group == terms.gap_group).all()
    blinks = [k for k, name in enumerate(sample().rig.channels) if name.startswith("eyeBlink")]
    without, nowhere = shut_lids(terms, rest, np.delete(deltas, blinks, axis=0), np.ones(len(deltas) - 2))
    of_lids = np.isin(terms.gap_group, LID_GROUPS)
    assert (without.gap_group[of_lids] == OTHER_GAPS).all()
    assert np.abs(shut[:, of_lids]).max() > 0.004 and not shut[:, ~of_lids].any()
    assert not nowhere.any()


def test_key_nobody_can_see_stays_at_rest_and_is_named() -> None:
    weights, turn, shift = performance(20)
    take = solve_take(seen(*mesh_landmarks(), weights, turn, shift), sample().rig, sample().embedding, FitSettings())
    assert "tongueOut" in take.not_observed
    assert (take.weights[:, take.channels.index("tongueOut")] == 0).all()


def test_neutral_frame_the_user_names_must_show_a_face() -> None:
    weights, turn, shift = performance(20)
    observations = seen(*mesh_landmarks(), weights, turn, shift)
    with pytest.raises(FacecapError, match="neutral frame 500"):
        solve_take(observations, sample().rig, sample().embedding, FitSettings(neutral_frame=500))
    weights[:8] = 0
    observations = seen(*mesh_landmarks(), weights, turn * 0, shift)
    take = solve_take(observations, sample().rig, sample().embedding, FitSettings(neutral_frame=3))
    assert take.weights[3].max() < 0.25


def test_fit_can_be_cancelled_and_tells_how_far_it_is() -> None:
    weights, turn, shift = performance()
    observations = seen(*mesh_landmarks(), weights, turn, shift)
    heard: list[tuple[int, int]] = []
    solve_take(
        *(observations, sample().rig, sample().embedding, KNOWN_CAMERA), on_progress=lambda *at: heard.append(at)
    )
    assert heard[-1] == (60, 60) and all(total == 60 for _, total in heard)

    def stop(done: int, total: int) -> None:
        raise CancelledError

    with pytest.raises(CancelledError):
        solve_take(observations, sample().rig, sample().embedding, KNOWN_CAMERA, on_progress=stop)


@needs_data
def test_rendered_performance_on_a_foreign_head() -> None:
    """The asked accuracy across rigs; `python -m benchmarks.ground_truth` prints it per channel."""
    from benchmarks.ground_truth import across_rigs

    result = across_rigs(DATA, sample().rig, sample().embedding, sample().response)
    assert result.correlation >= 0.72 and result.absolute_error <= 0.10 and result.rmse_mm <= 2.6


@needs_data
def test_lips_close_at_the_words_that_begin_with_b_p_or_m() -> None:
    from benchmarks.lip_closure import closures

    found = closures(DATA / "clips" / "grid", sample().rig, sample().embedding, sample().response)
    closed = [c.closed for c in found]
    assert len(closed) >= 8 and sum(closed) >= 0.9 * len(closed)


def test_layout_of_the_lips_is_the_one_the_fit_measures() -> None:
    upper, lower = MEDIAPIPE_478.lips_inner_upper, MEDIAPIPE_478.lips_inner_lower
    assert upper[0] == lower[0] and upper[-1] == lower[-1] and len(upper) == len(lower)
