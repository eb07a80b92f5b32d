"""The landmark fit frame by frame: it answers soon, and is near the truth when it has seen a second."""

from __future__ import annotations

import numpy as np
import pytest

from facecap_addon.fit.causal import FIRST_FRAMES, LiveFit
from facecap_addon.fit.settings import FitSettings
from facecap_addon.landmarks.tracking.observe import FrameObservation
from facecap_addon.rig.embedding import landmark_geometry
from tests.unit.sample import FOCAL_PX, SIZE, sample, seen


@pytest.mark.usefixtures("models")
def test_a_live_face_moves_after_the_first_quarter_of_a_second() -> None:
    found = sample()
    neutral, deltas = landmark_geometry(found.rig, found.embedding)
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
        pose = fit.step(
            FrameObservation(
                i,
                float(observed.time_s[i]),
                observed.landmarks_px[i],
                observed.depth_px[i],
                1.0,
                observed.confidence[i],
                0,
            )
        )
        assert (pose is None) == (i < FIRST_FRAMES - 1)
        assert (fit.known == 1) == (pose is not None)
        answers.append(pose)
    given = [None if pose is None else float(pose.weights[jaw]) for pose in answers]
    late = np.array(given[30:], float)
    assert np.corrcoef(late, weights[30:, jaw])[0, 1] > 0.95
    assert FIRST_FRAMES / 30 < 0.3
