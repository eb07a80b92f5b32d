"""Learning to continue expressions (Seo and Luo, section 4): teacher-forced steps, sum of squared errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from ...arrays import F32, F64, Rows
from ...errors import FacecapError
from ...landmarks.probes import Probe, run_session
from ...learn.engine.schedule import Schedule
from ...learn.export.onnx_export import check_parity, measure_parity, to_onnx
from ...solvers.probes import open_network
from ..authored.style import draw_style
from ..edits import settle
from ..plot import draw_strip
from ..sequence import FPS, LandmarkSequence, to_displacements, to_steps
from ..statistics import compare_features, measure_features
from .identity import fit_sequence, learn_faces
from .lstm import HIDDEN, LAYERS, STYLE, Basis, OneStep, Predictor, weigh_directions

PAPER_SCHEDULE = Schedule(epochs=10_000, rate=1e-3, constant_lr=True)
SCHEDULE = Schedule(epochs=160, rate=5e-3, inverse_sqrt=False)
FREE_SCHEDULE = Schedule(epochs=24, augmentation_epochs=0, rate=1e-3, inverse_sqrt=False)
STATE = ("said", "missed", "frame", "h", "c")
PAPER_BATCH, BATCH, FREE_BATCH = 5, 10, 24
CLIP = 5.0
PASSES = 10
"""Times through the set between two evaluations."""
_EMPTY, _DEAF = 0.3, 0.5
_STYLE_WEIGHT = 0.02
_STYLE_NOISE = 0.1
_PLACES = 5e-4
"""Price of a landmark's place in a free run against that of a step of its own."""
_STYLE_PACE = 5.0
"""Styles are learned this much faster than weights: each is seen once in a pass."""
_JUDGED_STYLES = 4
_DIRECTIONS, _LEAST_DIRECTION = 48, 1e-4
_LARGE = 1 << 14
"""Weights are stored in 16 bits from so many on: the memory's, which are most of them."""


@dataclass
class NextStepTask:
    """What `learn.engine.trainer` trains.

    Each sequence has a style of its own, learned beside the network and kept small. Three sequences in ten begin from
    the empty style. Steps are those of faces brought to one size.

    Attributes:
        train_sequences, validation_sequences: of one layout and length.  passes: see PASSES.
        as_paper: no styles; every sequence begins with an empty memory and the neutral face as its first input.
        initial_network: one to go on with.
    """

    train_sequences: list[LandmarkSequence]
    validation_sequences: list[LandmarkSequence]
    passes: int = PASSES
    device: str = "cpu"
    monitor: str = "relative_error"
    as_paper: bool = False
    initial_network: nn.Module | None = None
    network: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        if len(self.train_sequences) < 2:
            raise FacecapError("There are fewer than two sequences to learn from.", "Add more of this expression.")
        self.faces = learn_faces(self.train_sequences)
        self._steps = self.read_steps(self.train_sequences)
        identities = np.stack([self.faces.measure(s.rest) for s in self.train_sequences])
        self.network = self.initial_network or self._make_network(identities)

    def _make_network(self, identities: F32) -> nn.Module:
        """Directions of steps, and the first styles, by principal components: of steps, and of whole sequences."""
        count, _, width = self._steps.shape
        flat = self._steps.reshape(-1, width).astype(np.float64)
        _, sizes, axes = np.linalg.svd(flat, full_matrices=False)
        kept = min(_DIRECTIONS, int((sizes > _LEAST_DIRECTION * sizes[0]).sum()))
        basis = Basis(
            torch.from_numpy(axes[:kept].astype(np.float32)),
            torch.from_numpy((sizes[:kept] / np.sqrt(len(flat))).astype(np.float32)),
            torch.from_numpy(1000 * self.faces.components.reshape(-1, width)),
        )
        steps = self._steps @ axes[:kept].T.astype(np.float32) / weigh_directions(basis.spreads).numpy()
        places = np.cumsum(steps, axis=1).reshape(count, -1).astype(np.float64)
        # Half of a style is where landmarks go, half what one notices: how strong, how fast, how even.
        noticed = measure_features([fit_sequence(s, self.faces) for s in self.train_sequences])
        both = [_standardise(noticed, axis=0), np.sqrt(noticed.shape[1]) * _standardise(places)]
        known = _know(identities)
        shown = np.concatenate(both, axis=1)
        u, strength, _ = np.linalg.svd(shown - known @ (np.linalg.pinv(known) @ shown), full_matrices=False)
        styles = np.zeros((count, STYLE), np.float32)
        kept = min(STYLE, int((strength > 1e-6 * max(strength[0], 1e-9)).sum()))
        styles[:, :kept] = u[:, :kept] * np.sqrt(count)
        return Styled(Predictor(basis, as_paper=self.as_paper), identities, styles)

    def read_steps(self, sequences: list[LandmarkSequence]) -> F32:
        """(N, F, 3L) float32 mm, of faces brought to the mean one's size."""
        return np.stack([to_steps(fit_sequence(s, self.faces).displacements) for s in sequences])

    @property
    def items(self) -> int:
        return len(self._steps) * self.passes

    def load_batch(self, items: Rows) -> tuple[Rows, F32]:
        """Numbers of sequences (B,), and their steps (B, F, 3L) mm."""
        # In numpy: it runs in a thread of its own, and a second pool of torch's threads would get in the way.
        numbers = items % len(self._steps)
        return numbers, self._steps[numbers]

    def compute_loss(
        self, network: nn.Module, batch: tuple[Rows, F32], strength: float, generator: torch.Generator
    ) -> Tensor:
        """Σ ‖y_t − x_{t+1}‖², mm², mean over sequences; the steps wanted are those seen, shifted by one.

        But as the paper has it, what the network says alone counts too, and of both the logarithm: the two differ a
        hundredfold, and each is to shrink by its own measure.
        """
        numbers, steps = (torch.from_numpy(part) for part in batch)
        empty = torch.rand(len(steps), generator=generator) < (1.0 if self.as_paper else _EMPTY)
        deaf = torch.rand(len(steps), generator=generator) < _DEAF
        wanted = _shift(steps).to(self.device)
        parts = (part.to(self.device) for part in (steps, numbers, empty, deaf))
        out, told, style = network(*parts)
        error = ((out.float() - wanted) ** 2).sum() / len(steps)
        if self.as_paper:
            return error
        alone = self.predictor.weigh(told.float() - wanted).square().sum() / len(steps)
        return torch.log(error) + torch.log(alone) + _STYLE_WEIGHT * (style**2).mean()

    def evaluate(self) -> dict[str, float]:
        """On validation subjects: squared error from the empty style, over that of predicting no motion; energy
        distance of free runs on their faces from what they did; and how far these runs end from neutral, mm."""
        if not self.validation_sequences:
            return {}
        runs = self.run_on_faces(self.validation_sequences, _JUDGED_STYLES)
        led = [replace(run, displacements=settle(run.displacements, run.fps)) for run in runs]
        judged = [fit_sequence(s, self.faces) for s in self.validation_sequences]
        compared = compare_features(measure_features(led), measure_features(judged), permutations=0)
        return {
            "relative_error": self.measure_error(self.validation_sequences),
            "energy_distance": compared.distance,
            "end_mm": float(np.mean([1000 * np.linalg.norm(run.displacements[-1], axis=1).mean() for run in runs])),
        }

    def run_on_faces(self, sequences: list[LandmarkSequence], styles: int) -> list[LandmarkSequence]:
        """Free runs on the faces of some sequences, in some styles each, at the mean face's size."""
        random = np.random.default_rng(1)
        faces = [self.faces.measure(s.rest) for s in sequences for _ in range(styles)]
        drawn = [draw_style(self.read_styles(), random) for _ in faces]
        runs = self.run_freely(torch.from_numpy(np.stack(drawn)), torch.from_numpy(np.stack(faces)))
        return [
            LandmarkSequence(self.scheme, self.faces.restore(face), to_displacements(run), FPS)
            for face, run in zip(faces, runs, strict=True)
        ]

    def measure_error(self, sequences: list[LandmarkSequence]) -> float:
        """Teacher-forced squared error from the empty style over that of predicting zero motion."""
        steps = torch.from_numpy(self.read_steps(sequences))
        identity = torch.from_numpy(np.stack([self.faces.measure(s.rest) for s in sequences]))
        with torch.no_grad():
            empty = torch.zeros(len(steps), STYLE, device=self.device)
            out = self.predictor.predict(steps.to(self.device), empty, identity.to(self.device))[0].cpu()
        wanted = _shift(steps)
        return float(((out - wanted) ** 2).sum() / (wanted**2).sum())

    def draw_preview(self) -> NDArray[np.uint8] | None:
        """A free run, as drawn landmarks."""
        runs = self.run_freely(torch.zeros(1, STYLE), torch.zeros(1, len(self.faces.components)))
        return draw_strip(self.scheme, self.faces.mean, to_displacements(runs[0]))

    def run_freely(self, style: Tensor, identity: Tensor) -> F32:
        """(N, F, 3L) mm: what the network gives when it feeds on its own steps, from styles (N, S), faces (N, K)."""
        frames = self._steps.shape[1]
        with torch.no_grad():
            runs = self.predictor.run_freely(style.to(self.device), identity.to(self.device), frames)
        return runs.cpu().numpy()

    @property
    def scheme(self) -> str:
        return self.train_sequences[0].scheme

    @property
    def predictor(self) -> Predictor:
        assert isinstance(self.network, Styled)
        return self.network.predictor

    def read_styles(self) -> F32:
        """(N, S): the styles learned, between which new ones are drawn; as the paper has it, one that is empty."""
        assert isinstance(self.network, Styled)
        if self.as_paper:
            return np.zeros((1, STYLE), np.float32)
        with torch.no_grad():
            return self.network.compute_styles().cpu().numpy()


@dataclass
class FreeRunTask(NextStepTask):
    """The same network, taught to hear itself: sequences run from their styles alone have to end where they should.

    Seo and Luo's loss knows single steps only. What it leaves over adds up while the network feeds on its own output,
    until the mouth lies beside the face. Here whole sequences run freely, and where landmarks have got to counts
    as well as each step.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.passes = 1

    def compute_loss(
        self, network: nn.Module, batch: tuple[Rows, F32], strength: float, generator: torch.Generator
    ) -> Tensor:
        """`NextStepTask`'s loss, and the logarithm of that of free runs: squared errors of steps and of places."""
        taught = super().compute_loss(network, batch, strength, generator)
        assert isinstance(network, Styled)
        numbers, steps = (torch.from_numpy(part).to(self.device) for part in batch)
        style, identity = network.embed_styles(numbers), network.identities[numbers]
        noisy = style + _STYLE_NOISE * torch.randn(style.shape, generator=generator).to(self.device)
        apart = network.predictor.weigh(network.predictor.run_freely(noisy, identity, steps.shape[1]) - steps)
        places = torch.cumsum(apart, dim=1)
        free = (apart.square().sum() + _PLACES * places.square().sum()) / len(steps)
        return taught + 2.0 * torch.log(free)


class Styled(nn.Module):
    """A predictor, and the styles of the sequences that it learns from.

    Styles say nothing that the neutral faces say already: what follows linearly from these is taken out of them. So a
    style that one face showed can be shown by another one, in its own way.

    Args:
        identities: (N, K) faces of the sequences, see `FaceSpace`.  styles: (N, S) to begin with.
    """

    identities: Tensor
    explained: Tensor

    def __init__(self, predictor: Predictor, identities: F32, styles: F32) -> None:
        super().__init__()
        self.predictor = predictor
        self.styles = nn.Embedding.from_pretrained(torch.from_numpy(styles / _STYLE_PACE), freeze=False)
        known = _know(identities)
        self.register_buffer("identities", torch.from_numpy(identities), persistent=False)
        explained = (known @ np.linalg.pinv(known)).astype(np.float32)
        self.register_buffer("explained", torch.from_numpy(explained), persistent=False)

    def compute_styles(self) -> Tensor:
        """(N, S) styles of all sequences."""
        weight = _STYLE_PACE * self.styles.weight
        return weight - self.explained @ weight

    def embed_styles(self, numbers: Tensor) -> Tensor:
        """(B, S) styles of some sequences."""
        return self.compute_styles()[numbers]

    def forward(self, steps: Tensor, numbers: Tensor, empty: Tensor, deaf: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Predicted steps, what the network says alone, and the styles (B, S) that both began from, empty where asked.

        Deaf are sequences, but those of an empty style, whose steps it does not hear.
        """
        style = self.embed_styles(numbers) * (~empty)[:, None]
        return *self.predictor.predict(steps, style, self.identities[numbers], deaf & ~empty), style


def seed_torch(seed: int) -> None:
    """Begin all of torch's chance from a seed."""
    torch.manual_seed(seed)


def _standardise(rows: F64, axis: int | None = None) -> F64:
    """Rows (N, D) about their mean, in spreads: of each column, or (None) of whole rows."""
    centred = rows - rows.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0)) if axis == 0 else np.sqrt((centred**2).sum(axis=1).mean())
    return centred / np.maximum(spread, 1e-9)


def _know(identities: F32) -> F64:
    """(N, K' + 1): what faces say linearly: those of their numbers that differ, and one."""
    differing = identities[:, np.ptp(identities, axis=0) > 0].astype(np.float64)
    return np.concatenate([differing, np.ones((len(identities), 1))], axis=1)


def _shift(steps: Tensor) -> Tensor:
    return torch.cat([steps[:, 1:], torch.zeros_like(steps[:, :1])], dim=1)


def export_generator(task: NextStepTask, name: str, facts: dict[str, Any]) -> tuple[bytes, float]:
    """The trained network as ONNX with what belongs to it, and its largest difference from torch, mm.

    Weights are stored in 16 bits, which halves the file.
    """
    network = OneStep(task.predictor.cpu()).eval()
    width = task.faces.mean.size
    inputs = {
        "step": 0.1 * torch.randn(1, 1, width),
        "said": 0.1 * torch.randn(1, 1, width),
        "missed": 0.1 * torch.randn(1, 1, width),
        "frame": torch.full((1,), 20.0),
        "h": 0.1 * torch.randn(LAYERS, 1, HIDDEN),
        "c": 0.1 * torch.randn(LAYERS, 1, HIDDEN),
        "style": torch.randn(1, STYLE),
        "identity": torch.randn(1, len(task.faces.components)),
        "first": torch.zeros(1),
    }
    model = _keep_inputs(
        _store_in_half(to_onnx(network, inputs, ("next", *(f"{name}_after" for name in STATE)))), inputs
    )
    difference = measure_parity(network, model, inputs)
    check_parity(difference * 0.01, "mm")  # a hundredth of a millimetre a step is less than the weights' rounding
    described = {
        "name": name,
        "scheme": task.scheme,
        "fps": FPS,
        "frames": int(task.load_batch(np.zeros(1, np.intp))[1].shape[1]),
        "rest_m": np.round(task.faces.mean.astype(np.float64), 6).ravel().tolist(),
        "faces_mm": np.round(1000.0 * task.faces.components.astype(np.float64), 4).ravel().tolist(),
        "styles": np.round(task.read_styles().astype(np.float64), 4).tolist(),
        **facts,
    }
    return _add_metadata(model, json.dumps(described)), difference


def _keep_inputs(model: bytes, inputs: dict[str, Tensor]) -> bytes:
    """The same network with all inputs, also those that it has no use for, as the paper's has none for a style."""
    loaded = onnx.load_from_string(model)
    present = {item.name for item in loaded.graph.input}
    for name, value in inputs.items():
        if name not in present:
            loaded.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(value.shape)))
    return loaded.SerializeToString()


def make_probe(model: bytes) -> Probe:
    """A step of an exported generator, and what comes out of it where it is made.

    It is half way between a first step and one that follows, so that style and memory both count.
    """
    session = open_network(model, 1)
    random = np.random.default_rng(0)
    inputs = {item.name: random.normal(scale=0.3, size=item.shape).astype(np.float32) for item in session.get_inputs()}
    inputs["first"][:] = 0.5
    return Probe(inputs, run_session(session, inputs))


def _store_in_half(model: bytes) -> bytes:
    """The same network with large weights in 16 bits and a cast behind each."""
    graph = (loaded := onnx.load_from_string(model)).graph
    casts = []
    for item in list(graph.initializer):
        values = numpy_helper.to_array(item)
        if values.dtype != np.float32 or values.size < _LARGE:
            continue
        small = numpy_helper.from_array(values.astype(np.float16), f"{item.name}.half")
        graph.initializer.remove(item)
        graph.initializer.append(small)
        casts.append(helper.make_node("Cast", [small.name], [item.name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        graph.node.insert(0, cast)
    return loaded.SerializeToString()


def _add_metadata(model: bytes, text: str) -> bytes:
    loaded = onnx.load_from_string(model)
    entry = loaded.metadata_props.add()
    entry.key, entry.value = "facecap", text
    return loaded.SerializeToString()
