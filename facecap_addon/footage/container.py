"""Opening video files and pictures with FFmpeg, and saying in plain words why one cannot be opened."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from ..errors import FacecapError

MAX_SIDE_PX = 16_384
DECODER_THREADS = min(2, os.cpu_count() or 1)

# Text that FFmpeg would take for a picture (ANSI art), and lists that point to other files.
_REFUSED_FORMATS = frozenset({"tty", "hls", "concat", "sdp", "dash", "ffmetadata"})
_OPTIONS = {"max_pixels": str(MAX_SIDE_PX * MAX_SIDE_PX), "protocol_whitelist": "file"}


@contextmanager
def open_container(path: Path, *, is_image: bool = False) -> Iterator[InputContainer]:
    """Open a video file or one picture; it is closed at the end of the block.

    Args:
        path: an existing file.  is_image: a single picture, whatever digits or `%` its name holds.
    Raises:
        FacecapError: it cannot be opened.
    """
    check_readable(path)
    # An absolute path cannot be mistaken for a protocol, and no protocol but the file system is allowed.
    source = str(path.absolute())
    try:
        if is_image:
            container = av.open(source, format="image2", options={**_OPTIONS, "pattern_type": "none"})
        else:
            container = av.open(source, options=dict(_OPTIONS))
    except (av.error.FFmpegError, ValueError, MemoryError) as error:
        raise _cannot_open(path, error) from error
    with container:
        if any(name in _REFUSED_FORMATS for name in container.format.name.split(",")):
            raise _not_footage(path)
        yield container


def check_readable(path: Path) -> None:
    """Raise FacecapError unless `path` is a file that can be read and is not empty."""
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except FileNotFoundError as error:
        raise FacecapError(
            f"There is no file {path}.", "Check the path; the file may have been moved or renamed."
        ) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FacecapError(f"{path} cannot be read ({reason}).", "Check its permissions.") from error
    if size == 0:
        raise FacecapError(f"{path.name} is empty (0 bytes).", "Copy or export the footage again.")


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The stream that holds the moving picture (cover art does not count), ready to decode.

    Raises:
        FacecapError: there is none, its codec is unknown, or its pictures are absurdly large.
    """
    moving = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not moving:
        if container.streams.audio:
            raise FacecapError(f"{path.name} holds sound but no picture.", "Choose the video that belongs to it.")
        raise _not_footage(path)
    stream = max(moving, key=lambda candidate: _width_height(candidate)[0] * _width_height(candidate)[1])
    # Streams whose codec this FFmpeg does not know come without a codec context.
    if getattr(stream, "codec_context", None) is None:
        raise FacecapError(f"The video codec of {path.name} is not supported.", "Export it as H.264, H.265 or ProRes.")
    check_size(*_width_height(stream), path)
    stream.codec_context.thread_count = DECODER_THREADS
    stream.thread_type = "AUTO"
    return stream


def check_size(width: int, height: int, path: Path) -> None:
    """Raise FacecapError for pictures wider or higher than 16384 px; 0 means not known yet."""
    if width > MAX_SIDE_PX or height > MAX_SIDE_PX:
        raise FacecapError(
            f"The pictures of {path.name} measure {width} × {height} px; the limit is {MAX_SIDE_PX} px a side.",
            "Export the footage smaller; a face needs no more than a few hundred pixels.",
        )


def _width_height(stream: VideoStream) -> tuple[int, int]:
    context = getattr(stream, "codec_context", None)
    return (0, 0) if context is None else (int(context.width or 0), int(context.height or 0))


def _is_cover(stream: VideoStream) -> bool:
    disposition = int(getattr(stream, "disposition", 0))
    attached_picture = 0x0400
    return bool(disposition & attached_picture)


def _not_footage(path: Path) -> FacecapError:
    return FacecapError(f"{path.name} is not a video or picture that can be read.", "Choose a video file.")


def _cannot_open(path: Path, error: Exception) -> FacecapError:
    with path.open("rb") as stream:
        head = stream.read(12)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return FacecapError(
            f"The recording {path.name} is cut off or damaged: its index is missing.",
            "Copy it again from the camera, or repair it with the camera maker's tool.",
        )
    if isinstance(error, MemoryError):
        return FacecapError(f"{path.name} asks for more memory than there is.", "Export the footage smaller.")
    return _not_footage(path)
