"""Networks give on every processor what they gave where they were made, or say that they do not."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from benchmarks.eight_bits import unsigned  # noqa: E402
from facecap_addon.errors import FacecapError  # noqa: E402
from facecap_addon.fit.energies import appearance, expression_prior  # noqa: E402
from facecap_addon.generate.authored.emotions import EXPRESSIONS  # noqa: E402
from facecap_addon.generate.learned.generator import find_shipped, load_generator  # noqa: E402
from facecap_addon.jobs import live  # noqa: E402
from facecap_addon.jobs.settings.live import LiveSettings  # noqa: E402
from facecap_addon.landmarks.backends.model_files import open_session  # noqa: E402
from facecap_addon.landmarks.probes import Probe, load_probe, probe_path, run_session, save_probe  # noqa: E402
from facecap_addon.learn.data.pca import fit_pca  # noqa: E402
from facecap_addon.learn.export.onnx_export import Scheme, quantise, to_onnx  # noqa: E402
from facecap_addon.learn.networks.laine.convolutional import LaineNetwork  # noqa: E402
from facecap_addon.solvers.bundle import SolverBundle, SolverFacts, load_bundle, save_bundle  # noqa: E402
from facecap_addon.solvers.crop import PictureKind  # noqa: E402
from facecap_addon.solvers.probes import (  # noqa: E402
    make_solver_probes,
    open_network,
    run_on_pictures,
)
from facecap_addon.solvers.solver import TrainedSolver  # noqa: E402
from facecap_addon.solvers.whitening import Whitening  # noqa: E402

HEIGHT, WIDTH, MEAN, DEVIATION = 32, 24, 0.5, 0.25


@pytest.fixture(scope="module")
def pictures() -> NDArray[np.uint8]:
    """(12, 1, H, W)."""
    random = np.random.default_rng(5)
    return np.clip(random.normal(MEAN, DEVIATION, (12, 1, HEIGHT, WIDTH)) * 255, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def model() -> bytes:
    random = np.random.default_rng(6)
    torch.manual_seed(6)
    network = LaineNetwork(fit_pca(random.normal(size=(20, 15))), (8, 16), (HEIGHT, WIDTH))
    return to_onnx(network, {"picture": torch.zeros(1, 1, HEIGHT, WIDTH)}, ("vertices",))


def whitened(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return Whitening(MEAN, DEVIATION).make_table()[pictures]


def eight_bits(model: bytes, pictures: NDArray[np.uint8], scheme: Scheme | None = None) -> bytes:
    given: Iterator[NDArray[np.float32]] = iter(whitened(pictures)[:, None])
    return quantise(model, given) if scheme is None else quantise(model, given, scheme)


@pytest.fixture(scope="module")
def bundle(model: bytes, pictures: NDArray[np.uint8]) -> SolverBundle:
    """A solver with both precisions and its probes."""
    facts = SolverFacts(
        "actor", "mesh", (0.0, 0.0, 1.0, 1.0), None, PictureKind(HEIGHT, WIDTH), MEAN, DEVIATION, ("jawOpen",), 12, {}
    )
    networks = {"mesh": model, "mesh.int8": eight_bits(model, pictures)}
    probes = make_solver_probes(networks, pictures[:3], Whitening(MEAN, DEVIATION).make_table())
    neutral = np.random.default_rng(7).normal(size=(12, 3)).astype(np.float32)
    return SolverBundle(facts, networks, np.arange(5, dtype=np.int32), neutral, probes=probes)


def solved(solver: TrainedSolver, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.stack([solver.solve_crop(picture) for picture in pictures])


def rms(values: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def test_pairs_of_eight_bit_products_fit_into_sixteen_bits(model: bytes, pictures: NDArray[np.uint8]) -> None:
    """x86 without VNNI adds two products of unsigned and signed bytes in 16 bits: each must stay below half of that."""
    held = onnx.load_from_string(eight_bits(model, pictures)).graph.initializer
    weights = [onnx.numpy_helper.to_array(one) for one in held if one.data_type == onnx.TensorProto.INT8]
    weights = [w.astype(np.int64) for w in weights if w.ndim > 1]
    assert len(weights) >= 3
    assert max(2 * 255 * int(np.abs(w).max()) for w in weights) < 2**15
    assert all(np.abs(w).max() >= 60 for w in weights)  # and no bit is given away beyond that


def test_eight_bits_are_what_they_are_where_nothing_can_be_cut_off(model: bytes, pictures: NDArray[np.uint8]) -> None:
    small = eight_bits(model, pictures)
    here, elsewhere = (run_on_pictures(open_network(one, 1), whitened(pictures)) for one in (small, unsigned(small)))
    # The same integers; the last layer is in floats, whose sums may be taken in another order.
    np.testing.assert_allclose(here, elsewhere, atol=1e-5)


def test_eight_bits_that_agree_are_used(bundle: SolverBundle, tmp_path: Path, pictures: NDArray[np.uint8]) -> None:
    save_bundle(tmp_path / "a.facecap", bundle)
    found = load_bundle(tmp_path / "a.facecap")
    assert found.probes is not None and bundle.probes is not None
    np.testing.assert_array_equal(found.probes.pictures, bundle.probes.pictures)
    assert set(found.probes.answers) == {"mesh", "mesh.int8"}
    small, plain = (TrainedSolver(found, precision=precision) for precision in ("int8", "fp32"))
    assert small.notes == plain.notes == ()
    apart = rms(solved(small, pictures) - solved(plain, pictures))
    assert 0 < apart < 0.1 * rms(solved(plain, pictures) - solved(plain, pictures).mean(0))


def test_eight_bits_that_do_not_agree_are_left_with_a_note(bundle: SolverBundle, pictures: NDArray[np.uint8]) -> None:
    loaded = onnx.load_from_string(bundle.networks["mesh.int8"])
    for one in loaded.graph.initializer:
        if one.data_type == onnx.TensorProto.INT8 and len(one.dims) > 1:
            weights = onnx.numpy_helper.to_array(one)
            one.CopyFrom(onnx.numpy_helper.from_array(np.minimum(weights, 20), one.name))  # what is large is cut off
    wrong = replace(bundle, networks=bundle.networks | {"mesh.int8": loaded.SerializeToString()})
    solver = TrainedSolver(wrong, precision="int8")
    assert len(solver.notes) == 1 and "32 bits are used" in solver.notes[0]
    # The same network of 32 bits: nothing but the order of adding up may differ.
    np.testing.assert_allclose(solved(solver, pictures), solved(TrainedSolver(bundle), pictures), atol=1e-6)


def test_older_solvers_are_right_on_every_processor(
    bundle: SolverBundle, model: bytes, pictures: NDArray[np.uint8]
) -> None:
    """They carry no probes, and weights of eight bits: used where they are right, else left for 32 bits."""
    old = eight_bits(model, pictures, Scheme(signed=True, bits=8))
    solver = TrainedSolver(replace(bundle, networks={"mesh": model, "mesh.int8": old}, probes=None), precision="int8")
    plain, exact = (
        run_on_pictures(open_network(model, 1), whitened(pictures)),
        open_network(old, 1, exact=True),
    )
    lost = rms(run_on_pictures(exact, whitened(pictures)) - plain)
    assert rms(solved(solver, pictures).reshape(len(plain), -1) - plain) < 2 * lost
    # Today's eight bits are right everywhere, with or without probes.
    assert TrainedSolver(replace(bundle, probes=None), precision="int8").notes == ()


def test_thirty_two_bits_that_do_not_agree_are_refused(bundle: SolverBundle) -> None:
    probes = bundle.probes
    assert probes is not None
    answers = dict(probes.answers) | {"mesh": probes.answers["mesh"] * 1.02}
    with pytest.raises(FacecapError, match="other faces on this computer"):
        TrainedSolver(replace(bundle, probes=replace(probes, answers=answers)))


@pytest.mark.parametrize("changed", ["count", "size", "numbers"])
def test_absurd_probes_are_refused(bundle: SolverBundle, tmp_path: Path, changed: str) -> None:
    probes = bundle.probes
    assert probes is not None
    found = probes.answers["mesh"]
    absurd = {
        "count": replace(probes, answers={"mesh": found[:1]}),
        "size": replace(probes, pictures=probes.pictures[..., :-1]),
        "numbers": replace(probes, answers={"mesh": found * np.float32(np.nan)}),
    }[changed]
    save_bundle(tmp_path / "a.facecap", replace(bundle, probes=absurd))
    with pytest.raises(FacecapError, match="damaged"):
        load_bundle(tmp_path / "a.facecap")


def test_live_says_that_32_bits_are_used(bundle: SolverBundle, tmp_path: Path) -> None:
    save_bundle(tmp_path / "a.facecap", replace(bundle, networks={"mesh": bundle.networks["mesh"]}, probes=None))
    settings = LiveSettings(source="0", method=str(tmp_path / "a.facecap"), precision="int8", out=tmp_path)
    notes: list[str] = []
    for _ in live._watch_camera(settings, None, None, None, None, notes):  # type: ignore[arg-type]
        pass
    assert notes == ["The solver actor holds no 8-bit network: 32 bits are used."]


def test_a_network_is_held_to_the_probe_beside_it(model: bytes, pictures: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "face.onnx"
    path.write_bytes(model)
    given = {"picture": whitened(pictures[:1])}
    wanted = run_session(open_session(path, 1), given)
    assert load_probe(path) is None
    save_probe(path, Probe(given, wanted))
    open_session(path, 1)
    save_probe(path, Probe(given, {name: value * 1.02 for name, value in wanted.items()}))
    with pytest.raises(FacecapError, match="other answers on this computer") as raised:
        open_session(path, 1)
    assert "another computer" in raised.value.way_out
    # It says nothing about another network of that name, and is refused where it is damaged.
    path.write_bytes(onnx.load_from_string(model).SerializeToString() + b"")
    loaded = onnx.load_from_string(model)
    loaded.producer_name = "another"
    path.write_bytes(loaded.SerializeToString())
    assert load_probe(path) is None
    open_session(path, 1)
    probe_path(path).write_bytes(b"PK nonsense")
    with pytest.raises(FacecapError, match="cannot be read"):
        open_session(path, 1)


def with_other_answers(network: Path, folder: Path) -> Path:
    """A copy of a network beside a probe of which one answer was changed by a fiftieth."""
    copy = folder / network.name
    shutil.copy(network, copy)
    probe = load_probe(network)
    assert probe is not None
    name = max(probe.outputs, key=lambda output: float(np.abs(probe.outputs[output]).max()))
    save_probe(copy, replace(probe, outputs={**probe.outputs, name: probe.outputs[name] * 1.02}))
    return copy


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_generators_are_held_to_their_probes(expression: str, tmp_path: Path) -> None:
    load_generator(find_shipped(expression))
    with pytest.raises(FacecapError, match="other answers on this computer"):
        load_generator(with_other_answers(find_shipped(expression), tmp_path))


def test_the_expression_prior_is_held_to_its_probe(tmp_path: Path) -> None:
    expression_prior.load_prior()
    with pytest.raises(FacecapError, match="other answers on this computer"):
        expression_prior.read_prior.__wrapped__(with_other_answers(expression_prior.MODEL_PATH, tmp_path))


def test_the_appearance_networks_head_is_held_to_its_probe(tmp_path: Path) -> None:
    appearance.read_head()
    with pytest.raises(FacecapError, match="other answers on this computer"):
        appearance.read_head(with_other_answers(appearance.MODEL_PATH, tmp_path))


def test_every_landmark_network_has_a_probe_that_holds_here(models: Path) -> None:
    networks = sorted(models.glob("*.onnx"))
    if not any(probe_path(network).is_file() for network in networks):
        pytest.skip("these networks were built before probes were (python -m tools.build_models)")
    for network in networks:
        assert load_probe(network) is not None
        assert isinstance(open_session(network, 1), onnxruntime.InferenceSession)
