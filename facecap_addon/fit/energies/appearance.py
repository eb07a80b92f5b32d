"""What the pixels of a face say about weights that its landmarks hardly show.

The landmark stage keeps features of every frame's crops (`landmarks.appearance`). Here they are compared with those of
the frames in which this face is nearly at rest. A small trained head turns that change, beside the landmarks' own, into
a mean and a variance of each of its channels: a Gaussian observation, with the network's own doubt as its variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32, F64
from ...errors import UNREADABLE, FacecapError
from ...rig.channels import arkit_name
from .expression_prior import check_layers, network_output, read_layers

MODEL_PATH = Path(__file__).resolve().parents[1] / "models" / "appearance_head.npz"
LEAST_LOG_VARIANCE = -6.5
"""No channel is known better than to 0.04."""
_CALM_SPREAD = 0.2
_TURNED = 0.3
_REST_ROUNDS = 3


@dataclass(frozen=True)
class AppearanceHead:
    """Reads changes of features and landmarks as weights.

    Attributes:
        channels: C ARKit names, those that it beats landmarks at on heads it was not trained on.
        layers: weight matrices and biases in turn; the last gives means, then log variances (2 C).
        doubt: (C,) float64, factor on its standard deviations, measured on a head it was not trained on.
    """

    channels: tuple[str, ...]
    layers: tuple[tuple[F32, F32], ...]
    doubt: F64


@dataclass(frozen=True)
class FaceChanges:
    """What the head is given of N frames.

    Attributes:
        features: (N, A) float32 of the crops.  displacement: (N, 3 M) float32, aligned landmarks less the neutral ones.
        turn_rad: (N, 3) float64, the heads' rotation vectors.
    """

    features: F32
    displacement: F32
    turn_rad: F64


@dataclass(frozen=True)
class WeightObservation:
    """Weights as pixels show them.

    Attributes:
        mean: (N, K) float64.  precision: (N, K) float64, 1 / variance; 0 where nothing was seen.
    """

    mean: F64
    precision: F64


@lru_cache(maxsize=2)
def read_head(path: Path = MODEL_PATH) -> AppearanceHead:
    """The head that ships with the add-on.

    Raises:
        FacecapError: it is missing or damaged, or this computer calculates it wrongly.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            head = AppearanceHead(
                tuple(str(c) for c in data["channels"]),
                read_layers(data),
                data["doubt"].astype(np.float64),
            )
    except UNREADABLE as error:
        raise FacecapError(f"{path.name} cannot be read ({error}).", "Install FaceCap again.") from error
    check_layers(path, head.layers, f"The appearance network's head {path.name}")
    return head


def head_input(change: F64 | F32, displacement: F64 | F32, turn_rad: F64 | F32) -> F32:
    """(N, A + 3 M + 3) float32: changes of features, displacement of landmarks (×10), head turn."""
    return np.concatenate([change, displacement * 10, turn_rad], axis=1).astype(np.float32)


def calm_share(activity: F64, turn_rad: F64) -> F64:
    """(N,) how much each frame counts as this face at rest; sums to 1.

    Args:
        activity: (N,) how far each frame is from neutral.  turn_rad: (N, 3) the heads' rotation vectors.
    """
    share = np.exp(-0.5 * ((activity - activity.min()) / _CALM_SPREAD) ** 2)
    share /= 1 + (turn_rad**2).sum(1) / _TURNED**2
    return share / share.sum()


def find_rest(head: AppearanceHead, faces: FaceChanges, activity: F64, neutral_frames: NDArray[np.intp] | None) -> F64:
    """(A,) features of this face at rest: those of the frames that are calm in landmarks and in pixels.

    Landmarks hardly see puffed cheeks: frames calm by landmarks alone may be anything but. So the frames' own pixels,
    compared with a first guess, have a say; only what is above rest counts, as no weight is below it.

    Args:
        activity: (N,) how far the landmarks of each frame are from neutral.
        neutral_frames: frames that the user says are neutral, or None.
    """
    if neutral_frames is not None:
        return faces.features[neutral_frames].mean(0, dtype=np.float64)
    rest = calm_share(activity, faces.turn_rad) @ faces.features
    for _ in range(_REST_ROUNDS):
        above = np.maximum(read_faces(head, faces, rest)[0], 0)
        rest = calm_share(np.hypot(activity, np.linalg.norm(above, axis=1)), faces.turn_rad) @ faces.features
    return rest


def read_faces(head: AppearanceHead, faces: FaceChanges, rest: F64) -> tuple[F64, F64]:
    """Mean and standard deviation (N, C) float64 of the head's channels.

    Args:
        rest: (A,) features of the same face at rest.
    """
    value = head_input(faces.features - rest, faces.displacement, faces.turn_rad)
    mean, log_variance = np.split(network_output(head.layers, value).astype(np.float64), 2, axis=1)
    return mean, np.exp(0.5 * np.clip(log_variance, LEAST_LOG_VARIANCE, 0.0)) * head.doubt


def observe_weights(
    head: AppearanceHead, channels: tuple[str, ...], faces: FaceChanges, rest: F64
) -> WeightObservation | None:
    """What the pixels say about a character's channels; None where it has none of the head's.

    Args:
        channels: K names.  rest: (A,) of `find_rest`.
    """
    column = {c: k for k, c in enumerate(head.channels)}
    source = np.array([column.get(arkit_name(c) or "", -1) for c in channels], np.intp)
    known = source >= 0
    if not known.any():
        return None
    mean, spread = read_faces(head, faces, rest)
    shape = (len(mean), len(channels))
    found = WeightObservation(np.zeros(shape), np.zeros(shape))
    found.mean[:, known] = np.clip(mean, 0, 1)[:, source[known]]
    found.precision[:, known] = 1 / spread[:, source[known]] ** 2
    return found
