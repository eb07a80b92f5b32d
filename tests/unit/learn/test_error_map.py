"""A head coloured by its errors: what is off is where the colour says, by as much as the scale says."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")

from facecap_addon.learn.engine.error_map import color_errors, draw_error_maps, find_scale_mm
from tests.unit.sample import sample


def test_an_error_at_the_mouth_is_red_there_and_nowhere_else() -> None:
    rig = sample().rig
    moving = np.flatnonzero(np.linalg.norm(rig.deltas, axis=2).max(0) > 5e-4)
    jaw = np.linalg.norm(rig.deltas[rig.channels.index("jawOpen")], axis=1)[moving]
    off = np.where(jaw > 0.5 * jaw.max(), 3.0, 0.0)
    picture = draw_error_maps(rig, moving, {"network": off, "fast solve": np.zeros(len(moving))}).astype(int)
    heads, scale = picture[40:, :720], picture[:, 720:]

    def is_red(part: np.ndarray) -> np.ndarray:
        return (part[..., 0] > part[..., 2] + 60) & (part[..., 0] > part[..., 1] + 60)

    rows, columns = np.nonzero(is_red(heads))
    assert len(rows) > 500 and columns.max() < 360  # on the first head only
    assert rows.min() > 200  # below the eyes
    assert is_red(scale).any() and (scale[..., 2] > scale[..., 0] + 60).any()  # the scale goes from blue to red


def test_the_scale_ends_above_nearly_all_errors_and_what_is_beyond_it_has_its_last_colour() -> None:
    errors = np.r_[np.full(995, 1.2), np.full(5, 30.0)]
    assert find_scale_mm({"a": errors, "b": 0.1 * errors}) == 1.5
    assert find_scale_mm({"a": np.zeros(10)}) == 0.5
    np.testing.assert_array_equal(color_errors(np.array([1.0, 7.0]))[0], color_errors(np.array([1.0, 7.0]))[1])
