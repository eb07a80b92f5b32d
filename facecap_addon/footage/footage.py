"""Footage: what is known about a video or an image sequence before its pictures are read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from ..errors import FacecapError
from .container import check_size, open_container, video_stream
from .orientation import Orientation, orientation_of
from .picture import PictureShape, picture_shape, square_pixel_size
from .position import Position, Trim, parse_position
from .sequence import find_sequence, is_sequence_path
from .stamps import read_stamps

DEFAULT_SEQUENCE_FPS = Fraction(24)
_PACKETS_TO_TRY = 512


@dataclass(frozen=True)
class Footage:
    """A video or an image sequence, opened, understood and trimmed, but not read.

    Attributes:
        paths: the video file, or the pictures of the sequence in order.
        kind: "video" or "sequence".
        size_px: (width, height) of the upright picture with square pixels.
        frame_rate: average frames per second as announced, or as the stamps show where that makes no sense.
        duration_s: length of the untrimmed footage, to the end of its last picture.
        frame_count: frames in the untrimmed footage that are there to be decoded (edit lists hide some, a cut-off file
            lacks some); of a sequence, missing pictures included.
        announced_count: frames that the file's index promises; more than `frame_count` where it was cut off.
        missing_s: how much earlier a video ends than it announces, seconds.
        rotation_deg: clockwise turn that makes the stored pictures upright: 0, 90, 180 or 270.
        mirrored: whether they are also mirrored left to right.
        upside_down: whether they stand on their heads even so, and are turned by another half turn.
        sides_exchanged: whether the user says that they show the scene in a mirror, as selfies do whose file does not
            say so; every picture is turned back, so that the actor's left is hers everywhere.
        has_audio: whether there is sound.
        audio_offset_s: when the sound starts, in seconds after the first picture (negative: before it).
        trim: the part to use.
        first_timestamp_s: the container's time of the first picture; frame times are relative to it.
        coded_size_px: (width, height) px as stored in the file.
        stored_size_px: the same with pixels made square, before the picture is turned.
        frame_numbers: for a sequence, the frame number of each picture, the first being 0; empty for a video.
        notes: choices and oddities worth telling the user.
    """

    paths: tuple[Path, ...]
    kind: Literal["video", "sequence"]
    size_px: tuple[int, int]
    frame_rate: Fraction
    duration_s: float
    frame_count: int
    announced_count: int = 0
    missing_s: float = 0.0
    rotation_deg: int = 0
    mirrored: bool = False
    upside_down: bool = False
    sides_exchanged: bool = False
    has_audio: bool = False
    audio_offset_s: float = 0.0
    trim: Trim = Trim()
    first_timestamp_s: float = 0.0
    coded_size_px: tuple[int, int] = (0, 0)
    stored_size_px: tuple[int, int] = (0, 0)
    frame_numbers: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def orientation(self) -> Orientation:
        """What turns its pictures upright."""
        said = Orientation(self.rotation_deg, self.mirrored)
        said = said.turn_over() if self.upside_down else said
        return said.exchange_sides() if self.sides_exchanged else said

    @property
    def expected_frame_count(self) -> int:
        """About how many frames the trimmed part holds, for a progress bar."""
        rate = float(self.frame_rate)
        first, last = 0.0, float(self.frame_count - 1)
        if self.trim.start is not None:
            first = self.trim.start.value * (1.0 if self.trim.start.unit == "frames" else rate)
        if self.trim.end is not None:
            last = min(last, self.trim.end.value * (1.0 if self.trim.end.unit == "frames" else rate))
        return max(0, round(last - first) + 1)


def open_footage(
    path: Path,
    *,
    start: str | float | None = None,
    end: str | float | None = None,
    fps: str | float | Fraction | None = None,
    mirror: bool = False,
) -> Footage:
    """Open a video file or an image sequence.

    Args:
        path: a video; or for a sequence a folder, one of its pictures, or a pattern (`frame_%04d.png`).
        start, end: first and last frame to use, as `parse_position` reads them; None: the footage's own.
        fps: frames per second of an image sequence; 24 if not given. A video carries its own.
        mirror: it was filmed as in a mirror, and left and right are to be exchanged.
    Raises:
        FacecapError: it is missing, unreadable, not footage, absurdly large, or the trim lies outside it.
    """
    path = Path(path)
    trim = Trim(
        None if start is None else parse_position(start),
        None if end is None else parse_position(end),
    )
    if is_sequence_path(path) or ("%" in path.name and not path.exists()):
        footage = _open_sequence(path, trim, None if fps is None else parse_rate(fps))
    else:
        footage = _open_video(path, trim)
        if fps is not None:
            raise FacecapError(
                f"A frame rate was given, but {path.name} is a video and carries its own timestamps.",
                "Leave the frame rate out; it is for image sequences.",
            )
    _check_trim(footage)
    return replace(footage, sides_exchanged=mirror)


def parse_rate(fps: str | float | Fraction) -> Fraction:
    """Read a frame rate such as 25, "29.97", "24000/1001". Raises FacecapError unless it is in 0.1 to 1000."""
    try:
        rate = Fraction(fps).limit_denominator(10_000)
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise FacecapError(f"“{fps}” is not a frame rate.", "Write it as 25, 29.97 or 24000/1001.") from error
    if not Fraction(1, 10) <= rate <= 1000:
        raise FacecapError(f"A frame rate of {fps} is out of range.", "Give a rate between 0.1 and 1000.")
    return rate


def _open_video(path: Path, trim: Trim) -> Footage:
    with open_container(path) as container:
        stream = video_stream(container, path)
        rate = _choose_frame_rate(stream)
        frame, orientation = decode_first_frame(container, stream, path)
        stored = square_pixel_size(frame.width, frame.height, stream.sample_aspect_ratio)
        first_timestamp_s = 0.0
        if frame.pts is not None:
            assert frame.time_base is not None
            first_timestamp_s = float(frame.pts * frame.time_base)
        audio = next(iter(container.streams.audio), None)
        audio_start_s = first_timestamp_s
        if audio is not None and audio.start_time is not None and audio.time_base is not None:
            audio_start_s = float(audio.start_time * audio.time_base)
        notes = ["The footage is interlaced; fast motion may look combed."] if frame.interlaced_frame else []
    stamps = read_stamps(path, first_timestamp_s, rate)
    rate = stamps.corrected_rate(rate)
    last_s = stamps.times_s[-1] if len(stamps.times_s) else (stamps.count - 1) / float(rate)
    return Footage(
        paths=(path,),
        kind="video",
        size_px=orientation.upright_size(*stored),
        frame_rate=rate,
        duration_s=float(last_s) + 1.0 / float(rate),
        frame_count=max(1, stamps.count),
        announced_count=max(1, stamps.announced),
        missing_s=stamps.missing_s,
        rotation_deg=orientation.rotation_deg,
        mirrored=orientation.mirrored,
        has_audio=audio is not None,
        audio_offset_s=audio_start_s - first_timestamp_s,
        trim=trim,
        first_timestamp_s=first_timestamp_s,
        coded_size_px=(frame.width, frame.height),
        stored_size_px=stored,
        notes=tuple(notes),
    )


def _open_sequence(path: Path, trim: Trim, rate: Fraction | None) -> Footage:
    sequence = find_sequence(path)
    notes = [sequence.note] if sequence.note else []
    if rate is None:
        rate = DEFAULT_SEQUENCE_FPS
        notes.append(f"No frame rate was given for the image sequence; {rate} frames per second are assumed.")
    count = sequence.numbers[-1] + 1
    missing = count - len(sequence.paths)
    if missing:
        notes.append(f"{missing} of {count} pictures are missing from the sequence; their time is kept.")
    # The first, middle and last picture tell early about a mixed sequence; reading checks every one.
    samples = sorted({0, len(sequence.paths) // 2, len(sequence.paths) - 1})
    shapes = [_read_picture_shape(sequence.paths[i]) for i in samples]
    for i, shape in zip(samples, shapes, strict=True):
        if shape.upright_size != shapes[0].upright_size:
            raise sizes_differ(sequence.paths[0], shapes[0].upright_size, sequence.paths[i], shape.upright_size)
    first = shapes[0]
    return Footage(
        paths=sequence.paths,
        kind="sequence",
        size_px=first.upright_size,
        frame_rate=rate,
        duration_s=count / float(rate),
        frame_count=count,
        announced_count=count,
        rotation_deg=first.orientation.rotation_deg,
        mirrored=first.orientation.mirrored,
        trim=trim,
        coded_size_px=first.coded_size,
        stored_size_px=first.stored_size,
        frame_numbers=sequence.numbers,
        notes=tuple(notes),
    )


def sizes_differ(first: Path, first_size: tuple[int, int], other: Path, other_size: tuple[int, int]) -> FacecapError:
    """The error for a sequence whose pictures are not all of one size; sizes are (width, height) px."""
    return FacecapError(
        f"The pictures of the sequence differ in size: {first.name} has {first_size[0]} × {first_size[1]} px, "
        f"{other.name} has {other_size[0]} × {other_size[1]} px.",
        "Export them all in one size, or put other pictures into another folder.",
    )


def _read_picture_shape(path: Path) -> PictureShape:
    with open_container(path, is_image=True) as container:
        stream = video_stream(container, path)
        frame, orientation = decode_first_frame(container, stream, path)
        return picture_shape(frame, stream, orientation)


def decode_first_frame(container: InputContainer, stream: VideoStream, path: Path) -> tuple[av.VideoFrame, Orientation]:
    """The first picture that can be decoded, and what turns it upright. Raises FacecapError if there is none."""
    packets = container.demux(stream)
    for _ in range(_PACKETS_TO_TRY):
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            break
        try:
            for frame in packet.decode():
                assert isinstance(frame, av.VideoFrame)
                check_size(frame.width, frame.height, path)
                return frame, orientation_of(frame, bytes(packet))
        except av.error.FFmpegError:
            pass
    raise FacecapError(
        f"No picture of {path.name} can be decoded; it is damaged or cut off.",
        "Copy it again from the camera, or export it as H.264.",
    )


def _choose_frame_rate(stream: VideoStream) -> Fraction:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate is not None and Fraction(1, 10) <= rate <= 1000:
            return Fraction(rate)
    return Fraction(25)


def _check_trim(footage: Footage) -> None:
    rate = float(footage.frame_rate)
    start, end = footage.trim.start, footage.trim.end

    def seconds(position: Position) -> float:
        return position.value if position.unit == "seconds" else position.value / rate

    if start is not None and end is not None:
        same_unit = start.unit == end.unit
        # Frames and seconds are compared by the average rate, with a second of grace for variable frame rate.
        if (same_unit and end.value < start.value) or (not same_unit and seconds(end) < seconds(start) - 1.0):
            raise FacecapError(f"The end ({end}) lies before the start ({start}).", "Exchange start and end.")
    if start is not None:
        # Announced lengths may fall short by a frame or two; reading says so if nothing is there after all.
        slack = 0 if footage.kind == "sequence" else 2
        last = footage.frame_count - 1 + slack if start.unit == "frames" else footage.duration_s + slack / rate
        if start.value > last:
            raise FacecapError(
                f"The start ({start}) lies behind the end of the footage "
                f"({footage.frame_count} frames, {footage.duration_s:.2f} s).",
                "Choose an earlier start.",
            )
