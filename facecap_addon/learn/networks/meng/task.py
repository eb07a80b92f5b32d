"""Sequences of frames to weights: an LSTM on embeddings, and the same trained together with convolutions
(Meng and Wen 2019, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....arrays import F32, Rows
from ....rig.blendshapes import BlendshapeRig
from ....solvers.whitening import Whitening
from ...data.cutmix import CutMix, pair_indices
from ...data.frames import Frames
from ...engine.augment import Augmentation, augment, flip_coins, mirror_pictures
from ...engine.losses import CM, rmse_mm
from ...engine.mesh_preview import MeshPreview
from ...engine.mesh_targets import MeshTargets
from ..laine.convolutional import DROPOUT, Tower
from ..laine.task import draw_sheet
from .lstm import LENGTH, WeightLstm

_SHOWN, _INFERENCE_BATCH = 8, 50


class WindowBatch(NamedTuple):
    """Inputs and weights (B, T, …) of stretches of frames."""

    inputs: NDArray[np.generic]
    weights: NDArray[np.float32]


@dataclass
class WeightsTask:
    """A network that gives weights of stretches of frames; its loss is on the vertices that they make.

    Attributes:
        network: what learns.  train_frames, validation_frames: with their pictures.
        targets: vertices of weights.  device: torch's.
    """

    network: nn.Module
    train_frames: Frames
    validation_frames: Frames | None
    targets: MeshTargets
    rig: BlendshapeRig
    device: str = "cpu"
    monitor: str = "rmse_mm"

    def __post_init__(self) -> None:
        self._starts = self.train_frames.find_starts(LENGTH)
        self._root = (CM / 1000 * torch.from_numpy(make_face_root(self.targets))).to(self.device)

    @property
    def items(self) -> int:
        return len(self._starts)

    def get_window_rows(self, items: Rows) -> Rows:
        """(B, T) frames of some stretches."""
        return self._starts[items][:, None] + np.arange(LENGTH)

    def compute_distance(self, found: Tensor, wanted: Tensor) -> Tensor:
        """Mean squared difference of coordinates, cm², of the vertices that weights (B, T, K) make, in 32 bits."""
        with torch.autocast(found.device.type, enabled=False):
            return ((found.float() - wanted.float()) @ self._root).square().sum(-1).mean()

    def predict(self, frames: Frames) -> NDArray[np.float32]:
        """(N, K) weights of all frames, shot by shot, the state carried along as at work."""
        out = np.empty_like(frames.weights)
        with torch.no_grad():
            for shot in np.unique(frames.shot):
                rows = np.flatnonzero(frames.shot == shot)
                out[rows] = self.predict_shot(frames, rows)
        return out

    def predict_shot(self, frames: Frames, rows: Rows) -> NDArray[np.float32]:
        """(N, K) weights of the frames of one shot."""
        raise NotImplementedError

    def evaluate(self) -> dict[str, float]:
        if self.validation_frames is None:
            return {}
        return {
            "rmse_mm": measure_weights_rmse_mm(
                self.targets, self.predict(self.validation_frames), self.validation_frames.weights
            )
        }

    def draw_preview(self) -> NDArray[np.uint8]:
        frames = self.validation_frames or self.train_frames
        which = np.unique(np.linspace(0, frames.count - 1, _SHOWN).astype(np.intp))
        faces = MeshPreview(self.rig, self.targets.moving)
        both = (self.predict(frames)[which], frames.weights[which])
        drawn = [faces.draw(self.targets.to_positions(torch.from_numpy(weights)).numpy()) for weights in both]
        return draw_sheet(frames.read_pictures(which), drawn)


def make_face_root(targets: MeshTargets) -> F32:
    """(K, K) that makes of a difference of weights one whose squared length is the mean square of coordinates, mm².

    Mean squared distance of vertices is a quadratic form of the weights' difference: |D d|² = |R d|², R a root of Dᵀ D.
    It is the same loss for a hundredth of the work.
    """
    deltas = 1000 * targets.deltas.double()
    values, vectors = torch.linalg.eigh(deltas @ deltas.T)
    return (vectors * values.clamp(min=0).sqrt() / deltas.shape[1] ** 0.5).float().numpy()


@dataclass
class SequenceTask(WeightsTask):
    """An LSTM from embeddings to weights.

    Attributes:
        embed_frames: gives embeddings (N, D) of some rows of frames.
        mirrored_embeddings: (N, D) of mirrored pictures to train on, where the targets have a mirror.
    """

    embed_frames: Callable[[Frames, Rows], NDArray[np.float32]] = lambda frames, rows: np.zeros(
        (len(rows), 0), np.float32
    )
    mirrored_embeddings: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        # Of frames that come back in each epoch, once.
        known = [frames for frames in (self.train_frames, self.validation_frames) if frames is not None]
        self._embeddings = [(frames, self.embed_frames(frames, np.arange(frames.count))) for frames in known]

    @property
    def items(self) -> int:
        return len(self._starts) * (1 if self.mirrored_embeddings is None else 2)

    def load_batch(self, items: Rows) -> WindowBatch:
        count = len(self._starts)
        rows = self.get_window_rows(items % count)
        found, weights = self._embeddings[0][1][rows], self.train_frames.weights[rows]
        if self.mirrored_embeddings is None or self.targets.mirror is None:
            return WindowBatch(found, weights)
        which = (items >= count)[:, None, None]
        return WindowBatch(
            np.where(which, self.mirrored_embeddings[rows], found),
            np.where(which, weights[..., self.targets.mirror.channels], weights),
        )

    def compute_loss(
        self, network: nn.Module, batch: WindowBatch, strength: float, generator: torch.Generator
    ) -> Tensor:
        del strength, generator
        given = torch.from_numpy(np.asarray(batch.inputs, np.float32)).to(self.device)
        return self.compute_distance(network(given)[0], torch.from_numpy(batch.weights).to(self.device))

    def predict_shot(self, frames: Frames, rows: Rows) -> NDArray[np.float32]:
        known = next((found[rows] for one, found in self._embeddings if one is frames), None)
        given = self.embed_frames(frames, rows) if known is None else known
        return self.network(torch.from_numpy(given)[None].to(self.device))[0][0].float().cpu().numpy()


FEATURES = 160
"""What the paper's fully connected layer (table 3) gives the LSTM."""


class TowerLstm(nn.Module):
    """Convolutions and an LSTM trained together: the paper's baseline.

    Args:
        mean: (K,) mean weights.  maps, size: of the tower.  inputs: size of what the LSTM gets.
    """

    def __init__(self, mean: Tensor, maps: tuple[int, ...], size: tuple[int, int], inputs: int, hidden: int) -> None:
        super().__init__()
        self.tower = Tower(maps, colours=3, first_kernel=1)
        self.narrow = nn.Linear(self.tower.count_features(size), inputs)
        self.sequence = WeightLstm(inputs, mean, hidden)

    def embed(self, pictures: Tensor) -> Tensor:
        """(B, D) of pictures (B, 3, H, W)."""
        return self.narrow(nn.functional.dropout(self.tower(pictures), DROPOUT, self.training))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, T, K) weights of pictures (B, T, 3, H, W)."""
        found = self.embed(pictures.flatten(0, 1))
        return self.sequence(found.unflatten(0, pictures.shape[:2]))[0]


@dataclass
class JointTask(WeightsTask):
    """Pictures to weights through a tower and an LSTM.

    Stretches begin at every fifth frame, so that an epoch sees each frame twice, not ten times.

    Attributes:
        whitening: of pictures.  limits: of augmentation.
        cutmix: of faces, where those of different stretches are joined, frame by frame.
    """

    whitening: Whitening = field(default_factory=lambda: Whitening(0.0, 1.0))
    limits: Augmentation = field(default_factory=Augmentation)
    cutmix: CutMix | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self._starts = self._starts[:: LENGTH // 2]

    def load_batch(self, items: Rows) -> WindowBatch:
        rows = self.get_window_rows(items)
        flat = rows.reshape(-1)
        pictures, weights = self.train_frames.read_pictures(flat), self.train_frames.weights[flat]
        if self.cutmix is not None:
            other = (pair_indices(items)[:, None] * LENGTH + np.arange(LENGTH)).reshape(-1)
            pictures, weights = self.cutmix.mix_halves(pictures, weights, self.train_frames.face[flat], other)
        return WindowBatch(pictures.reshape(*rows.shape, *pictures.shape[1:]), weights.reshape(*rows.shape, -1))

    def compute_loss(
        self, network: nn.Module, batch: WindowBatch, strength: float, generator: torch.Generator
    ) -> Tensor:
        pictures = torch.from_numpy(np.asarray(batch.inputs)).to(self.device).float() / 255
        weights = torch.from_numpy(batch.weights).to(self.device)
        if self.targets.mirror is not None:
            which = flip_coins(len(pictures), generator)
            pictures, weights = mirror_pictures(pictures, which), self.targets.mirror_targets(weights, which)
        # Each frame is varied for itself: what the memory can average out it learns to, and each look teaches anew.
        varied_pictures = augment(pictures.flatten(0, 1), self.limits, strength, generator).unflatten(
            0, pictures.shape[:2]
        )
        return self.compute_distance(network(self.whitening(varied_pictures)), weights)

    def predict_shot(self, frames: Frames, rows: Rows) -> NDArray[np.float32]:
        assert isinstance(self.network, TowerLstm)
        found, state = [], None
        for first in range(0, len(rows), _INFERENCE_BATCH):
            pictures = (
                torch.from_numpy(frames.read_pictures(rows[first : first + _INFERENCE_BATCH])).to(self.device).float()
                / 255
            )
            weights, *state = self.network.sequence(self.network.embed(self.whitening(pictures))[None], state)
            found.append(weights[0].float().cpu().numpy())
        return np.concatenate(found)


def measure_weights_rmse_mm(targets: MeshTargets, found: NDArray[np.float32], true: NDArray[np.float32]) -> float:
    """Root-mean-square distance of the moving vertices under two sets of weights (N, K), mm."""
    squared = 0.0
    for first in range(0, len(found), 256):
        a, b = (targets.to_positions(torch.from_numpy(w[first : first + 256])) for w in (found, true))
        squared += float(rmse_mm(a, b).square().sum())
    return float(np.sqrt(squared / max(len(found), 1)))


def measure_jitter_mm(targets: MeshTargets, weights: NDArray[np.float32], frames: Frames) -> NDArray[np.float64]:
    """Meng and Wen's D (equation 5), mm, of each two frames (N, K) that follow each other: how far vertices move."""
    out = np.empty(max(len(weights) - 1, 0))
    for first in range(0, len(out), 256):
        at = targets.to_positions(torch.from_numpy(weights[first : first + 257])).unflatten(1, (-1, 3))
        out[first : first + 256] = 1000 * (at[1:] - at[:-1]).norm(dim=-1).mean(1).numpy()
    return out[frames.find_followed()]
