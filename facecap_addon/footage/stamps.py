"""When the pictures of a video are shown, read from its packets and index without decoding any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from .clock import RESTART_S, FrameClock
from .container import open_container, video_stream

# Up to this size a file is read through; of a larger one the index tells nearly as much.
_READ_THROUGH_BYTES = 1 << 30
_DISCARDED = 2  # flag of an index entry that an edit list hides
# Rates that cameras have.
_WHOLE_RATES = tuple(Fraction(rate) for rate in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240))
_USUAL_RATES = (*_WHOLE_RATES, *(rate * Fraction(1000, 1001) for rate in _WHOLE_RATES))
# How near (as a part of it) a usual rate must be to be taken: for announced rates and even steps, and for uneven ones,
# which cannot tell 29.97 from 30.
_EXACTLY, _ABOUT = 2e-4, 0.015
# Steps this near to each other are even: a part of the step, or the grain of stamps in whole milliseconds.
_EVEN_PART, _STAMP_S = 0.02, 0.0015
# How far off (as a factor) the announced rate may be where steps are even, and where they are not.
_EVEN_RATE, _UNEVEN_RATE = 0.005, 1.9


@dataclass(frozen=True)
class Stamps:
    """What the stamps of a video say.

    Attributes:
        times_s: (N,) float64, seconds from the first picture, in order; empty if they do not tell.
        count: pictures that are there to be shown.
        announced: pictures that the file's index promises; more than `count` where the file was cut off.
        missing_s: how much earlier the file ends than it announces, seconds; 0 where it announces nothing.
        hidden: pictures that an edit list hides.
    """

    times_s: NDArray[np.float64]
    count: int
    announced: int
    missing_s: float = 0.0
    hidden: int = 0

    def corrected_rate(self, announced: Fraction) -> Fraction:
        """The announced frame rate, or that of the stamps where they contradict it.

        Stamps of even steps are believed always; others only if the announced rate is far off, as where a recorder
        that announces nothing seems to have the rate of its clock, 1000 frames per second.
        """
        steps = np.diff(self.times_s)
        if not len(steps):
            return announced
        middle = float(np.median(steps))
        uneven = np.abs(steps - middle)
        # Pauses and dropped frames say nothing of the rate.
        rate = 1.0 / float(steps[uneven <= middle / 2].mean())
        is_even = float(uneven.max()) < max(_EVEN_PART * middle, _STAMP_S)
        off = max(float(announced) / rate, rate / float(announced))
        if off < (1 + _EVEN_RATE if is_even else _UNEVEN_RATE):
            return _snap_to_usual(announced, _USUAL_RATES, _EXACTLY)
        return _snap_to_usual(Fraction(rate).limit_denominator(1001), _WHOLE_RATES, _EVEN_RATE if is_even else _ABOUT)


def _snap_to_usual(rate: Fraction, among: tuple[Fraction, ...], within: float) -> Fraction:
    """The nearest of some rates if it is near enough, else the rate itself."""
    nearest = min(among, key=lambda usual: abs(rate / usual - 1))
    return nearest if abs(rate / nearest - 1) < within else rate


def read_stamps(path: Path, first_timestamp_s: float, rate: Fraction) -> Stamps:
    """Read the stamps of a video.

    Args:
        path: the video.  first_timestamp_s: the container's time of its first picture.
        rate: frames per second, for pictures without a stamp.
    Raises:
        FacecapError: it cannot be opened.
    """
    with open_container(path) as container:
        stream = video_stream(container, path)
        indexed = [entry for entry in stream.index_entries if entry.size > 0]
        shown = [entry for entry in indexed if not entry.flags & _DISCARDED]
        if indexed and path.stat().st_size > _READ_THROUGH_BYTES:
            # Decoding times, not showing times: they differ in order only.
            ticks = np.sort(np.array([entry.timestamp for entry in shown], np.float64))
            stamps = Stamps((ticks - ticks[0]) * float(stream.time_base or 0), len(shown), len(shown))
        else:
            stamps = _read_through(container, stream, first_timestamp_s, float(rate), len(shown))
        return replace(stamps, hidden=len(indexed) - len(shown))


def _read_through(
    container: InputContainer, stream: VideoStream, first_timestamp_s: float, rate: float, indexed: int
) -> Stamps:
    tick_s = float(stream.time_base or 0)
    ticks: list[int] = []
    unstamped, restarts, latest, end_s = 0, False, -np.inf, -np.inf
    packets = container.demux()
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            break
        if packet.pts is not None:
            end_s = max(end_s, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream_index != stream.index or not packet.size or packet.is_discard:
            continue
        if packet.pts is None:
            unstamped += 1
            continue
        if packet.dts is not None:  # decoding times never go back by themselves
            restarts |= packet.dts < latest - RESTART_S / max(tick_s, 1e-9)
            latest = max(latest, packet.dts)
        ticks.append(packet.pts)
    missing_s = 0.0
    if container.duration and np.isfinite(end_s):
        missing_s = max(0.0, container.duration / 1e6 + (container.start_time or 0) / 1e6 - end_s)
    stamped = np.array(ticks, np.int64)
    if unstamped or restarts or not len(stamped):
        count = unstamped + len(stamped)
        return Stamps(np.empty(0), count, max(count, indexed), missing_s)
    stamped = np.sort(stamped)
    # What comes before the first picture belongs to a key frame that is not there.
    stamped = stamped[stamped >= round(first_timestamp_s / tick_s)]
    clock = FrameClock(first_timestamp_s, 1.0 / rate)
    times_s = np.array([clock.time_of(tick * tick_s) for tick in stamped], np.float64)
    return Stamps(times_s, len(times_s), max(len(times_s), indexed), missing_s)
