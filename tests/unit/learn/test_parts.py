"""Losses, stabilisation, weights of vertices and bundles of learned solvers, against closed forms and hostile files."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from scipy.spatial.transform import Rotation

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from facecap_addon.errors import FacecapError  # noqa: E402
from facecap_addon.fit.pose_known_shape import head_poses  # noqa: E402
from facecap_addon.learn.data.mesh_stabilisation import apply_stabilisation, fit_stabilisation  # noqa: E402
from facecap_addon.learn.data.pca import fit_pca, fit_pca_from_weights  # noqa: E402
from facecap_addon.learn.engine.augment import Augmentation, augment, fit_augmentation  # noqa: E402
from facecap_addon.learn.engine.losses import (  # noqa: E402
    affine_invariant_mse_cm2,
    mine_semi_hard,
    mse_cm2,
    rmse_mm,
    triplet_loss,
)
from facecap_addon.learn.export.int8_first_layer import rewrite_first_layers  # noqa: E402
from facecap_addon.learn.export.onnx_export import quantise, to_onnx  # noqa: E402
from facecap_addon.learn.networks.laine.convolutional import LaineNetwork, Tower  # noqa: E402
from facecap_addon.learn.networks.meng.embedding_task import measure_distance_matrix, measure_distances  # noqa: E402
from facecap_addon.learn.networks.meng.facenet import FaceNet, ResponseNorm  # noqa: E402
from facecap_addon.learn.networks.meng.lstm import WeightLstm  # noqa: E402
from facecap_addon.learn.synthetic.motion import POSE_SHARES, find_recorded_faces, make_shot_curves  # noqa: E402
from facecap_addon.rig.channels import ARKIT_CHANNELS  # noqa: E402
from facecap_addon.solvers.bundle import SolverBundle, SolverFacts, load_bundle, save_bundle  # noqa: E402
from facecap_addon.solvers.crop import PictureKind  # noqa: E402
from facecap_addon.solvers.eye_alignment import align_eyes, fit_eye_alignment  # noqa: E402
from facecap_addon.solvers.onnx_check import check_onnx  # noqa: E402
from facecap_addon.solvers.solver import TrainedSolver  # noqa: E402
from facecap_addon.solvers.vertices_to_weights import WeightFitter  # noqa: E402

RANDOM = np.random.default_rng(0)


def meshes(count: int = 4, vertices: int = 50) -> torch.Tensor:
    return torch.from_numpy(RANDOM.normal(scale=0.1, size=(count, 3 * vertices)).astype(np.float32))


def test_losses_are_what_they_say() -> None:
    a = meshes()
    shifted = (a.unflatten(1, (-1, 3)) + torch.tensor([0.003, 0.0, 0.004])).flatten(1)
    assert rmse_mm(shifted, a).tolist() == pytest.approx([5.0] * 4, rel=1e-3)
    assert float(mse_cm2(shifted, a)) == pytest.approx((0.3**2 + 0.4**2) / 3, rel=1e-3)


def test_the_affine_loss_forgives_affine_motion_of_the_prediction_only() -> None:
    target = meshes()
    matrix = torch.tensor(Rotation.from_rotvec([0.1, 0.2, -0.1]).as_matrix() * 1.1, dtype=torch.float32)
    moved = (target.unflatten(1, (-1, 3)) @ matrix.T + 0.05).flatten(1)
    assert float(mse_cm2(moved, target)) > 1.0
    assert float(affine_invariant_mse_cm2(moved, target)) < 1e-4
    noisy = target + 0.01 * torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    noisy.requires_grad_(True)
    loss = affine_invariant_mse_cm2(noisy, target)
    loss.backward()
    assert noisy.grad is not None and torch.isfinite(noisy.grad).all() and float(loss.detach()) > 0.5
    # Making everything small does not help: what is compared is the target's size.
    assert float(affine_invariant_mse_cm2(noisy.detach() * 0.01, target)) == pytest.approx(
        float(loss.detach()), rel=1e-2
    )


def test_triplets() -> None:
    anchor, near, far = (torch.tensor([v]) for v in ([1.0, 0.0], [0.8, 0.6], [0.0, 1.0]))
    assert float(triplet_loss(anchor, near, far, 0.2)) == 0.0
    assert float(triplet_loss(anchor, far, near, 0.2)) == pytest.approx(2.0 - 0.4 + 0.2)
    points = torch.tensor([[0.0], [1.0], [0.5], [1.3], [5.0]])
    labels = torch.tensor([0, 0, 1, 1, 1])
    a, p, n = mine_semi_hard(points, labels, margin=1.0)
    found = {(int(i), int(j)): int(k) for i, j, k in zip(a, p, n, strict=True)}
    assert found[0, 1] == 3  # further than the positive, and the nearest such: 1.3, not 0.5 or 5
    assert found[1, 0] == 2  # none is a little further: the furthest of those that are nearer
    assert (labels[a] == labels[p]).all() and (labels[a] != labels[n]).all()


def test_distances_between_and_within_classes() -> None:
    embeddings = np.array([[0.0, 0], [0.0, 1], [3.0, 0], [3.0, 1]], np.float32)
    labels = np.array([0, 0, 1, 1])
    within, between = measure_distances(embeddings, labels)
    assert within == pytest.approx(1.0) and between == pytest.approx((3 + np.sqrt(10)) / 2)
    matrix = measure_distance_matrix(embeddings, labels, 2)
    np.testing.assert_allclose(np.diag(matrix), 1.0)


def test_facenet_has_the_layers_of_table_1() -> None:
    network = FaceNet()
    convolutions = [m for m in network.layers if isinstance(m, torch.nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0]) for c in convolutions] == [
        *((3, 64, 7, 2), (64, 64, 1, 1), (64, 192, 3, 1), (192, 192, 1, 1), (192, 384, 3, 1), (384, 384, 1, 1)),
        *((384, 256, 3, 1), (256, 256, 1, 1), (256, 256, 3, 1), (256, 256, 1, 1), (256, 256, 3, 1)),
    ]
    assert (network.fc1.out_features, network.fc2.out_features) == (128, 128)
    found = network(torch.randn(2, 3, 160, 160))
    assert found.shape == (2, 128)
    np.testing.assert_allclose(found.detach().norm(dim=1), 1.0, rtol=1e-5)


def test_response_normalisation_is_torchs() -> None:
    maps = torch.randn(2, 16, 5, 5)
    np.testing.assert_allclose(
        ResponseNorm(16)(maps), torch.nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)(maps), rtol=1e-5, atol=1e-6
    )


def test_the_1x1_variant_is_table_3() -> None:
    basis = fit_pca(RANDOM.normal(size=(20, 30)))
    network = LaineNetwork(basis, colours=3, first_kernel=1)
    kernels = [m.kernel_size[0] for m in network.towers[0].layers if isinstance(m, torch.nn.Conv2d)]
    assert kernels == [1, 3] * 6


def test_memory_layout_does_not_change_what_is_learned() -> None:
    pictures, gradients = torch.rand(4, 3, 40, 30), []
    for layout in (torch.contiguous_format, torch.channels_last):
        torch.manual_seed(0)
        tower = Tower((8, 12), colours=3, first_kernel=1).to(memory_format=layout)
        tower(pictures.contiguous(memory_format=layout)).square().mean().backward()
        gradients.append([p.grad.contiguous() for p in tower.parameters() if p.grad is not None])
    for plain, last in zip(*gradients, strict=True):
        np.testing.assert_allclose(last, plain, rtol=1e-4, atol=1e-6)


def test_two_towers_see_two_cameras() -> None:
    network = LaineNetwork(fit_pca(RANDOM.normal(size=(20, 30))), (4, 8), (32, 24), cameras=2).eval()
    both = torch.randn(1, 2, 32, 24)
    other = both.clone()
    other[:, 1] += 1
    assert float((network(both) - network(other)).abs().max()) > 0
    assert network.bottleneck.in_features == 2 * network.towers[0].count_features((32, 24))


def test_a_basis_from_weights_is_the_basis_of_their_meshes() -> None:
    weights, keys, rest = RANDOM.uniform(size=(40, 5)), RANDOM.normal(size=(5, 60)), RANDOM.normal(size=60)
    direct, short = fit_pca(rest + weights @ keys), fit_pca_from_weights(weights, keys, rest)
    np.testing.assert_allclose(short.mean, direct.mean, atol=1e-5)
    assert len(short.components) == len(direct.components) == 5
    np.testing.assert_allclose(
        short.components.T @ short.components, direct.components.T @ direct.components, atol=1e-4
    )


def test_augmentation_covers_what_heads_do_in_the_set() -> None:
    turn = np.linspace(-0.2, 0.2, 50)
    across = 0.3 * np.stack([np.cos(turn) / 3, np.sin(turn) / 4], 1)
    face = np.stack([0.5 - across / 2, 0.5 + across / 2, np.full((50, 2), 0.6)], 1)
    limits = fit_augmentation(face)
    assert np.abs(turn).max() <= limits.turn_rad <= 0.25
    assert limits.zoom == 0.02 and fit_augmentation(face[:1]) == Augmentation()
    still = torch.rand(2, 1, 16, 12)
    assert torch.equal(augment(still, limits, 0.0, torch.Generator()), still)


def test_stabilisation_undoes_what_moved_a_whole_shot() -> None:
    rest = RANDOM.normal(scale=0.1, size=(80, 3))
    talk = RANDOM.normal(scale=0.002, size=(30, 80, 3)) * (np.arange(80) < 20)[:, None]
    talk[20:] *= 8  # the lively half
    matrix = Rotation.from_rotvec([0.02, 0.01, 0.03]).as_matrix() * 1.01
    shot = (rest + talk) @ matrix.T + (0.01, -0.02, 0.005)
    before = np.abs(shot[:, 20:] - rest[20:]).max()
    after = np.abs(apply_stabilisation(shot, fit_stabilisation(shot, rest))[:, 20:] - rest[20:]).max()
    assert after < 0.02 * before


def test_pictures_are_held_still_by_eyes_and_nose() -> None:
    place = np.float32([[10, 12], [22, 12], [16, 20]])
    turn, shift = Rotation.from_euler("z", 0.2).as_matrix()[:2, :2], np.array([3.0, -2.0])
    seen = (place - 16) @ turn.T + 16 + shift
    matrix = fit_eye_alignment(seen[None].astype(np.float32), place)[0]
    np.testing.assert_allclose(place @ matrix[:, :2].T + matrix[:, 2], seen, atol=1e-4)
    picture = np.zeros((1, 1, 32, 32), np.uint8)
    x, y = np.round(seen[0]).astype(int)
    picture[0, 0, y, x] = 255
    aligned = align_eyes(picture, matrix[None])[0, 0]
    found = np.unravel_index(int(aligned.argmax()), aligned.shape)
    np.testing.assert_allclose(found[::-1], place[0], atol=1)


def test_weights_of_vertices_are_found_within_their_ranges() -> None:
    neutral = RANDOM.normal(scale=0.1, size=(60, 3)).astype(np.float32)
    deltas = RANDOM.normal(scale=0.005, size=(8, 60, 3)).astype(np.float32)
    ranges = np.tile(np.float32([0, 1]), (8, 1))
    true = RANDOM.uniform(size=(25, 8)) * (RANDOM.random((25, 8)) < 0.5)
    positions = neutral + np.tensordot(true, deltas, axes=1)
    found, distance = WeightFitter(neutral, deltas, ranges).fit(positions)
    np.testing.assert_allclose(found, true, atol=0.01)
    assert distance.max() < 0.05
    beyond, _ = WeightFitter(neutral, deltas, ranges).fit(neutral + 1.5 * deltas[:1])
    assert beyond[0, 0] == pytest.approx(1.0) and beyond.min() >= 0


def test_heads_are_found_when_the_face_is_known() -> None:
    points = RANDOM.normal(scale=0.06, size=(20, 60, 3))
    turns = Rotation.from_rotvec(RANDOM.normal(scale=0.2, size=(20, 3))).as_matrix()
    shifts = RANDOM.normal(scale=0.05, size=(20, 3)) + np.array([0, 0, 0.7])
    camera = np.einsum("fij,flj->fli", turns, points) + shifts[:, None]
    seen = camera[..., :2] / camera[..., 2:] * 900 + (319.5, 239.5)
    seen += RANDOM.normal(scale=0.5, size=seen.shape)
    seen[:, :4] += 40  # outliers
    seen[7] = np.nan
    rotation, translation, residual = head_poses(points, seen, 900.0, (640, 480))
    good = np.arange(20) != 7
    away = Rotation.from_matrix(rotation[good] @ turns[good].transpose(0, 2, 1)).magnitude()
    assert np.degrees(away).max() < 1.0 and np.linalg.norm(translation - shifts, axis=1)[good].max() < 0.01
    assert np.isnan(residual[7]) and np.isfinite(residual[good]).all()


def test_landmarks_in_one_place_are_no_head() -> None:
    points = RANDOM.normal(scale=0.06, size=(2, 60, 3))
    seen = np.full((2, 60, 2), 200.0) + RANDOM.normal(scale=1e-6, size=(2, 60, 2))
    residual = head_poses(points, seen, 900.0, (640, 480))[2]
    assert np.isnan(residual).all()


def test_drawn_performances_stay_in_range_and_reach_far() -> None:
    ranges = np.tile([0.0, 1.0], (52, 1))
    shots = [make_shot_curves(ARKIT_CHANNELS, ranges, 12.0, 30.0, seed) for seed in range(4)]
    for curves in shots:
        assert curves.shape == (360, 52) and curves.min() >= 0 and curves.max() <= 1
        # Fast, as speech is, and no jumps: a jump would be a change of one between two frames.
        change = np.abs(np.diff(curves, axis=0)).max(1)
        assert np.quantile(change, 0.98) < 0.5 and change.max() < 0.8
    opening = ARKIT_CHANNELS.index("jawOpen")
    assert max(curves[:, opening].max() for curves in shots) > 0.7
    np.testing.assert_array_equal(shots[1], make_shot_curves(ARKIT_CHANNELS, ranges, 12.0, 30.0, 1))
    unknown = make_shot_curves(("foo", "bar"), np.array([[0, 1], [-1, 1]]), 4.0, 30.0, 1)
    assert unknown.max() > 0.1


def test_no_face_is_made_for_two_uses() -> None:
    every = find_recorded_faces(ARKIT_CHANNELS)
    assert every is not None
    parts = {name: find_recorded_faces(ARKIT_CHANNELS, name) for name in POSE_SHARES}
    rows = [{face.tobytes() for face in part} for part in parts.values() if part is not None]
    assert sum(len(part) for part in rows) == len(every) and len(set.union(*rows)) == len(every)
    assert all(len(part) > 0.1 * len(every) for part in rows)
    # A held face of a shot is, but for its strength, one of its own share: those of others are further away.
    ranges, mouth = np.tile([0.0, 1.0], (52, 1)), [k for k, c in enumerate(ARKIT_CHANNELS) if c.startswith("mouth")]
    for name in ("train", "test"):
        curves = make_shot_curves(ARKIT_CHANNELS, ranges, 12.0, 30.0, 1, poses=name)[:, mouth]
        held = curves[1:][np.abs(np.diff(curves, axis=0)).max(1) < 1e-6]
        held = held[np.linalg.norm(held, axis=1) > 0.3]
        near = {key: _find_nearest_direction(held, part[:, mouth]) for key, part in parts.items() if part is not None}
        own, others = near.pop(name), np.minimum(*near.values())
        assert (own < 1e-3).mean() > 0.2 and (others < 1e-3).mean() < 0.02


def _find_nearest_direction(found: np.ndarray, known: np.ndarray) -> np.ndarray:
    """(F,) one less the cosine between faces (F, K) and the nearest of others (N, K)."""
    unit = [x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9) for x in (found, known)]
    return 1 - (unit[0] @ unit[1].T).max(1)


def test_a_first_layer_in_fours_says_the_same_of_one_camera_and_of_two() -> None:
    basis = fit_pca(RANDOM.normal(size=(20, 15)))
    for cameras in (1, 2):
        network = LaineNetwork(basis, (8, 8), (32, 24), cameras=cameras)
        picture = RANDOM.normal(size=(1, cameras, 32, 24)).astype(np.float32)
        model = to_onnx(network, {"picture": torch.zeros(1, cameras, 32, 24)}, ("vertices",))
        fours = rewrite_first_layers(onnx.load_from_string(model))
        assert [node.op_type for node in fours.graph.node].count("SpaceToDepth") == cameras
        both = (onnxruntime.InferenceSession(m) for m in (model, fours.SerializeToString()))
        a, b = (session.run(None, {"picture": picture})[0] for session in both)
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_eight_bits_lose_little_and_keep_the_face_at_rest_exactly() -> None:
    torch.manual_seed(11)  # the same network whichever tests ran before
    random = np.random.default_rng(11)
    network = LaineNetwork(fit_pca(random.normal(size=(20, 15))), (4, 8), (32, 24))
    pictures = [random.normal(size=(1, 1, 32, 24)).astype(np.float32) for _ in range(12)]
    model = to_onnx(network, {"picture": torch.zeros(1, 1, 32, 24)}, ("vertices",))
    small = quantise(model, iter(pictures))
    check_onnx(small, "small")
    found, wanted = (
        np.stack([onnxruntime.InferenceSession(m).run(None, {"picture": p})[0] for p in pictures])
        for m in (small, model)
    )
    moved = wanted - wanted.mean(0)
    assert np.sqrt(np.mean((found - wanted) ** 2)) < 0.05 * np.sqrt(np.mean(moved**2))
    at_rest = onnx.load_from_string(small).graph.initializer
    assert any(
        one.dims == list(network.output.weight.shape) or one.dims == list(network.output.weight.T.shape)
        for one in at_rest
        if one.data_type == onnx.TensorProto.FLOAT
    )


def bundle() -> SolverBundle:
    neutral = RANDOM.normal(size=(12, 3)).astype(np.float32)
    network = LaineNetwork(fit_pca(RANDOM.normal(size=(20, 15))), (4, 8), (32, 24))
    model = to_onnx(network, {"picture": torch.zeros(1, 1, 32, 24)}, ("vertices",))
    facts = SolverFacts(
        "a", "mesh", (0.1, 0.1, 0.8, 0.8), None, PictureKind(32, 24), 0.5, 0.2, ("jawOpen",), 12, {"rmse_mm": 1.0}
    )
    return SolverBundle(facts, {"mesh": model}, np.arange(5, dtype=np.int32), neutral)


def rewritten(path: Path, changes: dict[str, bytes]) -> Path:
    """A bundle with members replaced or added."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (members | changes).items():
            archive.writestr(name, content)
    return path


def test_a_bundle_is_read_back_as_it_was(tmp_path: Path) -> None:
    made = bundle()
    save_bundle(tmp_path / "a.facecap", made)
    found = load_bundle(tmp_path / "a.facecap")
    assert found.facts == made.facts and found.networks == made.networks
    np.testing.assert_array_equal(found.neutral, made.neutral)
    picture = RANDOM.integers(0, 255, (64, 48, 3)).astype(np.uint8)
    assert TrainedSolver(found).solve(picture).shape == (5, 3)


@pytest.mark.parametrize("name", ["../../evil.py", "/etc/passwd", "extra.onnx", "code.pkl"])
def test_what_does_not_belong_in_a_bundle_is_refused(tmp_path: Path, name: str) -> None:
    save_bundle(tmp_path / "a.facecap", bundle())
    with pytest.raises(FacecapError, match="belongs in no solver"):
        load_bundle(rewritten(tmp_path / "a.facecap", {name: b"x"}))


def test_arrays_with_objects_are_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    np.savez(stream, moving=np.array([{"a": 1}], dtype=object), neutral=np.zeros((12, 3)))
    save_bundle(tmp_path / "a.facecap", bundle())
    with pytest.raises(FacecapError, match="damaged"):
        load_bundle(rewritten(tmp_path / "a.facecap", {"arrays.npz": stream.getvalue()}))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"picture": {"height": 10**9, "width": 24, "colour": False}}, "damaged"),
        ({"vertices": 10**12}, "damaged"),
        ({"vertices": 13}, "incomplete"),
        ({"kind": "weights"}, "incomplete"),
        ({"format": 99}, "another version"),
        ({"crop": [0, 0, float("nan"), 1]}, "damaged"),
    ],
)
def test_absurd_facts_are_refused(tmp_path: Path, changes: dict[str, object], says: str) -> None:
    path = tmp_path / "a.facecap"
    save_bundle(path, bundle())
    with zipfile.ZipFile(path) as archive:
        facts = json.loads(archive.read("solver.json"))
    with pytest.raises(FacecapError, match=says):
        load_bundle(rewritten(path, {"solver.json": json.dumps(facts | changes).encode()}))


def _model(*nodes: object, **extra: object) -> bytes:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        list(nodes), "g", [value("picture", 1, [1, 1, 32, 24])], [value("out", 1, None)], **extra
    )
    return onnx.helper.make_model(graph).SerializeToString()


def test_hostile_networks_are_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.facecap"
    save_bundle(path, bundle())
    node = onnx.helper.make_node
    foreign = _model(node("PyOp", ["picture"], ["out"], domain="evil"))
    with pytest.raises(FacecapError, match=r"foreign operator evil\.PyOp"):
        load_bundle(rewritten(path, {"mesh.onnx": foreign}))
    looping = _model(node("Loop", ["picture"], ["out"]))
    with pytest.raises(FacecapError, match="foreign operator Loop"):
        load_bundle(rewritten(path, {"mesh.onnx": looping}))
    tensor = onnx.helper.make_tensor("w", 1, [1], [1.0])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"
    tensor.ClearField("float_data")
    outside = _model(node("Add", ["picture", "w"], ["out"]), initializer=[tensor])
    with pytest.raises(FacecapError, match="another file"):
        load_bundle(rewritten(path, {"mesh.onnx": outside}))
    for rubbish in (b"", b"\xff" * 100, b"MZ not a network"):
        with pytest.raises(FacecapError, match="refused"):
            load_bundle(rewritten(path, {"mesh.onnx": rubbish}))


def test_a_network_of_another_size_than_announced_is_refused(tmp_path: Path) -> None:
    made = bundle()
    short = SolverBundle(made.facts, made.networks, np.arange(4, dtype=np.int32), made.neutral)
    with pytest.raises(FacecapError, match="gives 15 numbers and announces 12"):
        TrainedSolver(short)


def test_a_cut_off_bundle_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.facecap"
    save_bundle(path, bundle())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FacecapError, match="damaged"):
        load_bundle(path)
    with pytest.raises(FacecapError, match="no solver"):
        load_bundle(tmp_path / "none.facecap")


def test_the_lstm_begins_at_the_mean_face() -> None:
    mean = torch.tensor([0.2, 0.7, 0.1])
    network = WeightLstm(8, mean, 16)
    with torch.no_grad():
        network.output.weight.zero_()
    found, hidden, _ = network(torch.randn(2, 5, 8))
    np.testing.assert_allclose(found.detach(), mean.expand(2, 5, 3))
    assert hidden.shape == (1, 2, 16)
