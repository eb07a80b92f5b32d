"""Broken timestamps are mended without disturbing the good ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from facecap_addon.footage.clock import FrameClock


@pytest.mark.parametrize(
    ("stamps", "expected", "repaired"),
    [
        ([5.0, 5.1, 5.15, 5.4], [0, 0.1, 0.15, 0.4], 0),
        ([0.0, None, 0.2, None], [0, 0.1, 0.2, 0.3], 2),
        ([0.0, 0.1, 0.1, 0.2], [0, 0.1, 0.15, 0.2], 1),
        ([0.0, 0.1, 0.05, 0.2], [0, 0.1, 0.15, 0.2], 1),
        ([7.0, 7.1, 0.0, 0.1, 0.3], [0, 0.1, 0.2, 0.3, 0.5], 1),
    ],
)
def test_mending(stamps: list[float | None], expected: list[float], repaired: int) -> None:
    clock = FrameClock(stamps[0] or 0.0, 0.1)
    times = [clock.time_of(stamp) for stamp in stamps]
    assert_allclose(times, expected, atol=1e-12)
    assert np.all(np.diff(times) > 0)
    assert clock.repaired == repaired
