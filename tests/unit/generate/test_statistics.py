"""Statistics of sequences: each measures what it is named for, and the two-sample test can say no."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facecap_addon.generate.sequence import LandmarkSequence
from facecap_addon.generate.statistics import FEATURES, compare_features, measure_extrapolation, measure_features
from tests.unit.generate.actors import actor


def features_of(displacements: np.ndarray) -> dict[str, float]:
    rest = actor().rest.astype(np.float32)
    sequence = LandmarkSequence("bu-83", rest, displacements.astype(np.float32))
    return dict(zip(FEATURES, measure_features([sequence])[0], strict=True))


def test_a_known_smile_is_measured() -> None:
    time_s = np.arange(135) / 25
    # Corners apart 10 mm and up 3 mm: rising within 1 s from 0.4 s on, held until 3.4 s, gone after 2 s.
    curve = np.clip((time_s - 0.4) / 1.0, 0, 1) - np.clip((time_s - 3.4) / 2.0, 0, 1)
    shape = np.zeros((83, 3))
    shape[54], shape[48] = (0.005, 0, 0.003), (-0.005, 0, 0.003)
    found = features_of(curve[:, None, None] * shape)
    rms = np.sqrt(2 * (5**2 + 3**2) / 83)
    assert found["corners apart"] == pytest.approx(10, abs=0.01)
    assert found["corners up"] == pytest.approx(3, abs=0.01)
    assert found["strength"] == pytest.approx(rms, rel=1e-3)
    assert found["onset speed"] == pytest.approx(rms / 1.0, rel=1e-2)
    assert found["offset speed"] == pytest.approx(rms / 2.0, rel=1e-2)
    # Above four fifths from 1.2 to 3.8 s.
    assert found["apex time"] == pytest.approx(2.5, abs=0.05) and found["apex length"] == pytest.approx(2.6, abs=0.1)
    assert found["asymmetry"] == pytest.approx(0, abs=0.01)
    assert found["head turn"] == pytest.approx(0, abs=0.01) and found["head shift"] == pytest.approx(0, abs=0.02)
    shape[48] = 0
    lopsided = features_of(curve[:, None, None] * shape)
    assert lopsided["asymmetry"] == pytest.approx(np.sqrt(2 * (5**2 + 3**2) / 83), rel=1e-3)


def test_head_and_face_are_measured_apart() -> None:
    rest = actor().rest
    angle = np.radians(8) * np.sin(np.linspace(0, np.pi, 135))
    turned = Rotation.from_rotvec(angle[:, None] * (1.0, 0, 0)).as_matrix()
    found = features_of(np.einsum("fij,lj->fli", turned, rest) - rest)
    assert found["head turn"] == pytest.approx(8, abs=0.05) and found["strength"] < 0.01


def test_extrapolation_is_exact_where_it_should_be() -> None:
    # Steps t (29 − t): along a line each is missed by its change, along a parabola by two, but at both ends.
    t = np.arange(30.0)
    steps = (t * (29 - t))[None, :, None] * np.ones((1, 1, 4))
    straight, curved = measure_extrapolation(steps)
    whole = float((steps**2).sum()) / 4
    assert straight == pytest.approx(float(((28 - 2 * t[:-1]) ** 2).sum()) / whole)
    assert curved == pytest.approx((28**2 + 28 * 2**2 + 28**2) / whole)
    ended = np.ones((1, 30, 2))
    ended[:, 0] = 0
    straight, _ = measure_extrapolation(ended)
    assert straight == pytest.approx(2 / 29)  # it misses where the motion begins, and where it ends


def test_the_two_sample_test_says_yes_and_no() -> None:
    random = np.random.default_rng(0)

    def kind(count: int, shift: float = 0.0, size: float = 1.0) -> np.ndarray:
        return shift + 3 * size * random.normal(size=(count, len(FEATURES)))

    wanted = kind(60)
    alike = compare_features(kind(60), wanted, permutations=199)
    assert alike.p > 0.05 and alike.coverage > 0.8 and np.abs(alike.apart).max() < 0.6
    shifted = compare_features(kind(60, shift=2.0), wanted, permutations=199)
    assert shifted.p == pytest.approx(1 / 200) and shifted.distance > 10 * max(alike.distance, 0.01)
    narrow = compare_features(kind(60, size=0.2), wanted, permutations=199)
    assert narrow.p == pytest.approx(1 / 200) and narrow.density > 3 * alike.density and narrow.spread.mean() < 0.4
