"""The heatmap backend: the soft-argmax against its formula, and networks built here whose peaks are known."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

from facecap_addon.errors import FacecapError
from facecap_addon.landmarks.backends.heatmap import soft_argmax
from facecap_addon.landmarks.backends.model_files import MODELS_FOLDER
from facecap_addon.landmarks.layout import IBUG_68
from facecap_addon.landmarks.regions import Region
from facecap_addon.landmarks.registry import open_landmarker

needs_models = pytest.mark.skipif(
    not (MODELS_FOLDER / "models.json").is_file(), reason="needs the built landmark networks (tools.build_models)"
)


def test_soft_argmax_is_the_formula() -> None:
    # Bao et al. 2019, equation 3, written out for one patch.
    heatmap = np.zeros((64, 64))
    patch = np.array([[0.50, 0.60, 0.55], [0.70, 0.90, 0.88], [0.40, 0.89, 0.30]])
    heatmap[9:12, 19:22] = patch
    weight = np.exp(50.0 * patch)
    rows, columns = np.indices((3, 3))
    expected = ((weight * (columns + 19)).sum() / weight.sum(), (weight * (rows + 9)).sum() / weight.sum())
    np.testing.assert_allclose(soft_argmax(heatmap), expected, atol=1e-10)


def test_soft_argmax_of_two_equal_neighbours_lies_halfway() -> None:
    heatmap = np.full((64, 64), -1.0)
    heatmap[30, 40] = heatmap[30, 41] = 1.0
    np.testing.assert_allclose(soft_argmax(heatmap), (40.5, 30.0), atol=1e-12)


@pytest.mark.parametrize("peak", [(0, 0), (63, 63), (0, 31), (63, 5)])
def test_soft_argmax_at_the_border_uses_the_pixels_there_are(peak: tuple[int, int]) -> None:
    heatmap = np.zeros((64, 64))
    heatmap[peak[1], peak[0]] = 1.0
    np.testing.assert_allclose(soft_argmax(heatmap), peak, atol=1e-12)


def test_soft_argmax_does_not_overflow() -> None:
    heatmaps = np.zeros((2, 3, 64, 64))
    heatmaps[..., 7, 8] = 1e4
    np.testing.assert_allclose(soft_argmax(heatmaps), np.broadcast_to((8.0, 7.0), (2, 3, 2)))


def known_heatmaps() -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """68 heatmaps (68, 64, 64) of narrow peaks, and where each one's soft-argmax lies (68, 2)."""
    random = np.random.default_rng(3)
    at = random.uniform(2, 61, (68, 2))
    rows, columns = np.indices((64, 64))
    squared = (columns - at[:, 0, None, None]) ** 2 + (rows - at[:, 1, None, None]) ** 2
    heatmaps = np.exp(-squared / 4.0).astype(np.float32)
    return heatmaps, soft_argmax(heatmaps)


def write_onnx(path: Path, heatmaps: NDArray[np.float32], batch: int | str) -> None:
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    nodes = [
        helper.make_node("ReduceMean", ["picture"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "heatmaps"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes,
        "known",
        [helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, [batch, 3, 256, 256])],
        [helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [batch, *heatmaps.shape])],
        [
            numpy_helper.from_array(np.zeros((1, 1, 1, 1), dtype=np.float32), "zero"),
            numpy_helper.from_array(heatmaps[None], "heatmaps"),
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


@needs_models
@pytest.mark.parametrize("batch", ["n", 1])
def test_known_peaks_come_back_in_the_picture(tmp_path: Path, batch: int | str) -> None:
    heatmaps, peaks = known_heatmaps()
    path = tmp_path / "réseau.onnx"
    write_onnx(path, heatmaps, batch)
    landmarker = open_landmarker("heatmap-68", model_path=path)
    picture = np.zeros((480, 640, 3), dtype=np.uint8)
    regions = [Region((320.0, 200.0), 300.0, 0.0), Region((100.0, 90.0), 128.0, 0.5)]
    seen = landmarker.landmarks_in_regions(picture, regions)
    assert landmarker.scheme == "ibug-68" and landmarker.landmark_count == 68
    # Upright: p = center + (4 m / 256 − ½) · side.
    np.testing.assert_allclose(
        seen[0].landmarks_px, np.array([320.0, 200.0]) + (4 * peaks / 256 - 0.5) * 300.0, atol=1e-3
    )
    cosine, sine = np.cos(0.5), np.sin(0.5)
    offset = (4 * peaks / 256 - 0.5) * 128.0
    turned = offset @ np.array([[cosine, sine], [-sine, cosine]])
    np.testing.assert_allclose(seen[1].landmarks_px, np.array([100.0, 90.0]) + turned, atol=1e-3)
    np.testing.assert_allclose(seen[0].confidence, heatmaps.reshape(68, -1).max(axis=1), atol=1e-6)
    assert seen[0].presence == pytest.approx(float(seen[0].confidence.mean()))


@needs_models
def test_a_mirrored_region_swaps_sides(tmp_path: Path) -> None:
    heatmaps, peaks = known_heatmaps()
    write_onnx(tmp_path / "known.onnx", heatmaps, "n")
    landmarker = open_landmarker("heatmap-68", model_path=tmp_path / "known.onnx")
    seen = landmarker.landmarks_in_regions(
        np.zeros((64, 64, 3), dtype=np.uint8), [Region((50.0, 60.0), 256.0, 0.0, mirrored=True)]
    )[0]
    expected = np.array([50.0, 60.0]) + (4 * peaks[IBUG_68.mirror] - 128.0) * [-1.0, 1.0]
    np.testing.assert_allclose(seen.landmarks_px, expected, atol=1e-3)


@needs_models
def test_a_network_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_onnx(tmp_path / "other.onnx", np.zeros((98, 64, 64), dtype=np.float32), "n")
    with pytest.raises(FacecapError, match="heatmap network"):
        open_landmarker("heatmap-68", model_path=tmp_path / "other.onnx")


@needs_models
def test_torchscript_answers_like_onnx(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if "bpy" in sys.modules:
        pytest.skip("this Python runs inside Blender")
    heatmaps, peaks = known_heatmaps()

    class Known(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("heatmaps", torch.from_numpy(heatmaps))

        def forward(self, picture):
            return picture.mean((1, 2, 3)).reshape(-1, 1, 1, 1) * 0 + self.heatmaps

    path = tmp_path / "known.pt"
    torch.jit.trace(Known(), torch.zeros(1, 3, 256, 256)).save(str(path))
    landmarker = open_landmarker("heatmap-68", model_path=path)
    seen = landmarker.landmarks_in_regions(np.zeros((90, 90, 3), dtype=np.uint8), [Region((128.0, 128.0), 256.0, 0.0)])
    np.testing.assert_allclose(seen[0].landmarks_px, 4 * peaks, atol=1e-3)


def test_torchscript_is_refused_inside_blender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bpy", ModuleType("bpy"))
    (tmp_path / "known.pt").write_bytes(b"anything")
    with pytest.raises(FacecapError, match="inside Blender"):
        open_landmarker("heatmap-68", model_path=tmp_path / "known.pt")
