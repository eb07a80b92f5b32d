"""What a network is to give: the vertices that move, of frames of a training set."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...arrays import F32, Rows
from ...errors import FacecapError
from ..data.frames import Frames
from ..data.mesh_stabilisation import apply_stabilisation, fit_stabilisation
from ..data.mirror import Mirror
from ..data.pca import MOST_COMPONENTS, PcaBasis, fit_pca, fit_pca_from_weights
from ..data.training_set import TrainingSet

MOVING_M = 2e-5
"""A vertex that no frame moves further is left out of the network."""
_BASIS_FRAMES = 1500


class MeshTargets:
    """Vertices that move, of frames of a set.

    Args:
        training_set: whose character and shots.  train_frames: those that say what moves.
        stabilise: whether point caches of shots are brought to rest first (appendix A.2).
        mirror: of a symmetric character whose mirrored faces are learned from, too.
    """

    def __init__(
        self, training_set: TrainingSet, train_frames: Frames, *, stabilise: bool = False, mirror: Mirror | None = None
    ) -> None:
        rig = training_set.rig
        self.mirror = mirror
        self.from_weights = all(one is None for one in train_frames.vertices)
        self._transforms: dict[str, NDArray[np.float64]] = {}
        self._stabilise, self._rest = stabilise and not self.from_weights, rig.neutral
        if self.from_weights:
            used = np.abs(train_frames.weights).max(0) > 1e-4
            reach = np.linalg.norm(rig.deltas, axis=2) * np.abs(train_frames.weights).max(0)[:, None]
            self.moving = np.flatnonzero(reach[used].max(0, initial=0.0) > MOVING_M) if used.any() else np.zeros(0, int)
        else:
            some = self._sample_rows(train_frames)
            found = np.stack([self._read_vertices(train_frames, int(i)) for i in some])
            self.moving = np.flatnonzero(np.ptp(found, axis=0).max(1) > MOVING_M)
        if not len(self.moving):
            raise FacecapError("Nothing moves in the training set.", "Look at its targets: they are all the same.")
        if mirror is not None:
            self.moving = np.union1d(self.moving, mirror.vertices[self.moving])
            self._mirrored_vertices = torch.from_numpy(np.searchsorted(self.moving, mirror.vertices[self.moving]))
        flat = rig.deltas[:, self.moving].reshape(len(rig.channels), -1)
        self.deltas = torch.from_numpy(np.ascontiguousarray(flat, np.float32))
        self.rest = torch.from_numpy(rig.neutral[self.moving].reshape(-1).astype(np.float32))

    def read(self, frames: Frames, which: Rows) -> F32:
        """Targets of some frames: (B, K) weights or (B, 3 M) m; `positions` makes vertices of either."""
        if self.from_weights:
            return frames.weights[which]
        return np.stack([self._read_vertices(frames, int(i))[self.moving].reshape(-1) for i in which]).astype(
            np.float32
        )

    def to_positions(self, targets: Tensor) -> Tensor:
        """(B, 3 M) float32 m, whatever the precision around it: what is trained on and evaluated is not rounded."""
        if not self.from_weights:
            return targets
        given = targets.float()
        with torch.autocast(given.device.type, enabled=False):
            return torch.addmm(self.rest.to(given), given, self.deltas.to(given))

    def mirror_targets(self, targets: Tensor, which: Tensor) -> Tensor:
        """Targets (B, …, K or 3 M), those of `which` (B,) of the face in a mirror."""
        assert self.mirror is not None
        if self.from_weights:
            other = targets[..., torch.from_numpy(self.mirror.channels).to(targets.device)]
        else:
            at = targets.unflatten(-1, (-1, 3))[..., self._mirrored_vertices.to(targets.device), :]
            flipped = at * at.new_tensor([-1, 1, 1]) + at.new_tensor([2 * self.mirror.middle, 0, 0])
            other = flipped.flatten(-2)
        return torch.where(which.to(targets.device).view(-1, *[1] * (targets.dim() - 1)), other, targets)

    def fit_basis(self, train_frames: Frames, most: int = MOST_COMPONENTS) -> PcaBasis:
        """Principal components of the targets."""
        if self.from_weights:
            return fit_pca_from_weights(
                self._add_mirrored(train_frames.weights), self.deltas.numpy(), self.rest.numpy(), most
            )
        return fit_pca(self._add_mirrored(self.read(train_frames, self._sample_rows(train_frames))), most)

    def _add_mirrored(self, targets: F32) -> F32:
        """Targets and, of a symmetric character, the same in a mirror."""
        if self.mirror is None:
            return targets
        return np.concatenate(
            [targets, self.mirror_targets(torch.from_numpy(targets), torch.ones(len(targets)) > 0).numpy()]
        )

    def _sample_rows(self, frames: Frames) -> Rows:
        return np.unique(np.linspace(0, frames.count - 1, min(_BASIS_FRAMES, frames.count)).astype(np.intp))

    def _read_vertices(self, frames: Frames, i: int) -> F32:
        cache = frames.vertices[frames.shot[i]]
        if cache is None:
            raise FacecapError(
                "Some shots of the set have curves, others point caches.", "Train on shots of one kind: remake the set."
            )
        frame = np.asarray(cache[frames.row[i]], np.float32)
        if not self._stabilise:
            return frame
        name = frames.shots[frames.shot[i]].name
        if name not in self._transforms:
            every = cache[:: max(1, len(cache) // 200)]
            self._transforms[name] = fit_stabilisation(every, self._rest)
        return apply_stabilisation(frame[None], self._transforms[name])[0]
