"""Learning to continue expressions (Seo and Luo, section 4): teacher-forced steps, sum of squared errors."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from ..arrays import F32, Rows
from ..errors import FacecapError
from ..landmarks.probes import Probe, run_session
from ..learn.engine.schedule import Schedule
from ..learn.export.onnx_export import check_parity, measure_parity, to_onnx
from ..solvers.probes import open_network
from .lstm import HIDDEN, LAYERS, STYLE, OneStep, Predictor
from .plot import draw_strip
from .sequence import FPS, LandmarkSequence, to_displacements, to_steps
from .style import draw_style

SCHEDULE = Schedule(epochs=10_000, rate=1e-3, constant_lr=True)
FREE_SCHEDULE = Schedule(epochs=150, decay_epochs=75, augmentation_epochs=0, rate=2e-3)
FREE_BATCH = 27
FREE_CLIP = 1.0
BATCH = 5
PASSES = 10
"""Times through the set between two evaluations."""
_NOISE_MM = 0.03
_EMPTY = 0.3
_STYLE_WEIGHT = 0.05
_STYLE_NOISE = 0.1
_TAUGHT, _PLACES = 10.0, 5e-4
"""Prices of steps after true ones, and of a landmark's place in a free run, against that of a step of its own."""
_STYLE_PACE = 5.0
"""Styles are learned this much faster than weights: each is seen once in a pass."""


@dataclass
class NextStepTask:
    """What `learn.engine.trainer` trains.

    Each sequence has a style of its own, learned beside the network and kept small. Three sequences in ten begin from
    the empty style, as all do in the paper. A little noise on what comes in teaches the network to find back when it
    feeds on itself; without it free runs drift.

    Attributes:
        train_sequences, validation_sequences: of one layout and length.  passes: see PASSES.
        initial_network: one to go on with.
    """

    train_sequences: list[LandmarkSequence]
    validation_sequences: list[LandmarkSequence]
    passes: int = PASSES
    device: str = "cpu"
    monitor: str = "relative_error"
    initial_network: nn.Module | None = None
    network: nn.Module = field(init=False)

    def __post_init__(self) -> None:
        if len(self.train_sequences) < 2:
            raise FacecapError("There are fewer than two sequences to learn from.", "Add more of this expression.")
        steps = np.stack([to_steps(s.displacements) for s in self.train_sequences])
        self._steps = steps
        validation = [to_steps(s.displacements) for s in self.validation_sequences]
        self._validation_steps = torch.from_numpy(np.stack(validation)) if validation else None
        self.network = self.initial_network or Styled(Predictor(steps.shape[2]), len(steps))

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
        """Σ ‖y_t − x_{t+1}‖², mm², mean over sequences; the steps wanted are those seen, shifted by one."""
        numbers, steps = (torch.from_numpy(part) for part in batch)
        empty = torch.rand(len(steps), generator=generator) < _EMPTY
        noise = _NOISE_MM * torch.randn(steps.shape, generator=generator)
        noise[:, 0] = 0.0  # the first step is the signal to begin
        out, style = network((steps + noise).to(self.device), numbers.to(self.device), empty.to(self.device))
        error = ((out.float() - _shift(steps).to(self.device)) ** 2).sum() / len(steps)
        return error + _STYLE_WEIGHT * (style**2).sum() / len(steps)

    def evaluate(self) -> dict[str, float]:
        """Squared error on validation subjects, from the empty style, over that of predicting no motion; and how far
        free runs end from neutral, mm."""
        if self._validation_steps is None:
            return {}
        ends = self.run_freely(self._draw_styles()).sum(axis=1).reshape(-1, self._steps.shape[2] // 3, 3)
        return {
            "relative_error": self.measure_error(self._validation_steps),
            "end_mm": float(np.linalg.norm(ends, axis=2).max(axis=1).mean()),
        }

    def _draw_styles(self, count: int = 32) -> Tensor:
        random = np.random.default_rng(1)
        return torch.from_numpy(np.stack([draw_style(self.read_styles(), random) for _ in range(count)]))

    def measure_error(self, steps: Tensor) -> float:
        """Teacher-forced squared error from the empty style over that of predicting zero motion."""
        predictor = self.predictor
        with torch.no_grad():
            memory = predictor.init_memory(torch.zeros(len(steps), STYLE, device=self.device))
            out = predictor(steps.to(self.device), memory)[0].cpu()
        wanted = _shift(steps)
        return float(((out - wanted) ** 2).sum() / (wanted**2).sum())

    def draw_preview(self) -> NDArray[np.uint8] | None:
        """A free run, as drawn landmarks."""
        runs = self.run_freely(torch.zeros(1, STYLE))
        return draw_strip(self.train_sequences[0].scheme, self.train_sequences[0].rest, to_displacements(runs[0]))

    def run_freely(self, style: Tensor) -> F32:
        """(N, F, 3L) mm: what the network gives when it feeds on its own steps, from styles (N, S)."""
        with torch.no_grad():
            return self.predictor.run_freely(style.to(self.device), self._steps.shape[1]).cpu().numpy()

    @property
    def predictor(self) -> Predictor:
        assert isinstance(self.network, Styled)
        return self.network.predictor

    def read_styles(self) -> F32:
        """(N, S): the styles learned, between which new ones are drawn."""
        assert isinstance(self.network, Styled)
        return (_STYLE_PACE * self.network.styles.weight.detach().cpu()).numpy()


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
        """The loss of `NextStepTask`, and that of free runs: squared errors of steps and of places, mm²."""
        taught = super().compute_loss(network, batch, strength, generator)
        assert isinstance(network, Styled)
        numbers, steps = (torch.from_numpy(part) for part in batch)
        style = network.embed_styles(numbers.to(self.device))
        style = style + _STYLE_NOISE * torch.randn(style.shape, generator=generator).to(self.device)
        free_run = network.predictor.run_freely(style, steps.shape[1])
        apart = free_run - steps.to(self.device)
        places = torch.cumsum(apart, dim=1)
        return _TAUGHT * taught + (apart.square().sum() + _PLACES * places.square().sum()) / len(steps)


class Styled(nn.Module):
    """A predictor and the styles of the sequences that it learns from."""

    def __init__(self, predictor: Predictor, sequences: int) -> None:
        super().__init__()
        self.predictor = predictor
        self.styles = nn.Embedding(sequences, STYLE)
        nn.init.normal_(self.styles.weight, std=0.5 / _STYLE_PACE)

    def embed_styles(self, numbers: Tensor) -> Tensor:
        """(B, S) styles of some sequences."""
        return _STYLE_PACE * self.styles(numbers)

    def forward(self, steps: Tensor, numbers: Tensor, empty: Tensor) -> tuple[Tensor, Tensor]:
        """Predicted steps, and the styles (B, S) that they began from, empty where asked."""
        style = self.embed_styles(numbers) * (~empty)[:, None]
        return self.predictor(steps, self.predictor.init_memory(style))[0], style


def seed_torch(seed: int) -> None:
    """Begin all of torch's chance from a seed."""
    torch.manual_seed(seed)


def _shift(steps: Tensor) -> Tensor:
    return torch.cat([steps[:, 1:], torch.zeros_like(steps[:, :1])], dim=1)


def export_generator(task: NextStepTask, name: str, facts: dict[str, Any]) -> tuple[bytes, float]:
    """The trained network as ONNX with what belongs to it, and its largest difference from torch, mm.

    Weights are stored in 16 bits, which halves the file.
    """
    network = OneStep(task.predictor.cpu()).eval()
    width = task.train_sequences[0].rest.size
    inputs = {
        "step": 0.1 * torch.randn(1, 1, width),
        "h": 0.1 * torch.randn(LAYERS, 1, HIDDEN),
        "c": 0.1 * torch.randn(LAYERS, 1, HIDDEN),
        "style": torch.randn(1, STYLE),
        "first": torch.zeros(1),
    }
    model = _store_in_half(to_onnx(network, inputs, ("next", "h_after", "c_after")))
    difference = measure_parity(network, model, inputs)
    check_parity(difference * 0.01, "mm")  # a hundredth of a millimetre a step is less than the weights' rounding
    styles = task.read_styles()
    rest = np.mean([s.rest for s in task.train_sequences], axis=0)
    described = {
        "name": name,
        "scheme": task.train_sequences[0].scheme,
        "fps": FPS,
        "frames": int(task.load_batch(np.zeros(1, np.intp))[1].shape[1]),
        "rest_m": np.round(rest, 6).ravel().tolist(),
        "styles": np.round(styles, 4).tolist(),
        **facts,
    }
    return _add_metadata(model, json.dumps(described)), difference


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
        if values.dtype != np.float32 or values.size < 1024:
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
