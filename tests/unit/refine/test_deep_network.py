"""The landmark network in torch: the same as the one solves use, with derivatives that are its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facecap_addon.errors import FacecapError  # noqa: E402
from facecap_addon.landmarks.backends.heatmap import soft_argmax as soft_argmax_in_numpy  # noqa: E402
from facecap_addon.landmarks.backends.model_files import open_session  # noqa: E402
from facecap_addon.landmarks.regions import crop, region_around  # noqa: E402
from facecap_addon.landmarks.registry import open_landmarker  # noqa: E402
from facecap_addon.refine.networks.crop_ensemble import CropEnsemble  # noqa: E402
from facecap_addon.refine.networks.jvp import jvp  # noqa: E402
from facecap_addon.refine.networks.landmark_module import (  # noqa: E402
    HeatmapModule,
    MeshModule,
    open_module,
    soft_argmax,
)
from tests.unit import deep_scene  # noqa: E402


@pytest.fixture(scope="module")
def face(models: Path) -> np.ndarray:
    """(192, 192, 3) uint8: a face as the network wants it."""
    drawn = deep_scene.picture(deep_scene.one(deep_scene.frames(5), 1))
    landmarker = open_landmarker()
    region = landmarker.region_of_face(landmarker.find_faces(drawn)[0])
    return crop(drawn, region, 192)


def test_it_sees_what_the_solve_sees(models: Path, face: np.ndarray) -> None:
    session = open_session(models / "face_landmarks_attention.onnx", 1)
    theirs = session.run(["landmarks"], {"image": face[None]})[0][0, :, :2]
    with torch.no_grad():
        ours = open_module("mediapipe-478", None)(torch.from_numpy(face).permute(2, 0, 1)[None].float() / 255)[0]
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-3)


def test_directions_through_the_network_are_those_of_torch(models: Path, face: np.ndarray) -> None:
    module = open_module("mediapipe-478", None)
    assert isinstance(module, MeshModule)
    pictures = torch.from_numpy(np.stack([face, face[:, ::-1]])).permute(0, 3, 1, 2).float() / 255
    directions = 0.01 * torch.randn(2, 3, 3, 192, 192, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        outputs, ours = jvp(module.graph_module, pictures, directions)
        for k in range(3):
            values, theirs = torch.func.jvp(module.graph_module, (pictures,), (directions[:, k],))
            for output, value, mine, other in zip(outputs, values, ours, theirs, strict=True):
                torch.testing.assert_close(output, value, atol=1e-4, rtol=1e-4)
                torch.testing.assert_close(mine[:, k], other, atol=1e-5, rtol=1e-3)


def test_a_network_of_numbers_near_each_other_moves_as_its_derivative_says(models: Path, face: np.ndarray) -> None:
    module = open_module("mediapipe-478", None).double()  # type: ignore[attr-defined]
    picture = torch.from_numpy(face).permute(2, 0, 1)[None].double() / 255
    # Where pixels are exactly alike, which of them a maximum takes is chance; film has grain.
    picture += 0.01 * torch.randn(picture.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    direction = torch.randn(picture.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    with torch.no_grad():
        difference = (module(picture + 1e-8 * direction) - module(picture - 1e-8 * direction)) / 2e-8
        derivative = torch.func.jvp(module, (picture,), (direction,))[1]
    torch.testing.assert_close(derivative, difference, atol=2e-3, rtol=2e-3)


def test_soft_argmax_is_the_one_of_the_solve_and_has_its_derivative() -> None:
    heatmaps = torch.rand(2, 3, 12, 10, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    heatmaps[0, 0, 0, 0] = heatmaps[1, 2, 11, 9] = 2.0  # peaks in corners, too
    np.testing.assert_allclose(soft_argmax(heatmaps).numpy(), soft_argmax_in_numpy(heatmaps.numpy()), atol=1e-12)
    gentle = heatmaps.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda h: soft_argmax(h, beta=5.0), (gentle,))


def test_a_heatmap_network_answers_in_crop_pixels(tmp_path: Path) -> None:
    class Peaks(torch.nn.Module):
        def forward(self, pictures: torch.Tensor) -> torch.Tensor:
            maps = torch.zeros(pictures.shape[0], 68, 64, 64)
            maps[:, torch.arange(68), torch.arange(64).repeat(2)[:68], 20] = 1.0
            return maps

    path = tmp_path / "peaks.pt"
    torch.jit.script(Peaks()).save(str(path))
    module = open_module("heatmap-68", path)
    assert isinstance(module, HeatmapModule)
    found = module(torch.zeros(2, 3, 256, 256))
    np.testing.assert_allclose(found[1, :, 0], 80.0, atol=1e-4)
    np.testing.assert_allclose(found[1, :5, 1], [0, 4, 8, 12, 16], atol=1e-4)


def test_a_network_without_derivatives_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FacecapError, match="derivatives"):
        open_module("heatmap-68", tmp_path / "net.onnx")
    (tmp_path / "net.pt").write_bytes(b"no network")
    with pytest.raises(FacecapError, match="not a network"):
        open_module("heatmap-68", tmp_path / "net.pt")


def test_several_looks_agree_with_one(models: Path) -> None:
    """Looks from closer and at an angle are put back where they belong."""
    drawn = deep_scene.picture(deep_scene.one(deep_scene.frames(5), 1))
    landmarker = open_landmarker()
    found = landmarker.landmarks_in_regions(drawn, [landmarker.region_of_face(landmarker.find_faces(drawn)[0])])[0]
    points = found.landmarks_px
    region = region_around(points, points[263] - points[33], 1.5)
    fine = torch.from_numpy(crop(drawn, region, 384).astype(np.float32) / 255)[None]
    network = open_module("mediapipe-478", None)
    with torch.no_grad():
        single, several = (CropEnsemble(network, count)(fine)[0] for count in (1, 5))
    assert float((single - several).norm(dim=1).median()) < 1.0
    assert float((single - several).mean(0).norm()) < 0.6
