"""When a face is calmest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from facecap_addon.takes.measures.calmest import calmest_time_s
from tests.unit.takes.test_versions import make_take


def test_the_calmest_frame_is_the_planted_one_and_never_a_missing_one() -> None:
    take = make_take(30, missing=(4,))  # a missing frame holds zeros
    weights = take.weights.copy()
    weights[17] = 0.01
    take = replace(take, weights=weights)
    assert calmest_time_s(take) == take.time_s[17]
    assert calmest_time_s(replace(take, status=np.zeros(30, np.int8))) == -1.0
