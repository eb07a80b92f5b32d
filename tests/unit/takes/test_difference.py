"""Where two takes differ is found, and by how much, though their frames lie at other times."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.takes.between import resample
from facecap_addon.takes.measures.difference import compare, difference_of
from facecap_addon.takes.take import STATUS_MISSING
from tests.blender.takes import make_take


def test_a_known_difference_is_found_in_its_channel_and_moment() -> None:
    one = make_take(100)
    weights = one.weights.copy()
    weights[:, 3] += 0.1
    weights[40, 1] += 0.6
    weights[41, 1] += 0.5  # the same moment
    weights[80, 0] -= 0.4
    found = difference_of(one, replace(one, weights=weights), moments=2)
    assert found.channels[0] == "eyeBlinkLeft" and found.rms[0] == pytest.approx(0.1, abs=1e-6)
    rms = dict(zip(found.channels, found.rms, strict=True))
    assert rms["mouthSmileLeft"] == pytest.approx(np.sqrt((0.36 + 0.25) / 100), abs=1e-6)
    assert rms["mouthSmileRight"] == 0.0
    np.testing.assert_allclose(found.time_s, one.time_s[[40, 80]])
    np.testing.assert_allclose(found.worst, [0.6, 0.4], atol=1e-6)
    assert found.channel_at == ("mouthSmileLeft", "jawOpen")
    assert found.head_degrees == pytest.approx(0.0, abs=0.1) and found.frames == 100


def test_takes_at_other_times_are_compared_where_both_show_a_face() -> None:
    one = make_take(60, rate=25.0)
    one = replace(one, weights=np.repeat(np.linspace(0, 1, 60)[:, None], 5, 1).astype(np.float32))
    other = resample(one, np.linspace(one.time_s[5], one.time_s[50], 200))
    status = other.status.copy()
    status[:100] = STATUS_MISSING
    found = difference_of(one, replace(other, status=status))
    assert found.rms.max() < 0.01
    assert 15 < found.frames < 30


def test_takes_without_anything_in_common_are_refused() -> None:
    one = make_take(20)
    with pytest.raises(FacecapError, match="no channel"):
        difference_of(one, make_take(20, channels=("a", "b")))
    with pytest.raises(FacecapError, match="no time"):
        difference_of(one, replace(one, time_s=one.time_s + 100))


def test_a_retimed_take_is_compared_where_it_plays() -> None:
    one = make_take(50)
    ramp = np.linspace(0, 1, 50)[:, None] * np.ones((1, len(one.channels)))
    one = replace(one, time_s=np.arange(50) / 25, weights=ramp.astype(np.float32))
    late = replace(one, time_s=one.time_s + 0.4)
    compared = compare(one, late)
    assert not compared.there[:10].any() and compared.there[10:].all()
    np.testing.assert_allclose((compared.mine - compared.theirs)[10:], 10 / 49, atol=1e-6)
    np.testing.assert_array_equal(compared.time_s, one.time_s)


def test_the_largest_difference_is_told_for_each_region() -> None:
    one = make_take(30, missing=(3,))
    weights = one.weights.copy()
    weights[5, one.channels.index("jawOpen")] += 0.5
    weights[6, one.channels.index("eyeBlinkLeft")] -= 0.25
    compared = compare(one, replace(one, weights=weights))
    names, off = compared.regions, compared.by_region()
    assert off[5, names.index("jaw")] == pytest.approx(0.5, abs=1e-6) and off[5, names.index("eyes")] == 0.0
    assert off[6, names.index("eyes")] == pytest.approx(0.25, abs=1e-6)
    assert np.isnan(off[3]).all()
