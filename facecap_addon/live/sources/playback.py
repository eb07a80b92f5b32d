"""When each frame of a video is due, so that it plays at its own rate and no picture is ever late."""

from __future__ import annotations

_TOLERANCE_S = 0.05
_CATCH_UP_S = 0.25


class Playback:
    """The clock of a video that plays.

    A frame that comes late from the decoder is left out, as after a short delay of the machine. Where leaving out does
    not help within a moment, because decoding is slower than the video, the video is held back instead: it plays more
    slowly, and what is shown is still of now.

    Attributes:
        held_s: how long it was held back so far.
    """

    def __init__(self) -> None:
        self.held_s = 0.0
        self._began_s: float | None = None
        self._behind_since_s: float | None = None

    def due_s(self, time_s: float, now_s: float) -> float | None:
        """When a frame is to be shown, by the clock of `now_s`; None: it is too late and to be left out.

        Args:
            time_s: of the frame in the video.  now_s: when it was decoded.
        """
        if self._began_s is None:
            self._began_s = now_s - time_s
        due_s = self._began_s + time_s
        late_s = now_s - due_s
        if late_s <= _TOLERANCE_S:
            self._behind_since_s = None
            return due_s
        if self._behind_since_s is None:
            self._behind_since_s = now_s
        # Once it had to be held back, leaving frames out is known not to help.
        if not self.held_s and now_s - self._behind_since_s < _CATCH_UP_S:
            return None
        self._began_s += late_s
        self.held_s += late_s
        return now_s
