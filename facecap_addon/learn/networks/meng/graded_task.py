"""Triplets graded by how far faces differ: an embedding of an actor's own footage, whose weights are known.

Meng and Wen's classes say that two faces differ, not how far, and their figure 19 blames this for a mouth that opens
too little: distances in the embedding do not tell the degree of opening. Here, of any three frames, the one whose
vertices are nearer to the first one's has to lie nearer in the embedding, by a margin that grows with the difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....arrays import F32, Rows
from ....solvers.whitening import Whitening
from ...data.frames import Frames
from ...engine.augment import Augmentation, augment
from .embedding_task import MARGIN, embed

_EVALUATED, _SHOWN, _CELL_PX = 600, 80, 4
_LEAST = 3
"""Frames with fewer distances between them have none to compare."""


class GradedBatch(NamedTuple):
    """Pictures (B, C, H, W) uint8 and faces (B, K), whose distances are those of vertices."""

    pictures: NDArray[np.uint8]
    faces: F32


@dataclass
class GradedTask:
    """An embedding, evaluated by how well distances in it follow distances of faces on validation shots.

    Attributes:
        network: whitened pictures to unit vectors.  root: (K, K), times weights: coordinates of faces, mm.
    """

    network: nn.Module
    train_frames: Frames
    validation_frames: Frames | None
    root: F32
    whitening: Whitening
    limits: Augmentation
    device: str = "cpu"
    monitor: str = "unlike"

    def __post_init__(self) -> None:
        some = self.train_frames.weights[_spread(self.train_frames.count, _EVALUATED)] @ self.root
        self._usual_mm = max(float(np.linalg.norm(some - some.mean(0), axis=1).mean()), 1e-9)

    @property
    def items(self) -> int:
        return self.train_frames.count

    def load_batch(self, items: Rows) -> GradedBatch:
        return GradedBatch(self.train_frames.read_pictures(items), self.train_frames.weights[items] @ self.root)

    def compute_loss(
        self, network: nn.Module, batch: GradedBatch, strength: float, generator: torch.Generator
    ) -> Tensor:
        pictures = torch.from_numpy(batch.pictures).to(self.device).float() / 255
        found = network(self.whitening(augment(pictures, self.limits, strength, generator))).float()
        faces = torch.from_numpy(batch.faces).to(self.device)
        return graded_triplet_loss(found, torch.cdist(faces, faces) / self._usual_mm, MARGIN)

    def evaluate(self) -> dict[str, float]:
        frames = self.validation_frames
        return {} if frames is None or frames.count < _LEAST else {"unlike": 1 - self._correlate(frames)}

    def _correlate(self, frames: Frames) -> float:
        found, true = self._measure(frames, _EVALUATED)
        apart = np.triu_indices(len(found), 1)
        return float(np.corrcoef(found[apart], true[apart])[0, 1])

    def draw_preview(self) -> NDArray[np.uint8]:
        """Distances in the embedding, and those of faces beside them (the paper's figure 19)."""
        both = self._measure(self.validation_frames or self.train_frames, _SHOWN)
        shown = np.concatenate([one / max(float(one.max()), 1e-9) for one in both], 1)
        grey = np.round(255 * shown).astype(np.uint8).repeat(_CELL_PX, 0).repeat(_CELL_PX, 1)
        return np.repeat(grey[..., None], 3, 2)

    def _measure(self, frames: Frames, most: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(N, N) distances of frames spread over some: in the embedding, and mm of their faces."""
        rows = _spread(frames.count, most)
        points = embed(self.network, self.whitening, frames.read_pictures, rows, self.device)
        faces = frames.weights[rows] @ self.root
        found, true = (torch.cdist(x, x).double().numpy() for x in map(torch.from_numpy, (points, faces)))
        return found, true


def graded_triplet_loss(embeddings: Tensor, apart: Tensor, margin: float) -> Tensor:
    """Mean over all triplets of a batch that teach: max(|a - p|² - |a - n|² + margin (apart(a, n) - apart(a, p)), 0).

    Args:
        embeddings: (B, D).  apart: (B, B) distances of faces; the nearer of two is the positive.
    """
    squared = (embeddings[:, None] - embeddings[None]).square().sum(-1)
    further = apart[:, None, :] - apart[:, :, None]  # (a, p, n)
    loss = torch.relu(squared[:, :, None] - squared[:, None, :] + margin * further)
    alone = torch.eye(len(apart), dtype=torch.bool, device=apart.device)
    counts = (further > 0) & ~alone[:, :, None] & ~alone[:, None, :]
    loss = torch.where(counts, loss, 0.0)
    return loss.sum() / (loss > 0).sum().clamp(min=1)


def _spread(count: int, most: int) -> Rows:
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.intp))
