"""What Meng and Wen's embedding holds of a face, without an LSTM: `python -m benchmarks.embedding_readout
[--seconds 72] [--embedding best.safetensors]`.

Vertices are read off each layer by ridge regression, from one frame and from three, and judged on validation shots:
RMSE, motion D (equation 5) and how far it is from the true one. Of an embedding that a training left in its folder
(`.NAME.training/embedding/best.safetensors`), of one that learned nothing, and of 20×20 grey pixels.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.learned_actor import actor_set
from benchmarks.meng_networks import say_nothing
from facecap_addon.learn.data.frames import Frames, fit_whitening, split_frames
from facecap_addon.learn.data.mirror import find_mirror
from facecap_addon.learn.data.training_set import open_set
from facecap_addon.learn.engine.checkpoint import load_checkpoint
from facecap_addon.learn.engine.mesh_targets import MeshTargets
from facecap_addon.learn.networks.meng.embedding_task import embed
from facecap_addon.learn.networks.meng.facenet import FaceNet
from facecap_addon.learn.networks.meng.task import make_face_root, measure_jitter_mm
from facecap_addon.learn.networks.presets import get_preset
from facecap_addon.render.device import use_threads

_STRENGTHS = (1e-3, 1e-2, 0.1, 0.3, 1.0, 3.0, 10.0)
_PIXELS = 20
F64 = NDArray[np.float64]


class Part(nn.Module):
    """A network up to one of its layers.

    Args:
        give: pictures (B, 3, H, W) to (B, D).
    """

    def __init__(self, give: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.give = give

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, D) of whitened pictures (B, 3, H, W)."""
        return self.give(pictures)


def cut_network(network: FaceNet) -> Iterator[tuple[str, nn.Module]]:
    """Its unit vectors, the layer before, and the convolutions, by name."""
    yield "unit vectors", network
    yield "first dense layer", Part(lambda x: torch.relu(network.fc1(network.layers(x).flatten(1))))
    yield "convolutions", Part(lambda x: network.layers(x).flatten(1))


@dataclass(frozen=True)
class Readout:
    """Frames to fit on and to judge on, with what they hold.

    Attributes:
        root: (K, K), times weights: coordinates of faces, mm.  mirrored: (K,) channel on the other side.
    """

    learned: Frames
    judged: Frames
    targets: MeshTargets
    root: F64
    mirrored: NDArray[np.intp]

    def describe(self, features: tuple[F64, F64, F64], frames: int) -> str:
        """Errors of a ridge regression, the strength the best of some.

        Args:
            features: (N, D) of learned, mirrored and judged frames.  frames: how many it sees at once.
        """
        mean, deviation = features[0].mean(0), features[0].std(0) + 1e-6
        shots = (self.learned, self.learned, self.judged)
        known, other, given = (
            join_frames((x - mean) / deviation, of, frames) for x, of in zip(features, shots, strict=True)
        )
        x = np.concatenate([known, other])
        y = np.concatenate([self.learned.weights, self.learned.weights[:, self.mirrored]]) @ self.root
        wanted, middle = self.judged.weights @ self.root, y.mean(0)
        found: list[tuple[float, F64]] = []
        for strength in _STRENGTHS:
            matrix = np.linalg.solve(x.T @ x + strength * len(x) * np.eye(x.shape[1]), x.T @ (y - middle))
            guess = given @ matrix + middle
            found.append((float(np.sqrt(3 * ((guess - wanted) ** 2).sum(1).mean())), guess))
        error, guess = min(found, key=itemgetter(0))
        weights = (guess @ np.linalg.pinv(self.root)).astype(np.float32)
        moved, true = (measure_jitter_mm(self.targets, w, self.judged) for w in (weights, self.judged.weights))
        return (
            f"{error:.2f} mm, D {moved.mean():.3f} mm a frame (true {true.mean():.3f}), "
            f"|D - true| {np.abs(moved - true).mean():.3f}"
        )


def join_frames(features: F64, frames: Frames, count: int) -> F64:
    """(N, count × D): each frame's features and those of the frames before it, its own where a shot begins."""
    own = np.arange(len(features))
    parts = []
    for back in range(count):
        before = np.maximum(own - back, 0)
        parts.append(features[np.where(frames.shot[before] == frames.shot, before, own)])
    return np.concatenate(parts, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=72.0)
    parser.add_argument("--embedding", type=Path, help="best.safetensors of an embedding's training, in preview size")
    options = parser.parse_args()
    use_threads(1)
    training_set = open_set(actor_set(options.seconds, threads=1))
    preset = get_preset("preview", "meng")
    learned, judged = split_frames(training_set, preset.picture, say_nothing)
    mirror = find_mirror(training_set.rig)
    if judged is None or mirror is None:
        raise SystemExit("The drawn actor has validation shots and two like sides.")
    targets = MeshTargets(training_set, learned)
    whitening = fit_whitening(learned)
    readout = Readout(learned, judged, targets, make_face_root(targets).astype(np.float64), mirror.channels)

    def look(part: nn.Module, frames: Frames, step: int) -> F64:
        def pictures(rows: NDArray[np.intp]) -> NDArray[np.uint8]:
            return frames.read_pictures(rows)[..., ::step].copy()

        return embed(part.eval(), whitening, pictures, np.arange(frames.count), "cpu").astype(np.float64)

    def read_off(name: str, part: nn.Module, frames: int = 1) -> None:
        features = look(part, learned, 1), look(part, learned, -1), look(part, judged, 1)
        print(f"{name}, {frames} frame{'s' * (frames > 1)}: {readout.describe(features, frames)}", flush=True)

    pixels = Part(lambda x: nn.functional.adaptive_avg_pool2d(x.mean(1, keepdim=True), _PIXELS).flatten(1))
    torch.manual_seed(0)
    untrained = FaceNet(preset.width, preset.picture.height)
    for frames in (1, 3):
        read_off("grey pixels", pixels, frames)
    for name, part in cut_network(untrained):
        read_off(f"untrained, {name}", part)
    if options.embedding is not None:
        trained = FaceNet(preset.width, preset.picture.height)
        load_checkpoint(options.embedding, trained, None)
        for name, part in cut_network(trained):
            read_off(f"trained, {name}", part)
        read_off("trained, unit vectors", trained, 3)


if __name__ == "__main__":
    main()
