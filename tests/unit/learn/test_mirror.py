"""The mirror of a symmetric character: what a mirrored picture shows is what mirrored targets say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facecap_addon.learn.data.mirror import find_mirror  # noqa: E402
from facecap_addon.learn.engine.augment import flip_coins, mirror_pictures  # noqa: E402
from facecap_addon.rig.blendshapes import BlendshapeRig  # noqa: E402


def symmetric(middle: float = 0.02) -> BlendshapeRig:
    """Ten pairs of vertices, two in the middle; keys for both sides and one for the middle."""
    random = np.random.default_rng(0)
    half = random.uniform(0.02, 0.1, (10, 3))
    flip = np.array([-1.0, 1.0, 1.0])
    between = random.uniform(-0.1, 0.1, (2, 3)) * (0, 1, 1)
    neutral = np.concatenate([half, half * flip, between]) + np.array([middle, 0, 0])
    left, none = random.normal(0, 0.01, (10, 3)), np.zeros((10, 3))
    still = np.zeros((2, 3))
    keys = [
        np.concatenate([left, none, still]),
        np.concatenate([none, left * flip, still]),
        np.concatenate([left, left * flip, random.normal(0, 0.01, (2, 3)) * (0, 1, 1)]),
    ]
    order = random.permutation(22)
    return BlendshapeRig(
        neutral=neutral[order].astype(np.float32),
        triangles=np.array([[0, 1, 2]], np.int32),
        deltas=np.stack(keys)[:, order].astype(np.float32),
        channels=("smile_a", "smile_b", "open"),
        ranges=np.tile(np.float32([0, 1]), (3, 1)),
    )


def test_a_mirrored_face_is_the_face_of_mirrored_weights() -> None:
    rig = symmetric()
    mirror = find_mirror(rig)
    assert mirror is not None
    assert mirror.middle == pytest.approx(0.02, abs=1e-6)
    assert mirror.channels.tolist() == [1, 0, 2]
    weights = np.float32([0.7, 0.1, 0.4])
    face = rig.vertices_at(weights)
    np.testing.assert_allclose(mirror.mirror_positions(face), rig.vertices_at(weights[mirror.channels]), atol=1e-6)
    np.testing.assert_allclose(mirror.mirror_positions(mirror.mirror_positions(face)), face, atol=1e-6)


def test_what_is_not_symmetric_has_no_mirror() -> None:
    rig = symmetric()
    bent = rig.neutral.copy()
    bent[3] += 0.01
    assert find_mirror(replace(rig, neutral=bent)) is None
    one_sided = replace(rig, deltas=rig.deltas[[0, 2]], channels=("smile_a", "open"), ranges=rig.ranges[:2])
    assert find_mirror(one_sided) is None


def test_pictures_are_mirrored_by_chance_and_whole() -> None:
    pictures = torch.rand(40, 1, 4, 6)
    which = flip_coins(40, torch.Generator().manual_seed(0))
    assert 8 < int(which.sum()) < 32
    found = mirror_pictures(pictures, which)
    assert torch.equal(found[which], pictures[which].flip(-1))
    assert torch.equal(found[~which], pictures[~which])
    stretches = torch.rand(3, 2, 1, 4, 6)
    assert torch.equal(mirror_pictures(stretches, torch.tensor([True, False, True]))[0], stretches[0].flip(-1))
