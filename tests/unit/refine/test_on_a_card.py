"""Refining on a graphics card: the same as on the processor, and nothing made in the wrong place."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facecap_addon.landmarks.regions import region_around  # noqa: E402
from facecap_addon.refine.energies.appearance import estimate_appearance, observe_surface  # noqa: E402
from facecap_addon.refine.energies.deep_energy import DeepEnergy, EnergyWeights, Expected  # noqa: E402
from facecap_addon.refine.energies.derivatives import differentiate_network  # noqa: E402
from facecap_addon.refine.energies.landmark_weights import weights_of  # noqa: E402
from facecap_addon.refine.flow.surface_points import ViewedPoints, sample_surface_points  # noqa: E402
from facecap_addon.refine.networks.crop_ensemble import CropEnsemble  # noqa: E402
from facecap_addon.refine.networks.landmark_module import HeatmapModule, open_module  # noqa: E402
from facecap_addon.refine.render_mesh import RenderMesh  # noqa: E402
from facecap_addon.refine.shots import Shot, cut_plates, detect_landmarks  # noqa: E402
from facecap_addon.render.antialias import Topology  # noqa: E402
from tests.unit.deep_scene import frames, one, picture, render_mesh, view  # noqa: E402
from tests.unit.refine.pretend_card import DEVICE, OnCard, pretend_card  # noqa: E402

FRAME = one(frames(5), 1)


def mesh_on(device: str) -> RenderMesh:
    """The sample head with its tensors on a device."""
    mesh, topology = render_mesh(), render_mesh().topology
    there = {name: getattr(mesh, name).to(device) for name in ("neutral", "deltas", "colors", "painted")}
    moved = {item.name: getattr(topology, item.name).to(device) for item in fields(topology)}
    return replace(mesh, **there, topology=Topology(**moved))


def equations_on(device: str) -> tuple[np.ndarray, np.ndarray]:
    """Landmarks' residuals, and the pull on two unknowns by network and picture, everything found anew on a device."""
    mesh = mesh_on(device)
    points = ViewedPoints(mesh, sample_surface_points(mesh, 30), view())
    assert points.find_visible(FRAME).any()
    drawn = picture(FRAME)
    region = region_around(points.project(FRAME)[0][0], np.array([1.0, 0.0]), 1.5)
    shot = Shot(view(), np.zeros((1, 478, 2), np.float32), lambda _: drawn, lambda _: region)
    network = CropEnsemble(open_module("mediapipe-478", None, device), 1, device)
    plates = detect_landmarks(cut_plates(shot, np.array([0]), network.size), network, device)
    look = estimate_appearance(mesh, [observe_surface(mesh, FRAME, view(), drawn)], own_colors=True)
    step = np.zeros((1, mesh.unknowns))
    step[0, :6] = 0.01, -0.01, 0.005, 0.002, 0.001, 0.003
    start, keys = FRAME.with_step(step, mesh), len(mesh.channels)
    expected = Expected(start.weights, np.eye(keys) / 0.3**2, start, np.full(6, 1.0), np.full(6, 1e4))
    energy = DeepEnergy(mesh, [look], [view()], [plates], network, weights_of("mediapipe-478"), expected)
    energy.update_occlusion(start)
    energy, parts = energy.part(np.array([0])), EnergyWeights(picture=1.0)
    free = np.zeros(mesh.unknowns, bool)
    moving = [4, 6 + mesh.channels.index("jawOpen")]
    free[moving] = True
    compared = energy.compare(start, parts)
    matrix, gradient = energy.normal_equations(start, compared, parts, free)
    return compared.landmark_mm, (gradient[0] / np.sqrt(np.maximum(np.diagonal(matrix[0]), 1e-9)))[moving]


def test_what_a_card_finds_is_what_the_processor_finds(models: Path) -> None:
    here_mm, here = equations_on("cpu")
    with pretend_card():
        there_mm, there = equations_on(str(DEVICE))
    np.testing.assert_allclose(there_mm, here_mm, atol=0.05)
    np.testing.assert_allclose(there, here, rtol=0.05)
    assert np.abs(here).min() > 0.1


def test_a_heatmap_network_on_a_card_has_the_derivatives_of_the_processors() -> None:
    layer = torch.nn.Sequential(torch.nn.Conv2d(3, 68, 9, 4, 4), torch.nn.Sigmoid()).requires_grad_(False)
    pictures = torch.rand(1, 256, 256, 3, generator=torch.Generator().manual_seed(1))
    moved = [np.random.default_rng(2).normal(0, 0.1, (256, 256, 3, 2)).astype(np.float32)]
    here = differentiate_network(HeatmapModule(layer), pictures, moved)
    with pretend_card() as card:
        there = differentiate_network(HeatmapModule(_on_card(layer)), pictures, moved)
        assert card == DEVICE
    np.testing.assert_allclose(there, here, atol=1e-5)
    assert np.abs(here).max() > 1e-3


def test_the_card_that_is_none_tells_what_lies_elsewhere() -> None:
    with pretend_card() as card:
        there = torch.ones(3).to(card)
        assert isinstance(there, OnCard) and there.device == card
        np.testing.assert_array_equal((there + torch.ones(3).to(card)).cpu().numpy(), 2.0)
        with pytest.raises(RuntimeError, match="two devices"):
            _ = there + torch.ones(3)
        with pytest.raises(RuntimeError, match="cannot be indexed"):
            _ = torch.ones(3)[there.long()]


def _on_card(module: torch.nn.Module) -> torch.nn.Module:
    for part in module.modules():
        for name, value in list(part.named_parameters(recurse=False)):
            part.register_parameter(name, torch.nn.Parameter(value.to(DEVICE), requires_grad=False))
    return module
