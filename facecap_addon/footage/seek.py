"""Where to enter a video so that a trim far inside it need not be reached by decoding all that comes before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .clock import RESTART_S
from .container import open_container, video_stream
from .footage import Footage
from .position import TIME_TOLERANCE_S

# Below this many frames decoding from the beginning is as quick as seeking.
WORTH_SEEKING_FRAMES = 48
# Formats whose index leads exactly to a key frame; program streams, for one, land somewhere near it.
_INDEXED_FORMATS = frozenset({"mov", "mp4", "matroska", "webm"})
# Pictures are stored out of order by at most this many (H.264 and H.265 allow 16).
_REORDER_FRAMES = 32


@dataclass(frozen=True)
class Entry:
    """A key frame to enter at.

    Attributes:
        timestamp: its presentation timestamp in the stream's time base.
        index: its frame number in the file.
        skip: frames of the trimmed part that the caller still has to leave out.
    """

    timestamp: int
    index: int
    skip: int


def find_entry(footage: Footage, skip: int) -> Entry | None:
    """Find the key frame before the first frame wanted, by reading packet headers without decoding.

    Frame numbers stay exact because every picture before the entry is counted by its timestamp.

    Args:
        footage: a video with its trim.  skip: leading frames of the trimmed part that are not wanted.
    Returns:
        The entry; None if reading from the beginning is better, or timestamps are too broken to count by.
    """
    start = footage.trim.start
    rate = float(footage.frame_rate)
    start_s = start.value if start is not None and start.unit == "seconds" else 0.0
    start_frame = int(start.value) if start is not None and start.unit == "frames" else 0
    if max(start_s * rate, start_frame) + skip < WORTH_SEEKING_FRAMES:
        return None
    with open_container(footage.paths[0]) as container:
        stream = video_stream(container, footage.paths[0])
        time_base = stream.time_base
        if time_base is None or _INDEXED_FORMATS.isdisjoint(container.format.name.split(",")):
            return None
        tick_s = float(time_base)
        start_pts = (footage.first_timestamp_s + start_s - TIME_TOLERANCE_S) / tick_s
        timestamps: list[int] = []
        keyframes: list[int] = []
        latest, wanted_seen = -np.inf, 0
        enough = start_frame + skip + _REORDER_FRAMES
        for packet in container.demux(stream):
            if not packet.size or packet.is_discard:
                continue
            # Decoding times never go back by themselves; showing times do, across a pause.
            if packet.pts is None or (packet.dts is not None and packet.dts < latest - RESTART_S / tick_s):
                return None
            latest = latest if packet.dts is None else max(latest, packet.dts)
            timestamps.append(packet.pts)
            if packet.is_keyframe:
                keyframes.append(packet.pts)
            wanted_seen += packet.pts >= start_pts
            if wanted_seen > enough:
                break
    ordered = np.unique(np.array(timestamps, np.int64))
    ordered = ordered[ordered >= round(footage.first_timestamp_s / tick_s)]
    first_of_trim = max(start_frame, int(np.searchsorted(ordered, start_pts)) if start_s else 0)
    if len(ordered) != len(timestamps) or first_of_trim + skip >= len(ordered):
        return None
    target = ordered[first_of_trim + skip]
    entry = max((stamp for stamp in keyframes if stamp <= target), default=None)
    if entry is None:
        return None
    index = int(np.searchsorted(ordered, entry))
    return Entry(int(entry), index, max(0, skip - max(0, index - first_of_trim)))
