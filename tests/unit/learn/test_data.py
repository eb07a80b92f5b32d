"""Networks and schedules of learned solvers, against the papers' own figures and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facecap_addon.learn.data.pca import fit_pca  # noqa: E402
from facecap_addon.learn.engine.augment import Augmentation, augment  # noqa: E402
from facecap_addon.learn.engine.schedule import (  # noqa: E402
    Schedule,
    compute_augmentation,
    compute_beta1,
    compute_learning_rate,
)
from facecap_addon.learn.networks.laine.convolutional import HEIGHT, WIDTH, LaineNetwork  # noqa: E402


def meshes(frames: int = 60, vertices: int = 40, keys: int = 5) -> np.ndarray:
    """(F, 3 V) m: a face of a few keys."""
    rng = np.random.default_rng(1)
    return rng.normal(size=3 * vertices) + rng.uniform(size=(frames, keys)) @ rng.normal(
        scale=0.01, size=(keys, 3 * vertices)
    )


def test_the_basis_holds_what_varies_and_is_no_longer_than_that() -> None:
    targets = meshes()
    basis = fit_pca(targets)
    assert len(basis.components) == 5
    assert basis.explained == pytest.approx(1.0, abs=1e-9)
    unit = basis.components / np.linalg.norm(basis.components, axis=1, keepdims=True)
    away = targets - basis.mean
    np.testing.assert_allclose(away @ unit.T @ unit, away, atol=1e-6)
    np.testing.assert_allclose((away @ unit.T).std(0), np.linalg.norm(basis.components, axis=1), rtol=1e-4)
    fewer = fit_pca(targets, most=2)
    assert len(fewer.components) == 2 and fewer.explained < 1.0


def test_a_mesh_that_never_moves_still_has_a_network() -> None:
    basis = fit_pca(np.ones((4, 30)))
    assert basis.components.shape == (0, 30) and basis.explained == 1.0
    network = LaineNetwork(basis, maps=(4, 4)).eval()
    np.testing.assert_allclose(network(torch.zeros(1, 1, HEIGHT, WIDTH)).detach(), np.ones((1, 30)))


def test_laines_network_has_the_layers_of_the_paper() -> None:
    basis = fit_pca(np.random.default_rng(0).normal(size=(200, 300)), most=160)
    network = LaineNetwork(basis)
    convolutions = [layer for layer in network.towers[0].layers if isinstance(layer, torch.nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.stride[0]) for c in convolutions[:3]] == [
        (1, 64, 2),
        (64, 64, 1),
        (64, 96, 2),
    ]
    assert len(convolutions) == 12 and all(c.kernel_size == (3, 3) for c in convolutions)
    assert (network.bottleneck.in_features, network.bottleneck.out_features) == (9720, 160)
    assert network.output.out_features == 300
    assert all(p.requires_grad for p in network.parameters())  # the output layer learns too


def test_rates_follow_the_schedule() -> None:
    schedule = Schedule()
    first = [compute_learning_rate(schedule, e) for e in (0.0, 0.5, 1.0)]
    assert first[1] / first[0] == pytest.approx(first[2] / first[1])  # geometric
    assert first[2] == pytest.approx(1e-3)
    assert compute_learning_rate(schedule, 100) == pytest.approx(1e-4)  # one over the square root
    assert compute_learning_rate(schedule, 200) == 0.0
    assert compute_beta1(schedule, 170) == pytest.approx(0.9) and compute_beta1(schedule, 200) == pytest.approx(0.5)
    steps = np.array([compute_learning_rate(schedule, e) for e in np.linspace(1, 200, 4000)])
    assert (np.diff(steps) <= 0).all()
    assert [compute_augmentation(schedule, e) for e in (0, 2.5, 5, 50)] == [0, 0.5, 1, 1]


def test_augmentation_moves_pictures_without_shearing_them() -> None:
    pictures = torch.zeros(64, 1, 120, 80)
    pictures[:, :, 50:70, 30:50] = 1.0
    rng = torch.Generator().manual_seed(5)
    assert augment(pictures, Augmentation(), 0.0, rng) is pictures
    only_turned = Augmentation(shift=0, turn_rad=0.7, zoom=0, brightness=0, contrast=0)
    turned = augment(pictures, only_turned, 1.0, rng)
    area = turned.sum((1, 2, 3))
    np.testing.assert_allclose(area, 400, rtol=0.03)  # a square stays a square, however it lies
    spread = [(turned[n, 0] * (torch.arange(120.0)[:, None] - 59.5) ** 2).sum() / area[n] for n in range(64)]
    np.testing.assert_allclose(spread, 33.25, rtol=0.06)
    moved = augment(pictures, Augmentation(), 1.0, rng)
    assert moved.shape == pictures.shape and (moved - pictures).abs().amax((1, 2, 3)).min() > 0.05
