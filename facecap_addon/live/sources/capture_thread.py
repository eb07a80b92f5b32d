"""What every source of live pictures or packets has: a thread that captures until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..wire.wire_face import WireFace
from .latest_item import Mailbox

AS_IT_IS = "as it is"
POLL_S = 0.1


@dataclass(frozen=True)
class LivePicture:
    """A captured picture.

    Attributes:
        index: number since the start.  time_s: since the start, true time.  captured_s: of the monotonic clock.
        image: (H, W, 3) uint8 RGB.
    """

    index: int
    time_s: float
    captured_s: float
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class LivePacket:
    """A received packet with the times of `LivePicture`."""

    time_s: float
    captured_s: float
    packet: WireFace


Captured = LivePicture | LivePacket


@dataclass(frozen=True)
class SourceWishes:
    """How a source is to be opened.

    Attributes:
        camera_size: to ask a camera for, as 1280x720, or AS_IT_IS.
        camera_fps: pictures per second to ask a camera for, or None.
        local_only: whether to listen to programs on this computer only, not to the network.
        phone: address of the only one to be listened to, wherever it is, or None.
    """

    camera_size: str = AS_IT_IS
    camera_fps: float | None = None
    local_only: bool = True
    phone: str | None = None


class Capturing:
    """A thread that captures until it is told to stop.

    Args:
        room: of the mailbox, see there.
    """

    def __init__(self, room: int = 1) -> None:
        self.mailbox: Mailbox[Captured] = Mailbox(room)
        self.size_px: tuple[int, int] = (0, 0)
        self.waiting = ""
        self._stop = threading.Event()
        self._notes: list[str] = []

    @property
    def notes(self) -> list[str]:
        """What there is to say about it."""
        return list(self._notes)

    @property
    def clock_s(self) -> float | None:
        """The sender's own clock at time 0, s; None: it has none."""
        return None

    def _begin(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as error:
                self.mailbox.close(error)
            else:
                self.mailbox.close()

        self._thread = threading.Thread(target=guarded, name="facecap-live", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread and let go of the device."""
        self._stop.set()
        self._thread.join(timeout=2.0)
