"""Smooth ways from 0 to 1."""

from __future__ import annotations

import numpy as np

from facecap_addon.geometry.easing import smoothstep


def test_it_is_still_outside_and_level_at_both_ends() -> None:
    np.testing.assert_allclose(smoothstep(np.array([-3.0, 0.0, 0.25, 0.5, 1.0, 7.0])), [0, 0, 0.15625, 0.5, 1, 1])
    near = smoothstep(np.array([1e-4, 1 - 1e-4]))
    np.testing.assert_allclose(near, [0, 1], atol=1e-7)
    assert smoothstep(np.ones((2, 3), np.float32)).dtype == np.float64
