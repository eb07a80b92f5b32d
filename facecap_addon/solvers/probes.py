"""Pictures whose answers a solver carries with it, so that a processor that calculates it wrongly is found out.

The answers of 32-bit networks are onnxruntime's where the solver was made. Those of 8-bit networks are calculated in
32 bits from the same 8-bit weights: no processor has a say in them. (Without VNNI, x86 adds pairs of 8-bit products in
16 bits and cuts off what does not fit.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ..arrays import F32, U8
from ..landmarks.probes import ALLOWED, measure_difference
from .whitening import Whitening

FORMAT, COUNT = 1, 3
INT8_SUFFIX = ".int8"


@dataclass(frozen=True)
class SolverProbes:
    """What a solver's networks give for some pictures.

    Attributes:
        pictures: (P, C, H, W) uint8, as the networks see them before whitening.
        answers: network to (P, N) float32, its outputs one after the other; of a sequence, the weights of the pictures
            taken for a shot.
    """

    pictures: U8
    answers: Mapping[str, F32]


def pick_probe_rows(count: int) -> NDArray[np.intp]:
    """Frames to take as probes, spread over `count`."""
    return np.unique(np.linspace(0, count - 1, min(COUNT, count)).astype(np.intp))


def make_solver_probes(networks: Mapping[str, bytes], pictures: U8, table: F32) -> SolverProbes:
    """The probes of networks by name; pictures (P, C, H, W) uint8, table of `Whitening`."""
    answers: dict[str, F32] = {}
    for name, model in networks.items():
        if name != "sequence":
            session = open_network(model, 1, exact=name.endswith(INT8_SUFFIX))
            answers[name] = run_on_pictures(session, table[pictures])
    if "sequence" in networks:
        answers["sequence"] = run_sequence(open_network(networks["sequence"], 1), answers["embedding"])
    return SolverProbes(pictures, answers)


def open_network(model: bytes, threads: int, *, exact: bool = False) -> Any:
    """A session of onnxruntime's; exact: 8-bit weights are taken as they are and multiplied in 32 bits, slowly."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    if exact:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_on_pictures(session: Any, seen: F32) -> F32:
    """(P, N) float32: outputs, one after the other, for whitened pictures (P, C, H, W), one at a time as at work."""
    found = [session.run(None, {"picture": seen[i : i + 1]}) for i in range(len(seen))]
    return np.stack([np.concatenate([np.ravel(part) for part in parts]) for parts in found]).astype(np.float32)


def run_sequence(session: Any, embeddings: F32) -> F32:
    """(P, K) float32: weights that a sequence network gives for embeddings (P, E), one after the other."""
    shape = [int(n) for n in session.get_inputs()[1].shape]
    hidden, cell, weights = np.zeros(shape, np.float32), np.zeros(shape, np.float32), []
    for embedding in embeddings:
        feed = {"embedding": embedding.reshape(1, 1, -1), "hidden": hidden, "cell": cell}
        found, hidden, cell = session.run(["weights", "hidden_after", "cell_after"], feed)
        weights.append(np.ravel(found))
    return np.stack(weights).astype(np.float32)


def answers_agree(found: F32, wanted: F32) -> bool:
    """Whether 32 bits give what they have to."""
    return measure_difference({"": found}, {"": wanted}) <= ALLOWED


def int8_answers_agree(found: F32, exact: F32, plain: F32) -> bool:
    """Whether 8 bits are off what they have to give by no more than 8 bits lose anyway.

    Even where nothing is cut off, activations may be rounded to the next of 255 steps here and there; a processor that
    cuts off is off by several times what 8 bits lose.

    Args:
        found: (P, N) what they give here.  exact: (P, N) what they have to.  plain: (P, N) what 32 bits give.
    """
    if found.shape != exact.shape or not np.isfinite(found).all():
        return False
    off, lost = (float(np.sqrt(np.mean((part.astype(np.float64) - exact) ** 2))) for part in (found, plain))
    return off <= max(lost, ALLOWED * float(np.abs(plain).max()))


def draw_test_pictures(shape: tuple[int, int, int], whitening: Whitening) -> U8:
    """(2, C, H, W) uint8: waves as bright and as varied as footage is, for solvers that carry no probes.

    Args:
        shape: (C, H, W).  whitening: of the footage learned.
    """
    plane, rows, columns = np.indices(shape)
    coarse = np.sin(rows / 17 + plane) + np.cos(columns / 11 - rows / 29)
    fine = np.cos(rows * 1.3 + columns * 0.7 + plane)
    both = np.stack([coarse, np.flip(coarse, axis=2) + 0.3 * fine])
    return (255 * (whitening.mean + whitening.deviation * both)).round().clip(0, 255).astype(np.uint8)
