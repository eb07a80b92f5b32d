"""Optical flow of the footage, behind one small protocol: OpenCV's DIS by default, or a torch network of the user's.

Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search", 2016.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from ...arrays import F32, F64, U8
from ...errors import FacecapError
from ...landmarks.backends.torchscript import open_torchscript
from ...landmarks.regions import Region, crop, image_from_crop

# A square around the face is wide enough for the motion of one frame.
_WIDER = 1.35
SIZE = 512
"""Both pictures are resized to this before the flow is found (Bao et al. section 6)."""


class OpticalFlow(Protocol):
    """Finds the motion between two pictures."""

    def __call__(self, first: U8, second: U8) -> F32:
        """(H, W, 2) px by which what is at each pixel of the first (H, W, 3) RGB has moved in the second."""
        ...


class DisFlow:
    """OpenCV's dense inverse search; implements OpticalFlow."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, first: U8, second: U8) -> F32:
        """See OpticalFlow."""
        grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (first, second)]
        return np.asarray(self._dis.calc(grey[0], grey[1], None), np.float32)  # type: ignore[call-overload]


class TorchFlow:
    """A TorchScript network that takes two (1, 3, H, W) pictures in 0..1 and answers (1, 2, H, W) px."""

    def __init__(self, path: Path) -> None:
        self._network = open_torchscript(path, "Name a TorchScript flow network, or leave it out.")

    def __call__(self, first: U8, second: U8) -> F32:
        """See OpticalFlow."""
        import torch  # OpenCV's flow does without it

        pictures = [torch.from_numpy(p).permute(2, 0, 1)[None].float() / 255 for p in (first, second)]
        with torch.no_grad():
            answer = self._network(*pictures)
        found = answer[-1] if isinstance(answer, (list, tuple)) else answer
        if tuple(found.shape) != (1, 2, *first.shape[:2]):
            raise FacecapError("The flow network answered in another shape.", "Leave it out to use OpenCV's flow.")
        return np.ascontiguousarray(found[0].permute(1, 2, 0).numpy(), np.float32)


class FacePair:
    """The flow between two frames in a square around the face, forward and backward.

    Args:
        flow: how it is found.  first, second: (H, W, 3) uint8 pictures.  region: the square, the same in both.
    """

    def __init__(self, flow: OpticalFlow, first: U8, second: U8, region: Region) -> None:
        pictures = [crop(picture, region, SIZE) for picture in (first, second)]
        self._map = image_from_crop(region, SIZE)
        self._inverse = np.linalg.inv(self._map[:, :2])
        self._forward = flow(pictures[0], pictures[1])
        self._backward = flow(pictures[1], pictures[0])

    def at(self, places_px: F64) -> tuple[F64, F64]:
        """The motion of what is seen at some places of the first picture.

        Args:
            places_px: (P, 2) px.
        Returns:
            (P, 2) px; (P,) how far it comes back to where it was, px: large where something appears or disappears.
        """
        place = (places_px - self._map[:, 2]) @ self._inverse.T
        out = sample_flow(self._forward, place)
        back = sample_flow(self._backward, place + out)
        scale = float(np.sqrt(abs(np.linalg.det(self._map[:, :2]))))
        return out @ self._map[:, :2].T, np.linalg.norm(out + back, axis=1) * scale


@dataclass(frozen=True)
class FootageFlow:
    """The flow of footage around the face.

    Attributes:
        flow: how it is found.  picture: of a row, (H, W, 3) uint8 RGB.
    """

    flow: OpticalFlow
    picture: Callable[[int], U8]

    def pair(self, first: int, second: int, places_px: F64) -> FacePair:
        """The flow between two rows, in a square around surface points (P, 2) px of the first."""
        return FacePair(self.flow, self.picture(first), self.picture(second), face_square(places_px))


def face_square(places_px: F64) -> Region:
    """An upright square around a face's surface points (P, 2) px, wide enough for the motion of one frame."""
    low, high = places_px.min(0), places_px.max(0)
    middle = 0.5 * (low + high)
    return Region((float(middle[0]), float(middle[1])), float((high - low).max()) * _WIDER, 0.0)


def sample_flow(field: F32, places: F64) -> F64:
    """(P, 2) a flow field (H, W, 2) at places (P, 2) px."""
    at = np.clip(np.nan_to_num(places), -1e4, 1e4).astype(np.float32)[None]
    found = cv2.remap(field, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found[0].astype(np.float64)
