"""From a decoded frame to an upright RGB picture with square pixels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from .orientation import Orientation


def square_pixel_size(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Picture size once anamorphic pixels are widened to squares.

    Args:
        width, height: stored size, px.  pixel_aspect: width / height of a pixel; None or nonsense counts as square.
    Returns:
        (width, height) px.
    """
    if not pixel_aspect or not Fraction(1, 4) <= pixel_aspect <= 4:
        return width, height
    return max(1, round(width * pixel_aspect)), height


@dataclass(frozen=True)
class PictureShape:
    """How a stored picture becomes an upright one with square pixels.

    Attributes:
        coded_size: (width, height) px as stored.  stored_size: the same with pixels made square.
        orientation: what turns it upright.
    """

    coded_size: tuple[int, int]
    stored_size: tuple[int, int]
    orientation: Orientation

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) px of the upright picture."""
        return self.orientation.upright_size(*self.stored_size)


def picture_shape(frame: av.VideoFrame, stream: VideoStream, orientation: Orientation) -> PictureShape:
    """The shape of a single picture, decoded from a stream of its own."""
    stored = square_pixel_size(frame.width, frame.height, stream.sample_aspect_ratio)
    return PictureShape((frame.width, frame.height), stored, orientation)


class PictureConverter:
    """Converts the frames of one footage; keeps FFmpeg's scaler between frames because setting it up is slow.

    Args:
        stored_size: (width, height) px to bring every frame to before it is turned upright.
        orientation: what turns it upright.
    """

    def __init__(self, stored_size: tuple[int, int], orientation: Orientation) -> None:
        self._width, self._height = stored_size
        self._orientation = orientation
        self._reformatter = VideoReformatter()

    def convert(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """An upright RGB picture.

        Grey becomes equal red, green and blue; more than 8 bits are scaled down; alpha is composited over black.

        Args:
            frame: any pixel format.
        Returns:
            (H, W, 3) uint8, contiguous, its own memory.
        """
        has_alpha = frame.format.name == "pal8" or any(part.is_alpha for part in frame.format.components)
        converted = self._reformatter.reformat(
            frame, width=self._width, height=self._height, format="rgba" if has_alpha else "rgb24"
        )
        image = _plane(converted, 4 if has_alpha else 3)
        if converted is frame:
            image = image.copy()  # Some decoders build the next picture upon this one.
        if has_alpha:
            alpha = image[..., 3:].astype(np.uint16)
            image = ((image[..., :3] * alpha + 127) // 255).astype(np.uint8)
        return self._orientation.apply(image)


def _plane(frame: av.VideoFrame, channels: int) -> NDArray[np.uint8]:
    """(H, W, channels) uint8 over the memory of the frame's only plane, which stays alive with the array."""
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height]  # pyright: ignore[reportArgumentType, reportCallIssue]
    return rows[:, : frame.width * channels].reshape(frame.height, frame.width, channels)
