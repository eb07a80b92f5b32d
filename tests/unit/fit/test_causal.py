"""The landmark fit frame by frame: it answers soon, and is near the truth when it has seen a second."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.fit.causal import FIRST_FRAMES, LiveFit
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.landmarks.observations import Observations
from facecap_addon.landmarks.tracking.observe import FrameObservation
from tests.unit.sample import FOCAL_PX, SIZE, mesh_landmarks, sample, seen


def frame_of(observed: Observations, i: int) -> FrameObservation:
    """One frame, as a landmark tracker gives it."""
    landmarks_px, depth_px = observed.landmarks_px[i], observed.depth_px[i]
    return FrameObservation(i, float(observed.time_s[i]), landmarks_px, depth_px, 1.0, observed.confidence[i], 0)


@pytest.mark.usefixtures("models")
def test_a_live_face_moves_after_the_first_quarter_of_a_second() -> None:
    found = sample()
    neutral, deltas = mesh_landmarks()
    frames = 45
    weights = np.zeros((frames, len(found.rig.channels)), np.float32)
    jaw = found.rig.channels.index("jawOpen")
    weights[:, jaw] = 0.3 - 0.3 * np.cos(np.arange(frames) / 5)
    shift = np.tile([0.0, 0.0, 0.6], (frames, 1))
    observed = seen(neutral, deltas, weights, np.zeros((frames, 3)), shift)
    fit = LiveFit(found.rig, found.embedding, FitSettings(focal_px=FOCAL_PX), SIZE, found.response)
    assert fit.known == 0
    answers = []
    for i in range(frames):
        pose = fit.step(frame_of(observed, i))
        assert (pose is None) == (i < FIRST_FRAMES - 1)
        assert (fit.known == 1) == (pose is not None)
        answers.append(pose)
    given = [None if pose is None else float(pose.weights[jaw]) for pose in answers]
    late = np.array(given[30:], float)
    assert np.corrcoef(late, weights[30:, jaw])[0, 1] > 0.95
    assert FIRST_FRAMES / 30 < 0.3


@pytest.mark.usefixtures("models")
def test_a_known_actor_may_smile_from_the_first_frame() -> None:
    """Who is unknown is taken to be calm at first, so that her smile would pass for her face at rest."""
    found = sample()
    neutral, deltas = mesh_landmarks()
    channels = found.rig.channels
    smile = [channels.index(name) for name in ("mouthSmileLeft", "mouthSmileRight")]
    settings = FitSettings(focal_px=FOCAL_PX, match="weights")

    def film(size: float, frames: int) -> Observations:
        weights = np.zeros((frames, len(channels)), np.float32)
        weights[:, smile] = size
        return seen(neutral, deltas, weights, np.zeros((frames, 3)), np.tile([0.0, 0.0, 0.6], (frames, 1)))

    actor = solve_take(film(0.0, 20), found.rig, found.embedding, settings, response=found.response).actor
    smiling = film(0.6, 20)

    def last_smile(fit: LiveFit) -> float:
        pose = [fit.step(frame_of(smiling, i)) for i in range(20)][-1]
        assert pose is not None
        return float(pose.weights[smile].mean())

    known = last_smile(LiveFit(found.rig, found.embedding, settings, SIZE, found.response, actor))
    unknown = last_smile(LiveFit(found.rig, found.embedding, settings, SIZE, found.response))
    assert abs(known - 0.6) < 0.15
    assert abs(known - 0.6) < abs(unknown - 0.6)


@pytest.mark.usefixtures("models")
def test_a_live_head_that_turns_trusts_spans_less_as_a_whole_take_does() -> None:
    from facecap_addon.fit.energies.landmark_terms import SPANS, terms_for
    from facecap_addon.fit.energies.visible_frames import VisibleFrames, find_visible_frames

    neutral, deltas = mesh_landmarks()
    turn = np.zeros((9, 3))
    turn[-1, 1] = 0.5
    observed = seen(neutral, deltas, np.zeros((9, len(deltas))), turn, np.tile([0.0, 0.0, 0.6], (9, 1)))
    terms = terms_for("mediapipe-478")
    every = find_visible_frames(observed, np.ones(478, bool), terms)
    alone = VisibleFrames(
        observed, np.ones(478, bool), terms, np.array([8]), observed.time_s[8:], np.median(every.nose, axis=0)
    )
    spans = len(terms.used) + np.flatnonzero(terms.gap_group == SPANS)
    whole, live = every.landmarks(slice(None))[1], alone.landmarks(slice(None))[1]
    np.testing.assert_allclose(live[0], whole[8])
    assert live[0, spans].sum() < 0.5 * whole[0, spans].sum()
