"""Which of the packets that arrive count, and their times on this machine's clock."""

from __future__ import annotations

from ...errors import FacecapError
from ..wire.formats import WireFormat
from ..wire.wire_face import Decoder, WireFace

_SILENT_S, _DAY_S = 2.0, 86400.0
_LEAST_STEP_S = 1e-3
_MOST_SENDERS = 16


class PacketStream:
    """One sender's packets. The first is listened to; others only when it has been silent for a while.

    Args:
        form: that they are in.

    Attributes:
        foreign: datagrams that were no packets, or came from where nothing is taken from.
    """

    def __init__(self, form: WireFormat) -> None:
        self.foreign = 0
        self._form, self._notes = form, list[str]()
        self._decoders: dict[str, Decoder] = {}
        self._sender: tuple[str, str, str] | None = None
        self._start_s = self._heard_s = self._ahead_s = 0.0
        self._last_s = -1.0
        self._keeps_time = False

    @property
    def notes(self) -> list[str]:
        """What there is to say."""
        left_out = f"{self.foreign} packets that are not {self._form.label}'s were left out."
        return [*self._notes, left_out] if self.foreign else list(self._notes)

    @property
    def clock_s(self) -> float | None:
        """The sender's time of the day at time 0, s; None where it sends none."""
        return self._ahead_s % _DAY_S if self._keeps_time and self._form.timecode else None

    def take_in(self, data: bytes, host: str, now_s: float) -> tuple[float, WireFace] | None:
        """A datagram's time since the first packet, and the face that it completes; None where it does not count.

        Args:
            data: the datagram.  host: it came from.  now_s: of the monotonic clock.
        """
        try:
            face = self._decoder_of(host)(data)
        except FacecapError:
            self.leave_out()
            return None
        if face is None:
            return None
        this = (host, face.device, face.subject)
        if this != self._sender:
            if self._sender is not None and now_s - self._heard_s < _SILENT_S:
                self._note(f"“{face.subject or host}” sends, too; “{self._name}” was first and is listened to.")
                return None
            self._start_s = now_s if self._sender is None else self._start_s
            self._sender, self._keeps_time = this, face.time_s is not None
            self._ahead_s = (face.time_s or 0.0) - (now_s - self._start_s)
        self._heard_s = now_s
        time_s = self._time_of(face.time_s, now_s - self._start_s)
        if time_s <= self._last_s:
            return None
        self._last_s = time_s
        return time_s, face

    def leave_out(self) -> None:
        """Count a datagram that is no packet."""
        self.foreign += 1

    @property
    def _name(self) -> str:
        host, _, subject = self._sender or ("", "", "")
        return subject or host

    def _time_of(self, clock_s: float | None, ours_s: float) -> float:
        """The sender's clock, as long as it runs with ours; packets that overtook each other come before the last."""
        if clock_s is None:
            return max(ours_s, self._last_s + _LEAST_STEP_S)
        time_s = (clock_s - self._ahead_s) % _DAY_S
        if abs(time_s - ours_s) >= _SILENT_S:
            time_s = max(ours_s, self._last_s + _LEAST_STEP_S)
            self._ahead_s = clock_s - time_s
        return time_s

    def _decoder_of(self, host: str) -> Decoder:
        if host not in self._decoders:
            if len(self._decoders) >= _MOST_SENDERS:
                self._decoders.pop(next(iter(self._decoders)))
            self._decoders[host] = self._form.make_decoder()
        return self._decoders[host]

    def _note(self, text: str) -> None:
        if text not in self._notes:
            self._notes.append(text)
