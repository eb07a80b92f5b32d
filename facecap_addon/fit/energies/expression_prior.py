"""What the landmarks of a face say about ARKit weights before any rig is fitted: a small trained network.

The network was trained on what the landmark network saw on drawn heads of known weights (`tools/train_prior`): it knows
how that network answers closed lids, pressed lips and turned heads. Its answer is the mean of the fit's prior; the
spread of its errors on people it had not seen is the prior's covariance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...arrays import F32, F64
from ...errors import UNREADABLE, FacecapError
from ...landmarks.backends.model_files import WRONG_HERE
from ...landmarks.probes import check_probe, load_probe
from ...rig.channels import arkit_name
from .features import alignment, network_points

FloatArray = NDArray[np.floating]

MODEL_PATH = Path(__file__).resolve().parents[1] / "models" / "arkit_prior.npz"
CALIBRATION_FRAMES = 200
_CHUNK_FRAMES = 256
_NEUTRAL_ROUNDS = 4
_NEVER_RELEASED = 5  # percentile over frames


@dataclass(frozen=True)
class ExpressionPrior:
    """A trained prior over the 52 ARKit weights for one landmark scheme.

    Attributes:
        scheme: landmark layout it was trained on.
        channels: K ARKit names.
        template: (L, 3) float64, mean neutral face in units of the outer-eye-corner distance.
        align_weight: (L,) float64, who takes part in the alignment.
        subset: (M,) int, landmarks the network looks at.
        response: (K, 3 M) float64, how the aligned landmarks move per unit weight, averaged over people.
        identity_mean, identity_basis: (3 M,), (3 M, B): main ways in which neutral faces differ.
        layers: weight matrices and biases of the network, in turn.
        covariance: (K, K) float64, of its errors on unseen people.
        variance: (K,) float64, of the weights of those people: what is known before a face is looked at.
        poses: (N, K) float32 in 0..1, recorded expressions, to measure a network's response with.
    """

    scheme: str
    channels: tuple[str, ...]
    template: F64
    align_weight: F64
    subset: NDArray[np.intp]
    response: F64
    identity_mean: F64
    identity_basis: F64
    layers: tuple[tuple[F32, F32], ...]
    covariance: F64
    variance: F64
    poses: F32


@dataclass(frozen=True)
class Expectation:
    """The prior's answer for one piece of footage.

    Attributes:
        weights: (F, K) float64 in 0..1.
        neutral: (3 M,) float64, this person's aligned neutral landmarks.
        activity: (F,) float64, how far each frame is from neutral.
        turn_rad: (F, 3) float64, the heads' rotation vectors.
        displacement: (F, 3 M) float32, aligned landmarks less the neutral ones.
    """

    weights: F64
    neutral: F64
    activity: F64
    turn_rad: F64
    displacement: F32


def load_prior() -> ExpressionPrior:
    """The prior that ships with the add-on. Raises FacecapError if it is missing or damaged."""
    return read_prior(MODEL_PATH)


@lru_cache(maxsize=1)
def read_prior(path: Path) -> ExpressionPrior:
    """Read a prior, and see that its network gives here what it has to, where a probe lies beside it.

    Raises:
        FacecapError: it is missing or damaged, or this computer calculates it wrongly.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            prior = ExpressionPrior(
                scheme=str(data["scheme"]),
                channels=tuple(str(c) for c in data["channels"]),
                template=data["template"].astype(np.float64),
                align_weight=data["align_weight"].astype(np.float64),
                subset=data["subset"].astype(np.intp),
                response=data["response"].astype(np.float64),
                identity_mean=data["identity_mean"].astype(np.float64),
                identity_basis=data["identity_basis"].astype(np.float64),
                layers=read_layers(data),
                covariance=data["covariance"].astype(np.float64),
                # Priors of earlier versions tell it by their poses.
                variance=np.asarray(
                    data["variance"] if "variance" in data else (data["poses"] / 255).var(0), np.float64
                ),
                poses=data["poses"].astype(np.float32) / 255,
            )
    except UNREADABLE as error:
        raise FacecapError(
            f"The expression prior {path.name} cannot be read ({error}).", "Install FaceCap again."
        ) from error
    check_layers(path, prior.layers, f"The expression prior {path.name}")
    return prior


def read_layers(data: Mapping[str, NDArray[Any]]) -> tuple[tuple[F32, F32], ...]:
    """Weight matrices and biases in turn, of the arrays of a file. Raises one of UNREADABLE."""
    numbers = range(int(data["layer_count"]))
    return tuple((data[f"weight_{i}"].astype(np.float32), data[f"bias_{i}"].astype(np.float32)) for i in numbers)


def check_layers(path: Path, layers: Sequence[tuple[F32, F32]], name: str) -> None:
    """See that layers read from a file give here what they have to, where a probe lies beside it.

    Raises:
        FacecapError: this computer calculates them wrongly.
    """
    probe = load_probe(path)
    if probe is not None:

        def run(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            return {"weights": network_output(layers, inputs["rows"])}

        check_probe(probe, run, name, WRONG_HERE)


def poses_for_response(channels: tuple[str, ...]) -> F32 | None:
    """(N, K) weights of expressions for channels with ARKit's names; None where too few have one."""
    prior = load_prior()
    names = [arkit_name(c) for c in channels]
    if sum(n is not None for n in names) < len(prior.channels) // 2:
        return None
    columns = {c: k for k, c in enumerate(prior.channels)}
    out = np.zeros((len(prior.poses), len(channels)), np.float32)
    for k, name in enumerate(names):
        if name in columns:
            out[:, k] = prior.poses[:, columns[name]]
    return out


def aligned_shape(prior: ExpressionPrior, landmarks_px: F32, depth_px: F32) -> tuple[F64, F64]:
    """Aligned landmarks the network looks at, (F, 3 M), and rotation vectors of the heads (F, 3) rad.

    Args:
        landmarks_px: (F, L, 2) px, no NaN.  depth_px: (F, L) px.
    """
    rigid = np.flatnonzero(prior.align_weight)
    weight = prior.align_weight[rigid]
    at_rigid = network_points(landmarks_px[:, rigid], depth_px[:, rigid])
    scaled_rotation, shift, rotation = alignment(at_rigid, prior.template[rigid], weight)
    points = network_points(landmarks_px[:, prior.subset], depth_px[:, prior.subset])
    aligned = points @ scaled_rotation.transpose(0, 2, 1) + shift
    return aligned.reshape(len(aligned), -1), Rotation.from_matrix(rotation).as_rotvec()


def expected_weights(prior: ExpressionPrior, shape: F64, turn: F64, neutral: F64) -> F64:
    """The network's weights for aligned landmarks, given the person's neutral ones.

    Args:
        shape: (F, 3 M).  turn: (F, 3) rad.  neutral: (3 M,).
    Returns:
        (F, K) float64 in 0..1.
    """
    identity = (neutral - prior.identity_mean) @ prior.identity_basis
    value = network_input(shape - neutral, np.broadcast_to(identity, (len(shape), len(identity))), turn)
    return np.clip(network_output(prior.layers, value).astype(np.float64), 0, 1)


def network_output(layers: Sequence[tuple[FloatArray, FloatArray]], rows: FloatArray) -> FloatArray:
    """(F, K) of the layers' kind, before clipping: what weights and biases in turn make of input rows (F, N)."""
    value = rows
    for index, (weight, bias) in enumerate(layers):
        value = value @ weight + bias
        if index < len(layers) - 1:
            value = np.maximum(value, 0)
    return value


def network_input(displacement: F64, identity: F64, turn: F64) -> F32:
    """The network's input row: displacement from neutral (×10), identity coefficients, head turn; (F, 3 M + B + 3)."""
    return np.concatenate([displacement * 10, identity, turn], axis=1).astype(np.float32)


def find_expectation(
    prior: ExpressionPrior,
    landmarks_px: F32,
    depth_px: F32,
    rows: NDArray[np.intp],
    neutral_frames: NDArray[np.intp] | None = None,
    known: F64 | None = None,
) -> Expectation:
    """Weights for a piece of footage whose neutral face is not known, or known from some frames or from before.

    The neutral face is found by taking each frame's expression away again with the mean response: it need not occur in
    the footage. Calm frames count more, and what is up in every frame belongs to the face.

    Args:
        landmarks_px: (F, L, 2) px.  depth_px: (F, L) px.  rows: (N,) frames with a face.
        neutral_frames: frames the user says are neutral, counted among `rows`, or None.
        known: (3 M,) the person's aligned neutral landmarks, where no frame is said to show them; or None.
    """

    def at(frames: slice | NDArray[np.intp]) -> tuple[F64, F64]:
        return aligned_shape(prior, landmarks_px[rows[frames]], depth_px[rows[frames]])

    count = len(rows)
    if neutral_frames is not None:
        neutral = at(neutral_frames)[0].mean(0)
    elif known is not None:
        neutral = known
    else:
        neutral = measure_bare_face(
            prior, *at(np.unique(np.linspace(0, count - 1, CALIBRATION_FRAMES).astype(np.intp)))
        )
    weights, turns = np.empty((count, len(prior.channels))), np.empty((count, 3))
    displacement = np.empty((count, len(neutral)), np.float32)
    for start in range(0, count, _CHUNK_FRAMES):
        part = slice(start, min(start + _CHUNK_FRAMES, count))
        shape, turns[part] = at(part)
        displacement[part] = shape - neutral
        weights[part] = expected_weights(prior, shape, turns[part], neutral)
    return Expectation(weights, neutral, np.linalg.norm(weights, axis=1), turns, displacement)


def measure_bare_face(prior: ExpressionPrior, shape: F64, turn: F64) -> F64:
    """(3 M,) the face at rest behind shapes (F, 3 M) of heads turned by (F, 3) rad."""
    # From the mean of many people, not from this footage's middle: an expression held through most of a clip is one.
    neutral = prior.identity_mean
    for _ in range(_NEUTRAL_ROUNDS):
        weights = expected_weights(prior, shape, turn, neutral)
        # What a face never lets go of is its own: low brows in every frame are no frown.
        weights -= np.percentile(weights, _NEVER_RELEASED, axis=0)
        activity = np.linalg.norm(weights, axis=1)
        calm = np.exp(-0.5 * ((activity - activity.min()) / 0.4) ** 2) / (1 + (turn**2).sum(1) / 0.3**2)
        bare = shape - weights @ prior.response
        neutral = (bare * calm[:, None]).sum(0) / calm.sum()
    return neutral
