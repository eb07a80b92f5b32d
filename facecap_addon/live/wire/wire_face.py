"""A face as it comes from a network or goes into one, whatever the format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...arrays import F32, F64


@dataclass(frozen=True, eq=False)
class WireFace:
    """One frame of a sender.

    Attributes:
        channels: C names, as the sender calls them.
        weights: (C,) float32; None where the sender sees no face.
        head_wxyz: (4,) camera from head, see `Take`; None: not sent.
        head_m: (3,) m, camera space; None: not sent.
        gaze_rad: (2, 2), see `Take`; None: not sent.
        time_s: of the sender's clock, seconds since its midnight or since it started; None: it sends none.
        device, subject: what the sender calls itself and its face, or "".
    """

    channels: tuple[str, ...]
    weights: F32 | None
    head_wxyz: F64 | None = None
    head_m: F64 | None = None
    gaze_rad: F64 | None = None
    time_s: float | None = None
    device: str = ""
    subject: str = ""


Decoder = Callable[[bytes], WireFace | None]
"""Takes datagrams of one sender; None where a frame is not complete yet. Raises FacecapError for what is foreign."""
Encoder = Callable[[WireFace], list[bytes]]
"""The datagrams of a face, whose channels are ARKit's."""
