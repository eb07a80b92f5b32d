"""A trained generator: one ONNX file per expression, and sequences made by it."""

from __future__ import annotations

import json
import math
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from ...arrays import F32
from ...errors import FacecapError
from ...landmarks.backends.model_files import WRONG_HERE
from ...landmarks.layout import layout_of
from ...landmarks.probes import check_session
from ...solvers.onnx_check import check_onnx
from ..authored.style import draw_style
from ..edits import settle
from ..sequence import LandmarkSequence, to_displacements
from .identity import FaceSpace

MODELS = Path(__file__).resolve().parents[1] / "models"
_MOST_BYTES = 64 << 20
_MOST_STYLES, _MOST_FRAMES, _MOST_INPUT = 1_000_000, 10_000, 1_000_000
_WILD_MM = 30.0
"""No face moves that far from one frame to the next: a step beyond it has run away and is held there."""


@dataclass(frozen=True)
class Generator:
    """A network that shows one expression.

    Attributes:
        name: of the expression.  scheme: layout of its landmarks.  rest: (L, 3) float32 m, mean neutral it knows.
        fps, frames: of what it was trained on.  styles: (N, S) float32, those of the sequences learned.
        facts: how it was made.  session: onnxruntime's.
        faces: neutral faces that it can tell apart; None: one from before they were learned, which moves all alike.
    """

    name: str
    scheme: str
    rest: F32
    fps: float
    frames: int
    styles: F32
    facts: dict[str, Any]
    session: onnxruntime.InferenceSession
    faces: FaceSpace | None = None


def find_shipped(expression: str) -> Path:
    """The generator that comes with FaceCap."""
    return MODELS / f"{expression}.onnx"


def load_generator(path: Path) -> Generator:
    """Open a generator, and see that it gives here what it has to, where a probe lies beside it.

    Raises:
        FacecapError: it is missing, damaged or no generator, or this computer calculates it wrongly.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise FacecapError(f"{path.name} is too large for a generator.", "Train it again.")
        model = path.read_bytes()
    except FileNotFoundError as error:
        raise FacecapError(
            f"There is no generator {path.name}.", "Train one with `facecap train-generator`, or check the path."
        ) from error
    check_onnx(model, path.name)
    try:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        facts = json.loads(session.get_modelmeta().custom_metadata_map["facecap"])
        count = layout_of(str(facts["scheme"])).count
        rest = np.array(facts["rest_m"], np.float32).reshape(count, 3)
        styles = np.array(facts["styles"], np.float32)
        faces = _read_faces(facts, rest)
        fps, frames = float(facts["fps"]), int(facts["frames"])
        shapes = {item.name: item.shape for item in session.get_inputs()}
        fits = shapes["step"][2] == 3 * count and 2 <= frames <= _MOST_FRAMES and 1 <= fps <= 1000
        fits = fits and max(math.prod(shape) for shape in shapes.values()) <= _MOST_INPUT
        fits = fits and styles.ndim == 2 and 0 < styles.size <= _MOST_STYLES and styles.shape[1] == shapes["style"][1]
        if faces is not None:
            fits = fits and len(faces.components) == shapes["identity"][1] and np.isfinite(faces.components).all()
        if not fits or not (np.isfinite(rest).all() and np.isfinite(styles).all()):
            raise ValueError("its parts do not fit together")
    except (KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
        raise FacecapError(f"{path.name} is no generator ({error}).", "Train it again.") from error
    except Exception as error:
        # onnxruntime's exceptions have no base class of their own
        raise FacecapError(f"{path.name} cannot be run ({error}).", "Train it again.") from error
    check_session(path, session, f"The generator {path.name}", WRONG_HERE)
    kept = {k: v for k, v in facts.items() if k not in ("rest_m", "styles", "faces_mm")}
    return Generator(str(facts["name"]), str(facts["scheme"]), rest, fps, frames, styles, kept, session, faces)


def _read_faces(facts: dict[str, Any], rest: F32) -> FaceSpace | None:
    if "faces_mm" not in facts:
        return None
    return FaceSpace(rest, np.array(facts["faces_mm"], np.float32).reshape(-1, *rest.shape) * np.float32(1e-3))


def generate_sequence(
    generator: Generator, *, seed: int = 0, variation: float = 1.0, rest: NDArray[np.floating] | None = None
) -> LandmarkSequence:
    """One sequence: every step is fed back until the length is full; then it is led to neutral.

    Args:
        seed: another one shows it another way.
        variation: how far from the mean of the ways learned, see `draw_style`; 0: always the same, as in the paper.
        rest: (L, 3) float m, head space, any size: the neutral face that shows it; None: the mean of those learned.
    Returns:
        A sequence of the face that comes nearest to `rest` among those the generator knows, at their mean size.
    """
    random = np.random.default_rng([seed, 17])
    style = np.zeros(generator.styles.shape[1], np.float32)  # the empty one
    if variation > 0:
        style = draw_style(generator.styles, random, variation)
    neutral, identity = generator.rest, None
    if generator.faces is not None and rest is not None:
        identity = generator.faces.measure(rest)
        neutral = generator.faces.restore(identity)
    steps = run_freely(generator, style, generator.frames, identity)
    facts = {"generator": generator.name, "seed": str(seed), "variation": f"{variation:g}"}
    return LandmarkSequence(
        generator.scheme,
        neutral,
        settle(to_displacements(steps), generator.fps),
        generator.fps,
        generator.name,
        facts,
    )


def run_freely(generator: Generator, style: F32, frames: int, identity: F32 | None = None) -> F32:
    """(F, 3L) float32 mm: steps that follow from a style (S,) and a face (K,), the first of them zero."""
    run = StepByStep(generator, style, identity)
    out = np.zeros((frames, 3 * len(generator.rest)), np.float32)
    for frame in range(1, frames):
        out[frame] = run.follow(out[frame - 1])
    return out


class StepByStep:
    """A generator that hears one step after the other, its own or another's, and says what follows.

    Args:
        style: (S,) that it begins from.  identity: (K,) face, see `FaceSpace`; None: the mean one.
    """

    def __init__(self, generator: Generator, style: F32, identity: F32 | None = None) -> None:
        self._session = generator.session
        inputs = self._session.get_inputs()
        self._given: dict[str, Any] = {item.name: np.zeros(item.shape, np.float32) for item in inputs}
        self._given["style"] = style[None]
        if identity is not None and "identity" in self._given:  # older networks know none
            self._given["identity"] = identity[None]
        self._given["first"] = np.ones(1, np.float32)
        self._kept = [item.name.removesuffix("_after") for item in self._session.get_outputs()[1:]]

    def follow(self, step: F32) -> F32:
        """(3L,) mm: the step that follows one (3L,) mm."""
        self._given["step"] = step[None, None]
        after, *kept = self._session.run(None, self._given)
        self._given.update(zip(self._kept, kept, strict=True))
        self._given["first"] = np.zeros(1, np.float32)
        return np.clip(np.asarray(after)[0, 0], -_WILD_MM, _WILD_MM)

    def branch(self) -> StepByStep:
        """Another one that has heard the same so far."""
        other = copy(self)
        other._given = dict(self._given)
        return other
