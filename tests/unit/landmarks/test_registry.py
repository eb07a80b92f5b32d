"""Opening a landmark backend: what goes wrong is said in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.landmarks.registry import LANDMARKERS, open_landmarker


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(FacecapError) as raised:
        open_landmarker("openface")
    assert all(name in raised.value.way_out for name in LANDMARKERS)


def test_missing_networks_say_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(FacecapError) as raised:
        open_landmarker(model_path=tmp_path)
    assert "tools.build_models" in raised.value.way_out
    assert raised.value.exit_code == 2


def test_a_damaged_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face_landmarks_attention.onnx").write_bytes(b"not a network")
    with pytest.raises(FacecapError, match="cannot be read"):
        open_landmarker(model_path=tmp_path)


def test_the_heatmap_backend_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(FacecapError, match="needs a network file"):
        open_landmarker("heatmap-68")
    with pytest.raises(FacecapError, match="does not exist"):
        open_landmarker("heatmap-68", model_path=tmp_path / "none.onnx")
