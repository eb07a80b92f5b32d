"""Shape keys carried over: known keys come back on a head of other proportions, lids meet, sides mirror."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.retarget.close_contacts import close_lids_and_lips
from facecap_addon.retarget.shape_transfer.transfer_keys import symmetrise, transfer_shape_keys
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.rig.embedding import LandmarkEmbedding
from facecap_addon.rig.surface import place_points
from tests.unit.sample import sample

ROOT = Path(__file__).resolve().parents[3]
ICT = ROOT.parent / "shared" / "data" / "rig" / "ict_facekit_arkit.npz"
SOME = ("jawOpen", "mouthSmileLeft", "mouthFunnel", "browInnerUp", "eyeBlinkRight", "mouthLeft", "noseSneerLeft")


def some_keys(names: tuple[str, ...] = SOME) -> BlendshapeRig:
    rig = sample().rig
    rows = [rig.channels.index(name) for name in names]
    return replace(rig, deltas=rig.deltas[rows], channels=names, ranges=rig.ranges[rows])


def bare(rig: BlendshapeRig, vertices: np.ndarray) -> BlendshapeRig:
    none = np.zeros((0, len(vertices), 3), np.float32)
    return replace(
        rig, neutral=vertices.astype(np.float32), deltas=none, channels=(), ranges=np.zeros((0, 2), np.float32)
    )


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))


STRETCH = np.diag([1.12, 0.95, 0.9])


@pytest.fixture(scope="module")
def carried() -> tuple[BlendshapeRig, LandmarkEmbedding]:
    """The sample head, wider and shorter, with keys carried over to it."""
    source = some_keys()
    vertices = source.neutral @ STRETCH.T
    embedding = sample().embedding
    return transfer_shape_keys(source, sample().embedding, bare(source, vertices), embedding), embedding


def test_keys_come_back_on_a_head_of_other_proportions(carried: tuple[BlendshapeRig, LandmarkEmbedding]) -> None:
    made, _ = carried
    source = some_keys()
    assert made.channels == source.channels
    for name, found, delta in zip(made.channels, made.deltas, source.deltas, strict=True):
        truth = delta @ STRETCH.T
        size = np.linalg.norm(found) / np.linalg.norm(truth)
        assert cosine(found, truth) > 0.9, name
        assert 0.75 < size < 1.15, name


def test_the_neutral_and_the_back_of_the_head_stay(carried: tuple[BlendshapeRig, LandmarkEmbedding]) -> None:
    made, embedding = carried
    # To the last bit of a float32: how a product is added up is the processor's affair.
    np.testing.assert_allclose(made.neutral, some_keys().neutral @ STRETCH.T, atol=1e-7)
    behind = (made.neutral @ embedding.head_from_rig[:3, :3].T + embedding.head_from_rig[:3, 3])[:, 1] > 0.06
    assert behind.sum() > 100
    assert np.abs(made.deltas[:, behind]).max() < 5e-4


def test_eyes_keep_their_shape(carried: tuple[BlendshapeRig, LandmarkEmbedding]) -> None:
    from facecap_addon.retarget.shape_transfer.correspondence import read_head

    source = some_keys(("eyeLookOutLeft",))
    vertices = source.neutral @ STRETCH.T
    embedding = sample().embedding
    made = transfer_shape_keys(source, sample().embedding, bare(source, vertices), embedding)
    head = read_head(made.neutral, made.triangles, embedding)
    eye = next(part.vertices for part in head.parts.rigid_parts if part.kind == "eye" and part.centre[0] > 0)
    some = eye[::40]
    before, after = (made.neutral + share * made.deltas[0] for share in (0.0, 1.0))
    lengths = [np.linalg.norm(mesh[some][:, None] - mesh[some][None], axis=-1) for mesh in (before, after)]
    assert np.abs(lengths[1] - lengths[0]).max() < 1e-5
    assert np.abs(made.deltas[0][eye]).max() > 0.5 * np.abs(source.deltas[0][eye]).max()


def test_lids_meet_and_lips_close_after_mending(carried: tuple[BlendshapeRig, LandmarkEmbedding]) -> None:
    from facecap_addon.landmarks.layout import MEDIAPIPE_478 as layout

    found = sample()
    rig = some_keys(("eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "mouthClose"))
    weak = replace(rig, deltas=rig.deltas * np.array([0.7, 0.7, 1.0, 0.6], np.float32)[:, None, None])
    mended, said = close_lids_and_lips(weak, found.embedding, rig, found.embedding)
    assert len(said) == 3

    def gap(delta: np.ndarray, upper: tuple[int, ...], lower: tuple[int, ...]) -> np.ndarray:
        where = [np.array(side)[1:-1] for side in (lower, upper)]
        low, high = (
            place_points(
                rig.neutral + delta, rig.triangles, found.embedding.triangle[w], found.embedding.barycentric[w]
            )
            for w in where
        )
        return low - high

    lids = (layout.upper_lid_left, layout.lower_lid_left)
    lips = (layout.lips_inner_upper, layout.lips_inner_lower)
    assert np.abs(gap(mended[0], *lids) - gap(rig.deltas[0], *lids)).max() < 1e-4
    assert np.abs(gap(weak.deltas[0], *lids) - gap(rig.deltas[0], *lids)).max() > 1e-3
    closed = gap(mended[3] + mended[2], *lips) - gap(np.zeros_like(mended[0]), *lips)
    # By the place of the landmarks on the lips, a tenth of a millimetre more or less.
    assert np.abs(closed).max() < 4e-4
    np.testing.assert_array_equal(mended[2], weak.deltas[2])


def test_left_and_right_are_made_mirror_images() -> None:
    found = sample()
    rig = some_keys(("mouthSmileLeft", "mouthSmileRight", "jawOpen"))
    uneven = rig.deltas.copy()
    uneven[0] *= 1.3
    uneven[2, rig.neutral[:, 0] > 0] *= 1.2
    made = symmetrise(replace(rig, deltas=uneven), found.embedding)
    sizes = np.linalg.norm(made.deltas, axis=(1, 2))
    assert sizes[0] == pytest.approx(sizes[1], rel=1e-3)
    assert sizes[0] == pytest.approx(1.15 * np.linalg.norm(rig.deltas[0]), rel=0.01)
    lopsided = rig.neutral.copy()
    lopsided[rig.neutral[:, 0] > 0.01] *= (1.3, 1.0, 1.0)
    with pytest.raises(FacecapError, match="not the same on both sides"):
        symmetrise(replace(rig, neutral=lopsided), found.embedding)


@pytest.mark.skipif(not ICT.is_file(), reason="the second rig is not part of the project")
def test_lids_of_another_head_go_as_far(models: Path) -> None:
    """In proportion to the faces' sizes; thin rims of lids have no good twins on each other."""
    from benchmarks.ict import load_ict_rig
    from facecap_addon.landmarks.layout import MEDIAPIPE_478 as layout
    from facecap_addon.landmarks.registry import open_landmarker
    from facecap_addon.rig.embedding import find_embedding

    source, theirs = some_keys(("eyeWideLeft", "eyeLookDownLeft")), sample().embedding
    ict = load_ict_rig(ICT)
    target = bare(ict, ict.neutral)
    ours = find_embedding(target, open_landmarker())
    made = transfer_shape_keys(source, theirs, target, ours)
    lid = np.array(layout.upper_lid_left)[2:-2]

    def rise(rig: BlendshapeRig, embedding: LandmarkEmbedding, key: int) -> np.ndarray:
        places = rig.triangles, embedding.triangle[lid], embedding.barycentric[lid]
        return (place_points(rig.neutral + rig.deltas[key], *places) - place_points(rig.neutral, *places))[:, 2]

    for key in range(2):
        share = rise(made, ours, key).sum() / rise(source, theirs, key).sum()
        assert 0.75 < share < 1.1, source.channels[key]


@pytest.mark.skipif(not ICT.is_file(), reason="the second rig is not part of the project")
def test_another_heads_own_keys_are_met(models: Path) -> None:
    """The ICT head's keys, made by other hands, are the truth; a short form of benchmarks.shape_transfer."""
    from benchmarks.ict import load_ict_rig
    from facecap_addon.landmarks.registry import open_landmarker
    from facecap_addon.rig.channels import arkit_name
    from facecap_addon.rig.embedding import find_embedding

    truth = load_ict_rig(ICT)
    target = bare(truth, truth.neutral)
    made = transfer_shape_keys(some_keys(), sample().embedding, target, find_embedding(target, open_landmarker()))
    skin = slice(0, 9409)
    for name, delta in zip(made.channels, made.deltas, strict=True):
        theirs = sum(d for c, d in zip(truth.channels, truth.deltas, strict=True) if arkit_name(c) == name)
        assert cosine(delta[skin], np.asarray(theirs)[skin]) > 0.65, name
