"""Reading the pictures of footage one after the other, each with its frame number and real time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from ..errors import FacecapError
from .clock import FrameClock
from .container import open_container, video_stream
from .footage import Footage, decode_first_frame, sizes_differ
from .picture import PictureConverter, PictureShape, picture_shape
from .seek import find_entry

# Announced lengths are often off by a frame or two; only a larger loss is worth a word.
_TRUNCATION_FRAMES, _TRUNCATION_S = 2, 1.0


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture.

    Attributes:
        index: frame number in the untrimmed footage, counted from 0.
        time_s: seconds from the first picture of the untrimmed footage.
        image: (H, W, 3) uint8 RGB, upright, contiguous.
    """

    index: int
    time_s: float
    image: NDArray[np.uint8]


class FrameReader(Iterator[Frame]):
    """An iterator over frames that remembers what was wrong with the footage.

    Attributes:
        frames_read: frames given out so far.
        frames_damaged: pieces of the file that could not be decoded, so far.
        notes: sentences for the user; complete once the iterator is exhausted.
    """

    def __init__(self, footage: Footage, skip: int) -> None:
        self.frames_read = 0
        self.frames_damaged = 0
        self.notes: list[str] = []
        reader = self._read_video if footage.kind == "video" else self._read_sequence
        self._frames = reader(footage, skip)

    def __next__(self) -> Frame:
        frame = next(self._frames)
        self.frames_read += 1
        return frame

    def close(self) -> None:
        """Close the file; the iterator is exhausted afterwards."""
        self._frames.close()

    def _read_video(self, footage: Footage, skip: int) -> Generator[Frame, None, None]:
        path = footage.paths[0]
        convert = PictureConverter(footage.stored_size_px, footage.orientation).convert
        clock = FrameClock(footage.first_timestamp_s, 1.0 / float(footage.frame_rate))
        entry = find_entry(footage, skip)
        to_skip, index, given = skip, -1, 0
        size_changed = False
        with open_container(path) as container:
            stream = video_stream(container, path)
            if entry is not None:
                container.seek(entry.timestamp, stream=stream)
                index, to_skip = entry.index - 1, entry.skip
            for frame in self._decode(container, stream):
                if entry is not None and frame.pts is not None and frame.pts < entry.timestamp:
                    continue  # Pictures before the key frame cannot be decoded correctly from here.
                index += 1
                stamp = None
                if frame.pts is not None:
                    assert frame.time_base is not None
                    stamp = float(frame.pts * frame.time_base)
                time_s = clock.time_of(stamp)
                if footage.trim.is_before(index, time_s):
                    continue
                if footage.trim.is_after(index, time_s):
                    break
                if to_skip:
                    to_skip -= 1
                    continue
                size_changed |= (frame.width, frame.height) != footage.coded_size_px
                given += 1
                yield Frame(index, time_s, convert(frame))
            else:
                self._report_cut(footage, index + 1)
        if not given and not skip:
            raise self._nothing(footage)
        if size_changed:
            self.notes.append("The picture size changes within the footage; all pictures are scaled to the first.")
        if clock.repaired:
            self.notes.append(f"{clock.repaired} frames had missing or disordered timestamps, which were mended.")
        self._report_damage()

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:
                # The file itself ends in the middle of a packet: give out what the decoder still holds.
                self.frames_damaged += 1
                yield from self._flush(stream)
                return
            try:
                for frame in packet.decode():
                    assert isinstance(frame, av.VideoFrame)
                    yield frame
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.frames_damaged += 1

    def _flush(self, stream: VideoStream) -> Iterator[av.VideoFrame]:
        try:
            yield from stream.codec_context.decode(None)
        except av.error.FFmpegError:
            self.frames_damaged += 1

    def _read_sequence(self, footage: Footage, skip: int) -> Generator[Frame, None, None]:
        rate = float(footage.frame_rate)
        to_skip, given = skip, 0
        converters: dict[PictureShape, PictureConverter] = {}
        for path, index in zip(footage.paths, footage.frame_numbers, strict=True):
            time_s = index / rate
            if footage.trim.is_before(index, time_s):
                continue
            if footage.trim.is_after(index, time_s):
                break
            if to_skip:
                to_skip -= 1
                continue
            read = self._read_picture(footage, path)
            if read is not None:
                frame, shape = read
                if shape not in converters:
                    converters[shape] = PictureConverter(shape.stored_size, shape.orientation)
                given += 1
                yield Frame(index, time_s, converters[shape].convert(frame))
        if not given and not skip:
            raise self._nothing(footage)
        self._report_damage()

    def _read_picture(self, footage: Footage, path: Path) -> tuple[av.VideoFrame, PictureShape] | None:
        try:
            with open_container(path, is_image=True) as container:
                stream = video_stream(container, path)
                frame, orientation = decode_first_frame(container, stream, path)
                if footage.upside_down:
                    orientation = orientation.turn_over()
                shape = picture_shape(frame, stream, orientation)
        except FacecapError:
            self.frames_damaged += 1
            self.notes.append(f"{path.name} cannot be read; its frame is missing.")
            return None
        if shape.upright_size != footage.size_px:
            raise sizes_differ(footage.paths[0], footage.size_px, path, shape.upright_size)
        return frame, shape

    def _report_cut(self, footage: Footage, decoded: int) -> None:
        if decoded < footage.announced_count - _TRUNCATION_FRAMES:
            self.notes.append(
                f"The file announces {footage.announced_count} frames, but only {decoded} can be decoded; "
                "it may have been cut off."
            )
        elif footage.missing_s > _TRUNCATION_S:
            self.notes.append(
                f"The file ends {footage.missing_s:.1f} s earlier than it announces; it may have been cut off."
            )

    def _nothing(self, footage: Footage) -> FacecapError:
        return FacecapError(
            f"No picture of {footage.paths[0].name} can be decoded in the chosen range.",
            "Choose an earlier start, or copy the footage again.",
        )

    def _report_damage(self) -> None:
        if self.frames_damaged:
            self.notes.append(f"{self.frames_damaged} damaged pieces of the footage were skipped.")


def read_frames(footage: Footage, *, skip: int = 0) -> FrameReader:
    """Read the trimmed part of footage, frame by frame, in flat memory.

    Frame times are the container's own timestamps relative to the first picture of the file (see `FrameClock` for
    how broken ones are mended). Damaged parts are skipped, a cut-off file gives what decodes; the reader's `notes`
    say so. Pictures missing from an image sequence leave a gap in `index` and `time_s`.

    Args:
        footage: from `open_footage`.  skip: leading frames of the trimmed part not to give out again.
    Returns:
        An iterator of `Frame`, which need not be exhausted.
    Raises:
        FacecapError: no frame can be decoded, or the pictures of a sequence differ in size.
    """
    return FrameReader(footage, skip)
