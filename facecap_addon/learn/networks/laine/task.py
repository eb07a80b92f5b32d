"""From a picture to a mesh: Laine et al.'s network, its fully connected one, and Meng and Wen's variant of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ....arrays import Rows
from ....images.resample import resize
from ....rig.blendshapes import BlendshapeRig
from ....solvers.eye_alignment import align_eyes, fit_eye_alignment
from ....solvers.whitening import Whitening
from ...data.cutmix import CutMix, pair_indices
from ...data.frames import Frames
from ...data.pca import PcaBasis, fit_pca
from ...engine.augment import Augmentation, augment_cameras, flip_coins, mirror_pictures
from ...engine.losses import affine_invariant_mse_cm2, mse_cm2, rmse_mm
from ...engine.mesh_preview import MeshPreview
from ...engine.mesh_targets import MeshTargets
from .dense import MOST_PICTURES, DenseNetwork

_INFERENCE_BATCH, _SHOWN = 64, 8


class MeshBatch(NamedTuple):
    """Pictures (B, C, H, W) uint8 and targets (B, …) of some frames."""

    pictures: NDArray[np.uint8]
    targets: NDArray[np.float32]


@dataclass
class MeshTask:
    """A network that gives vertices, evaluated by their distance on validation shots.

    Attributes:
        network: (B, C, H, W) whitened pictures to (B, 3 M) m.
        train_frames, validation_frames: with their pictures.  targets: of these.  whitening: of pictures.
        limits: of augmentation.  affine: whether the loss forgives affine transformations.  device: torch's.
        cutmix: of faces, where those of different frames are joined.  cameras: how many look on.
        weights: (3 M,) of mean one, how much each coordinate counts in the loss; None: alike.
    """

    network: nn.Module
    train_frames: Frames
    validation_frames: Frames | None
    targets: MeshTargets
    whitening: Whitening
    rig: BlendshapeRig
    limits: Augmentation
    affine: bool = False
    device: str = "cpu"
    monitor: str = "rmse_mm"
    cutmix: CutMix | None = None
    cameras: int = 1
    weights: Tensor | None = None

    @property
    def items(self) -> int:
        return self.train_frames.count

    def load_pictures(self, frames: Frames, which: Rows) -> NDArray[np.uint8]:
        """(B, C, H, W) uint8: pictures as the network sees them."""
        return frames.read_pictures(which)

    def load_batch(self, items: Rows) -> MeshBatch:
        pictures, targets = self.load_pictures(self.train_frames, items), self.targets.read(self.train_frames, items)
        if self.cutmix is None:
            return MeshBatch(pictures, targets)
        return MeshBatch(*self.cutmix.mix_halves(pictures, targets, self.train_frames.face[items], pair_indices(items)))

    def compute_loss(self, network: nn.Module, batch: MeshBatch, strength: float, generator: torch.Generator) -> Tensor:
        pictures = torch.from_numpy(batch.pictures).to(self.device).float() / 255
        targets = torch.from_numpy(batch.targets).to(self.device)
        if self.targets.mirror is not None:
            which = flip_coins(len(pictures), generator)
            pictures, targets = mirror_pictures(pictures, which), self.targets.mirror_targets(targets, which)
        seen = augment_cameras(pictures, self.cameras, self.limits, strength, generator)
        found = network(self.whitening(seen).contiguous(memory_format=torch.channels_last)).float()
        wanted = self.targets.to_positions(targets)
        if self.affine:
            return affine_invariant_mse_cm2(found, wanted)
        return mse_cm2(found, wanted, None if self.weights is None else self.weights.to(found))

    def predict(self, frames: Frames, which: Rows) -> tuple[Tensor, Tensor]:
        """(B, 3 M) what the network gives and what is true of some frames."""
        pictures = torch.from_numpy(self.load_pictures(frames, which)).to(self.device).float() / 255
        with torch.no_grad():
            seen = self.whitening(pictures).contiguous(memory_format=torch.channels_last)
            given = self.network(seen).float()
            true = self.targets.to_positions(torch.from_numpy(self.targets.read(frames, which)).to(self.device))
        return given, true

    def evaluate(self) -> dict[str, float]:
        return {} if self.validation_frames is None else {"rmse_mm": self.measure_error_mm(self.validation_frames)}

    def measure_error_mm(self, frames: Frames) -> float:
        """RMSE of the network on some frames."""
        squared = 0.0
        for first in range(0, frames.count, _INFERENCE_BATCH):
            given, true = self.predict(frames, np.arange(first, min(first + _INFERENCE_BATCH, frames.count)))
            squared += float(rmse_mm(given, true).square().sum())
        return float(np.sqrt(squared / frames.count))

    def measure_mean_pose_mm(self, frames: Frames) -> float:
        """RMSE of the mean pose on some frames: what a network that learned nothing reaches."""
        some = np.unique(np.linspace(0, self.train_frames.count - 1, min(600, self.train_frames.count)).astype(np.intp))
        mean = self.targets.to_positions(torch.from_numpy(self.targets.read(self.train_frames, some))).mean(
            0, keepdim=True
        )
        squared = 0.0
        for first in range(0, frames.count, _INFERENCE_BATCH):
            which = np.arange(first, min(first + _INFERENCE_BATCH, frames.count))
            true = self.targets.to_positions(torch.from_numpy(self.targets.read(frames, which)))
            squared += float(rmse_mm(mean.expand_as(true), true).square().sum())
        return float(np.sqrt(squared / frames.count))

    def draw_preview(self) -> NDArray[np.uint8]:
        frames = self.validation_frames or self.train_frames
        which = np.unique(np.linspace(0, frames.count - 1, _SHOWN).astype(np.intp))
        given, true = self.predict(frames, which)
        faces = MeshPreview(self.rig, self.targets.moving)
        return draw_sheet(frames.read_pictures(which), [faces.draw(x.cpu().numpy()) for x in (given, true)])


class DenseTask(MeshTask):
    """The fully connected network, whose pictures are turned so that eyes and nose stay where they are."""

    def prepare(self) -> None:
        """Find where eyes and nose lie on average."""
        self.place = self._to_pixels(self.train_frames).mean(0)

    def _to_pixels(self, frames: Frames) -> NDArray[np.float32]:
        height, width = frames.pictures[0][0].shape[1:]
        return (frames.face * np.array([width, height]) - 0.5).astype(np.float32)

    def load_pictures(self, frames: Frames, which: Rows) -> NDArray[np.uint8]:
        """(B, 1, H, W) uint8, stabilised."""
        return align_eyes(frames.read_pictures(which), fit_eye_alignment(self._to_pixels(frames)[which], self.place))

    def compute_loss(self, network: nn.Module, batch: MeshBatch, strength: float, generator: torch.Generator) -> Tensor:
        pictures = torch.from_numpy(batch.pictures).to(self.device).float() / 255
        found = network(self.whitening(pictures)).float()  # pictures are principal components: nothing to augment
        return mse_cm2(found, self.targets.to_positions(torch.from_numpy(batch.targets).to(self.device)))

    def make_network(self, basis: PcaBasis, widths: tuple[int, int], most: int = MOST_PICTURES) -> None:
        """The network, from the principal components of frames spread over the set."""
        some = np.unique(
            np.linspace(0, self.train_frames.count - 1, min(most, self.train_frames.count)).astype(np.intp)
        )
        pictures = torch.from_numpy(self.load_pictures(self.train_frames, some)).float() / 255
        flat = self.whitening(pictures).flatten(1).numpy()
        self.network = DenseNetwork(fit_pca(flat, most), basis, widths)


def draw_sheet(pictures: NDArray[np.uint8], faces: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """(H, W, 3): a column per frame: what the camera saw, and faces below.

    Args:
        pictures: (B, C, h, w).  faces: rows of (B, H, W, 3).
    """
    height, width = faces[0].shape[1:3]
    columns = []
    for i, picture in enumerate(pictures):
        seen = (
            picture[:3].transpose(1, 2, 0)
            if picture.shape[0] in (3, 6)
            else np.repeat(picture[:1], 3, 0).transpose(1, 2, 0)
        )
        seen = resize(seen, (width, height))
        columns.append(np.concatenate([seen.reshape(height, width, 3), *(row[i] for row in faces)]))
    return np.concatenate(columns, axis=1)
