"""A take that moves the jaw bone is no target of weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.jobs.settings.dataset import DatasetSettings
from facecap_addon.jobs.training.dataset_shots import add_curves, add_take
from facecap_addon.takes.npz import save_take
from tests.unit.takes.test_between import make_take


def test_a_take_that_moves_the_jaw_bone_is_refused_as_a_target(tmp_path: Path) -> None:
    """Its weights alone are a face whose mouth is not open as far as the footage's."""
    take = make_take(np.arange(3) / 25)
    jaw = np.zeros((3, 6), np.float32)
    jaw[1, 0] = 0.1
    path = tmp_path / "talk.take.npz"
    save_take(path, replace(take, jaw=jaw))
    settings = DatasetSettings(folder=tmp_path, curves=path)
    no_set = cast(Any, None)
    for steps in (add_take(settings, no_set, path), add_curves(settings, no_set, path, [])):
        with pytest.raises(FacecapError, match="jaw bone"):
            next(iter(steps))
