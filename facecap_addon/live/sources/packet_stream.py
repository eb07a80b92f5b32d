"""Which of the packets that arrive count, and their times on this machine's clock."""

from __future__ import annotations

from ...errors import FacecapError
from ..wire.live_link import FacePacket, decode_packet

_SILENT_S, _DAY_S = 2.0, 86400.0
_LEAST_STEP_S = 1e-3


class PacketStream:
    """One sender's packets. The first is listened to; others only when it has been silent for a while.

    Attributes:
        foreign: datagrams that were no packets.  notes: what there is to say.
    """

    def __init__(self) -> None:
        self.foreign = 0
        self.notes: list[str] = []
        self._sender: tuple[str, str, str] | None = None
        self._start_s = self._heard_s = self._ahead_s = 0.0
        self._last_s = -1.0

    def take_in(self, data: bytes, host: str, now_s: float) -> tuple[float, FacePacket] | None:
        """A datagram's time since the first packet, and the packet; None where it does not count.

        Args:
            data: the datagram.  host: it came from.  now_s: of the monotonic clock.
        """
        try:
            packet = decode_packet(data)
        except FacecapError:
            self.leave_out()
            return None
        this = (host, packet.device, packet.subject)
        if this != self._sender:
            if self._sender is not None and now_s - self._heard_s < _SILENT_S:
                self._note(f"“{packet.subject}” sends, too; “{self._sender[2]}” was first and is listened to.")
                return None
            self._start_s = now_s if self._sender is None else self._start_s
            self._sender, self._ahead_s = this, packet.time_s - (now_s - self._start_s)
        self._heard_s = now_s
        # The sender's clock, as long as it runs with ours; packets that overtook each other are left out.
        ours_s = now_s - self._start_s
        time_s = (packet.time_s - self._ahead_s) % _DAY_S
        if abs(time_s - ours_s) >= _SILENT_S:
            time_s = max(ours_s, self._last_s + _LEAST_STEP_S)
            self._ahead_s = packet.time_s - time_s
        if time_s <= self._last_s:
            return None
        self._last_s = time_s
        return time_s, packet

    def leave_out(self) -> None:
        """Count a datagram that is no packet."""
        self.foreign += 1
        self._note("Packets that are not Live Link Face's were left out.")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)
