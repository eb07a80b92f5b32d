"""A character acts in front of the landmark network: what is measured, kept, and what happens without a face."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.fit.energies.expression_prior import poses_for_response
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.rig.network_response import load_response, measure_response, sample_weights, save_response
from tests.unit.sample import mesh_landmarks, sample

CHIN, INNER_LOWER_LIP = 152, 14


def test_what_the_network_sees_is_near_the_mesh_but_not_the_same() -> None:
    found, (rest, deltas) = sample().response, mesh_landmarks()
    valid = sample().embedding.valid
    assert np.linalg.norm(found.rest - rest, axis=1)[valid].mean() < 0.004
    jaw = sample().rig.channels.index("jawOpen")
    down_mesh, down_seen = -deltas[jaw, :, 2], -found.deltas[jaw, :, 2]
    # the network follows the lip, and sees the chin drop by less than it does
    assert down_seen[INNER_LOWER_LIP] == pytest.approx(down_mesh[INNER_LOWER_LIP], rel=0.25)
    assert 0.4 * down_mesh[CHIN] < down_seen[CHIN] < 1.02 * down_mesh[CHIN]
    assert 0 < found.error_m.max() < 0.004


def test_fewer_pictures_tell_much_the_same_and_progress_is_told() -> None:
    heard: list[tuple[int, int]] = []
    found = sample()
    short = measure_response(
        found.rig,
        found.embedding,
        open_landmarker(),
        poses=poses_for_response(found.rig.channels),
        pictures=72,
        on_progress=lambda *at: heard.append(at),
    )
    assert heard and all(done < total == 72 for done, total in heard)
    jaw = sample().rig.channels.index("jawOpen")
    lips = [0, 13, 14, 17, 61, 291]
    np.testing.assert_allclose(short.deltas[jaw, lips], sample().response.deltas[jaw, lips], atol=0.004)


def test_mesh_without_a_face_keeps_its_own_geometry() -> None:
    found = sample()
    dark = replace(found.rig, colors=np.zeros_like(found.rig.neutral), neutral=found.rig.neutral * [1, 1, 0.02])
    kept = measure_response(
        replace(dark, neutral=dark.neutral.astype(np.float32)), found.embedding, open_landmarker(), pictures=16
    )
    assert kept.error_modes.shape[0] == 0
    np.testing.assert_allclose(kept.deltas, mesh_landmarks()[1], atol=1e-7)  # its own, to a float32's last bit


def test_lips_are_sealed_only_over_an_open_jaw() -> None:
    rig, random = sample().rig, np.random.default_rng(0)
    jaw, close = rig.channels.index("jawOpen"), rig.channels.index("mouthClose")
    drawn = np.array([sample_weights(rig, np.arange(len(rig.channels)), random) for _ in range(400)])
    assert (drawn[:, jaw] >= drawn[:, close]).all() and (drawn[:, close] > 0).any()
    assert (drawn >= rig.ranges[:, 0]).all() and (drawn <= rig.ranges[:, 1]).all()


def test_a_response_survives_its_file_and_damage_is_told(tmp_path: Path) -> None:
    path = tmp_path / "response.npz"
    save_response(path, sample().response)
    back = load_response(path)
    np.testing.assert_allclose(back.deltas, sample().response.deltas, atol=2e-5)
    np.testing.assert_array_equal(back.rest, sample().response.rest)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(FacecapError, match="response"):
        load_response(path)


def test_sliders_that_go_to_ten_are_posed_as_those_to_one() -> None:
    rig = sample().rig
    ends = np.tile(np.float32([-1, 1]), (len(rig.channels), 1))
    acting = np.arange(len(rig.channels))
    one, ten = (
        sample_weights(replace(rig, ranges=by * ends), acting, np.random.default_rng(5)) for by in np.float32([1, 10])
    )
    np.testing.assert_array_equal(one, ten)
    assert 0 < np.abs(ten).max() <= 1
