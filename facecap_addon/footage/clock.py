"""Frame times from a container's timestamps, repaired where the container is wrong."""

from __future__ import annotations

RESTART_S = 1.0


class FrameClock:
    """Turns timestamps into strictly increasing times, one frame after the other.

    Timestamps are believed, so variable frame rate stays as it was recorded. Three faults are mended:
    a frame without a timestamp comes one nominal frame after the one before; a timestamp that does not come after
    the frame before (by less than a second) is placed half a nominal frame after it, so that the next good
    timestamp still fits; a timestamp that jumps back by a second or more means that the recorder's clock was
    restarted, so this frame follows one nominal frame after the one before, and all later ones move with it.
    """

    def __init__(self, origin_s: float, frame_duration_s: float) -> None:
        self._origin_s = origin_s
        self._frame_duration_s = frame_duration_s
        self._previous_s: float | None = None
        self.repaired = 0

    def time_of(self, timestamp_s: float | None) -> float:
        """Seconds from the first picture for a frame stamped `timestamp_s` (container time; None: no stamp)."""
        previous = self._previous_s
        if timestamp_s is None:
            time_s = 0.0 if previous is None else previous + self._frame_duration_s
            self.repaired += 1
        else:
            time_s = timestamp_s - self._origin_s
            if previous is not None and time_s <= previous:
                self.repaired += 1
                if previous - time_s < RESTART_S:
                    time_s = previous + self._frame_duration_s / 2
                else:
                    self._origin_s -= previous + self._frame_duration_s - time_s
                    time_s = previous + self._frame_duration_s
        self._previous_s = time_s
        return time_s
