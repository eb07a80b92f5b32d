"""Pictures to a video file that keeps their distance in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ..atomic_file import atomic_path
from ..errors import FacecapError

# Fine enough for any frame rate, and the finest that the fallback codec can hold.
_TIME_BASE = Fraction(1, 60_000)
# Pictures from one key frame to the next in a video that is jumped about in.
_KEY_EVERY = 8


def write_video(
    path: Path,
    pictures: Iterable[tuple[float, NDArray[np.uint8]]],
    *,
    quality: int = 20,
    even_rate: Fraction | None = None,
) -> Iterator[int]:
    """Write a video frame by frame; the file appears, complete, when the iterator is exhausted.

    H.264 in yuv420p; MPEG-4 where the H.264 encoder is missing.

    Args:
        path: an .mp4.  pictures: (time in s, (H, W, 3) uint8 RGB), in order, width and height even.
        quality: constant rate factor, smaller is better.
        even_rate: pictures per second, where the times are even; the video is then quick to jump about in, too.
    Yields:
        Frames written so far.
    Raises:
        FacecapError: there are no pictures, no video can be encoded, the disk is full, or the folder cannot be written.
    """
    written, first_s = 0, 0.0
    with atomic_path(path) as temporary:
        container, stream = _open_encoder(temporary, quality, even_rate)
        tick_s = 1 / even_rate if even_rate else _TIME_BASE
        try:
            for time_s, picture in pictures:
                if not written:
                    stream.width, stream.height = picture.shape[1], picture.shape[0]
                    first_s = time_s
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = round((time_s - first_s) / tick_s)
                frame.time_base = tick_s
                container.mux(stream.encode(frame))
                written += 1
                yield written
            if not written:
                raise FacecapError("There are no frames to make a video of.", "Check the trim range.")
            container.mux(stream.encode(None))
        finally:
            container.close()


def _open_encoder(path: Path, quality: int, even_rate: Fraction | None) -> tuple[OutputContainer, VideoStream]:
    jumping = {"g": str(_KEY_EVERY), "bf": "0"} if even_rate else {}
    encoders = (
        ("libx264", {"preset": "veryfast", "crf": str(quality), **jumping}),
        ("mpeg4", {"qscale": "3", **jumping}),
    )
    for name, options in encoders:
        try:
            av.Codec(name, "w")
        except ValueError:
            continue
        container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        stream = container.add_stream(name, rate=even_rate or 30, options=options)
        assert isinstance(stream, VideoStream)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = 1 / even_rate if even_rate else _TIME_BASE
        return container, stream
    raise FacecapError("No video encoder is available.", "Do without the video, or reinstall FaceCap.")
