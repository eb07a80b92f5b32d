"""From a picture to weights and landmarks at once, DFCN(I) = (e, S) (FACEGOOD 2021, equation 2): teacher, student."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....arrays import F32, Rows
from ....landmarks.layout import IBUG_68
from ....rig.blendshapes import BlendshapeRig
from ....solvers.whitening import Whitening
from ...data.frames import Frames
from ...engine.augment import Augmentation, augment_with_transform, flip_coins, mirror_pictures, transform_points
from ...engine.mesh_preview import MeshPreview
from ...engine.mesh_targets import MeshTargets
from ..laine.task import draw_sheet
from ..meng.task import measure_weights_rmse_mm
from .distillation import Distillation, distillation_loss

POINTS = IBUG_68.count
POINT_SHARE = 4.0
"""A landmark that is wrong by a percent of the picture weighs as much as a key that is wrong by four percent."""
_INFERENCE_BATCH, _SHOWN = 64, 8


class Labels(NamedTuple):
    """Weights (B, K) and landmarks (B, 68, 2) in parts of the crop."""

    weights: Tensor
    points: Tensor

    def concatenate(self) -> Tensor:
        """(B, K + 136): what networks give; its squared length is the mean square of keys and that of landmarks."""
        keys, points = compute_scales(self.weights.shape[1])
        return torch.cat([self.weights * keys, self.points.flatten(1) * points], 1)


def compute_scales(channels: int) -> tuple[float, float]:
    """Factors on weights and on landmarks in what networks give: how many there are of a kind does not count."""
    return channels**-0.5, POINT_SHARE * (2 * POINTS) ** -0.5


class FaceBatch(NamedTuple):
    """Pictures (B, C, H, W) uint8, their labels, what a teacher says of them and of their mirror images, and which
    numbers of the labels are outliers."""

    pictures: NDArray[np.uint8]
    labels: F32
    teacher: F32 | None
    wrong: NDArray[np.bool_] | None


@dataclass
class FaceTask:
    """A network that gives weights and landmarks.

    Attributes:
        network: (B, C, H, W) whitened pictures to (B, K + 136).
        train_frames, validation_frames: with their pictures.  targets: vertices of weights.
        limits: of augmentation.  device: torch's.
        teacher_outputs: (2, N, K + 136) what the teacher says of the pictures and of their mirror images, or None.
        wrong: (N, K + 136) bool, which numbers of the labels are outliers, where there is a teacher.
        distillation: how to learn from it, where there is a teacher.
    """

    network: nn.Module
    train_frames: Frames
    validation_frames: Frames | None
    targets: MeshTargets
    whitening: Whitening
    rig: BlendshapeRig
    limits: Augmentation
    device: str = "cpu"
    teacher_outputs: F32 | None = None
    wrong: NDArray[np.bool_] | None = None
    distillation: Distillation | None = None
    monitor: str = "rmse_mm"

    @property
    def items(self) -> int:
        return self.train_frames.count

    def make_labels(self, frames: Frames, rows: Rows) -> F32:
        """(B, K + 136) of some frames."""
        weights, points = torch.from_numpy(frames.weights[rows]), torch.from_numpy(frames.points[rows])
        return Labels(weights, points).concatenate().numpy()

    def load_batch(self, items: Rows) -> FaceBatch:
        teacher_outputs = None if self.teacher_outputs is None else self.teacher_outputs[:, items].transpose(1, 0, 2)
        labels = self.make_labels(self.train_frames, items)
        wrong = None if self.wrong is None else self.wrong[items]
        return FaceBatch(self.train_frames.read_pictures(items), labels, teacher_outputs, wrong)

    def compute_loss(self, network: nn.Module, batch: FaceBatch, strength: float, generator: torch.Generator) -> Tensor:
        pictures = torch.from_numpy(batch.pictures).to(self.device).float() / 255
        labels = self.split(torch.from_numpy(batch.labels).to(self.device))
        which = torch.zeros(len(pictures), dtype=torch.bool)
        if self.targets.mirror is not None:
            which = flip_coins(len(pictures), generator)
            pictures, labels = mirror_pictures(pictures, which), self.mirror_labels(labels, which)
        pictures, moved = augment_with_transform(pictures, self.limits, strength, generator)
        found = network(self.whitening(pictures).contiguous(memory_format=torch.channels_last)).float()
        wanted = Labels(labels.weights, transform_points(labels.points, moved)).concatenate()
        if batch.teacher is None or batch.wrong is None or self.distillation is None:
            return (found - wanted).square().sum(1).mean()
        said = torch.from_numpy(batch.teacher).to(self.device)
        told = self.split(torch.where(which.to(said.device)[:, None], said[:, 1], said[:, 0]))
        teacher_outputs = Labels(told.weights, transform_points(told.points, moved)).concatenate()
        wrong = self._mirror_flags(torch.from_numpy(batch.wrong).to(self.device), which)
        return distillation_loss(found, wanted, teacher_outputs, wrong, self.distillation)

    def mirror_labels(self, labels: Labels, which: Tensor) -> Labels:
        """Labels of which those of `which` (B,) are of the face in a mirror."""
        other = labels.points[:, torch.from_numpy(IBUG_68.mirror)]
        other = torch.stack([1 - other[..., 0], other[..., 1]], -1)
        points = torch.where(which.to(other.device)[:, None, None], other, labels.points)
        return Labels(self.targets.mirror_targets(labels.weights, which), points)

    def _mirror_flags(self, flags: Tensor, which: Tensor) -> Tensor:
        """(B, K + 136) bool of which those of `which` (B,) are of the face in a mirror."""
        if self.targets.mirror is None:
            return flags
        channels = len(self.targets.mirror.channels)
        points = flags[:, channels:].unflatten(1, (-1, 2))[:, torch.from_numpy(IBUG_68.mirror)].flatten(1)
        other = torch.cat([flags[:, torch.from_numpy(self.targets.mirror.channels)], points], 1)
        return torch.where(which.to(flags.device)[:, None], other, flags)

    def predict(self, frames: Frames, rows: Rows, *, mirrored: bool = False) -> F32:
        """(B, K + 136) of some frames, or of their mirror images."""
        out = []
        with torch.no_grad():
            for first in range(0, len(rows), _INFERENCE_BATCH):
                seen = frames.read_pictures(rows[first : first + _INFERENCE_BATCH])[
                    ..., :: -1 if mirrored else 1
                ].copy()
                pictures = self.whitening(torch.from_numpy(seen).to(self.device).float() / 255)
                out.append(self.network(pictures.contiguous(memory_format=torch.channels_last)).float().cpu().numpy())
        return np.concatenate(out)

    def evaluate(self) -> dict[str, float]:
        return {} if self.validation_frames is None else self.measure_errors(self.validation_frames)

    def measure_errors(self, frames: Frames) -> dict[str, float]:
        """How far the network is from the labels of some frames."""
        weights, points = self.split(torch.from_numpy(self.predict(frames, np.arange(frames.count))))
        apart = points.numpy() - frames.points
        return {
            "rmse_mm": measure_weights_rmse_mm(self.targets, weights.numpy(), frames.weights),
            "landmarks_percent": 100 * float(np.sqrt((apart**2).sum(-1).mean())),
        }

    def draw_preview(self) -> NDArray[np.uint8]:
        frames = self.validation_frames or self.train_frames
        rows = np.unique(np.linspace(0, frames.count - 1, _SHOWN).astype(np.intp))
        weights, points = self.split(torch.from_numpy(self.predict(frames, rows)))
        faces = MeshPreview(self.rig, self.targets.moving)
        both = (weights, torch.from_numpy(frames.weights[rows]))
        drawn = [faces.draw(self.targets.to_positions(one).numpy()) for one in both]
        return draw_sheet(_draw_points(frames.read_pictures(rows), points.numpy()), drawn)

    def split(self, both: Tensor) -> Labels:
        """Weights and landmarks of what networks give (B, K + 136)."""
        channels = self.train_frames.weights.shape[1]
        keys, points = compute_scales(channels)
        return Labels(both[:, :channels] / keys, both[:, channels:].unflatten(1, (-1, 2)) / points)


def _draw_points(pictures: NDArray[np.uint8], points: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Pictures (B, C, H, W) with landmarks (B, P, 2) in them."""
    out = pictures.copy()
    height, width = out.shape[2:]
    at = np.round(points * (width, height) - 0.5).astype(np.intp)
    inside = ((at >= 0) & (at < (width, height))).all(-1)
    for picture, places, seen in zip(out, at, inside, strict=True):
        picture[:, places[seen, 1], places[seen, 0]] = 255
    return out
