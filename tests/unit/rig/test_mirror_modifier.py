"""Half a head and its mirror image are one head."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from facecap_addon.rig.embedding import landmark_geometry
from facecap_addon.rig.mirror_modifier import Reflection, is_half, with_other_half
from facecap_addon.rig.symmetry import mirror_plane
from tests.unit.sample import sample

ACROSS = Reflection(np.diag([-1.0, 1.0, 1.0]), np.zeros(3), 1e-5)


def test_the_other_half_completes_the_sample_head() -> None:
    head = sample()
    rig = head.rig
    left = (rig.neutral[:, 0] > -1e-6)[rig.triangles].all(axis=1)
    used = np.unique(rig.triangles[left])
    number = np.full(rig.vertex_count, -1)
    number[used] = np.arange(len(used))
    colors = None if rig.colors is None else rig.colors[used]
    half = replace(
        rig,
        neutral=rig.neutral[used],
        triangles=number[rig.triangles[left]].astype(np.int32),
        deltas=rig.deltas[:, used],
        colors=colors,
    )
    assert is_half(half.neutral, ACROSS) and not is_half(rig.neutral, ACROSS)
    whole = with_other_half(half, ACROSS)
    np.testing.assert_array_equal(whole.neutral[: len(used)], half.neutral)
    assert len(whole.triangles) == 2 * len(half.triangles)
    # No vertex of the middle is doubled, so there is no tear.
    assert_allclose(
        np.unique(np.round(whole.neutral, 5), axis=0).shape, np.unique(np.round(rig.neutral, 5), axis=0).shape
    )
    assert mirror_plane(whole.neutral, 2e-3, np.array([1.0, 0, 0]), 0.0) == pytest.approx(0.0, abs=1e-6)
    blink = whole.deltas[whole.channels.index("eyeBlinkLeft")]
    right = whole.neutral[:, 0] < -1e-5
    assert np.abs(blink[right]).max() == pytest.approx(np.abs(blink[~right]).max(), rel=1e-5)
    _, deltas = landmark_geometry(rig, head.embedding)
    assert np.abs(blink).max() >= np.abs(deltas[rig.channels.index("eyeBlinkLeft")]).max()


def test_a_middle_that_is_a_little_off_is_still_a_halfs() -> None:
    half = np.array([[0.1, 0, 0], [0.05, 0.1, 0], [-0.001, 0, 0.1]])
    assert is_half(half, ACROSS)
    assert is_half(-half, ACROSS)
    assert not is_half(half - (0.03, 0, 0), ACROSS)
