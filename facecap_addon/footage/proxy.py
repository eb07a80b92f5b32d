"""Whether Blender shows footage as it is read here, and the pictures of a proxy that it does show so.

Blender plays a clip picture by picture at a rate that it guesses; it knows nothing of pixels that are not square, takes
the first video stream there is, and finds pictures again only where a file has an index. In all other cases it is given
a proxy: upright, with square pixels and even steps at the scene's own rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..images.resample import resize
from .container import open_container, video_stream
from .footage import Footage
from .orientation import Orientation
from .read import Frame
from .stamps import read_stamps

# Formats in which Blender finds every picture again, in whatever order they are asked for.
_INDEXED_FORMATS = frozenset({"mov", "mp4", "matroska", "webm"})
# A picture that is off by less than half a step is the right one.
_HALF_STEP = 0.5
_ON_STEP = 1e-3
_MAX_SIDE_PX = 1280


def explain_proxy(footage: Footage, rate: Fraction) -> str:
    """Why Blender would show this footage wrongly in a scene; "" where it shows it rightly.

    Args:
        footage: from `open_footage`.  rate: the scene's frames per second.
    Returns:
        A reason that goes on from "because".
    Raises:
        FacecapError: it cannot be opened.
    """
    if footage.kind == "sequence":
        return "it is an image sequence"
    if footage.sides_exchanged:
        return "it was filmed as in a mirror"
    if footage.orientation != Orientation():
        return "it has to be turned to be upright"
    if footage.stored_size_px != footage.coded_size_px:
        return "its pixels are not square"
    path = footage.paths[0]
    with open_container(path) as container:
        stream = video_stream(container, path)
        if _INDEXED_FORMATS.isdisjoint(container.format.name.split(",")):
            return "Blender shows wrong pictures of files of its kind after a jump in time"
        if stream.index != min(other.index for other in container.streams.video):
            return "Blender shows another of its video streams"
        if not container.duration:
            return "it does not say how long it is"
        guessed = stream.guessed_rate
    stamps = read_stamps(path, footage.first_timestamp_s, footage.frame_rate)
    if stamps.hidden:
        return "an edit list hides some of its pictures"
    if not len(stamps.times_s) or abs(footage.first_timestamp_s) * rate > _HALF_STEP or not guessed:
        return "its timestamps are unusual"
    places = np.arange(len(stamps.times_s))
    if np.abs(stamps.times_s * float(guessed) - places).max() > _HALF_STEP:
        return "its frame rate varies"
    if np.abs(stamps.times_s * float(rate) - places).max() > _HALF_STEP:
        return "the scene has another frame rate"
    return ""


def make_proxy_pictures(
    footage: Footage, frames: Iterable[Frame], rate: Fraction
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Pictures at even times: at each, the picture that is seen then, to the nearest half step.

    Args:
        footage: gives the size.  frames: all of its frames.  rate: steps per second.
    Yields:
        (seconds from the first picture, (H, W, 3) uint8 RGB), sides even and at most 1280 px.
    """
    width, height = footage.size_px
    scale = min(1.0, _MAX_SIDE_PX / max(width, height))
    size = (max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2)))
    for step, image in _hold_frames(frames, float(rate)):
        if image.shape[1::-1] != size:
            image = resize(image, size)
        yield step / float(rate), image


def _hold_frames(frames: Iterable[Frame], rate: float) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    step, shown, last_s = 0, None, 0.0
    for frame in frames:
        last_s = frame.time_s
        begins = math.ceil(frame.time_s * rate - _HALF_STEP - 1e-6)
        while shown is not None and step < begins:
            yield step, shown
            step += 1
        shown = frame.image
    # The last picture stays until the step after it, where a scene's range may end.
    for last in range(step, max(step, math.ceil(last_s * rate - _ON_STEP)) + 1):
        if shown is not None:
            yield last, shown
