"""Faces that a phone or a program sends over the network."""

from __future__ import annotations

import contextlib
import os
import socket
import time

from ...errors import FacecapError
from ..wire.formats import WireFormat
from ..wire.ifacialmocap import PORT as ASK_PORT
from ..wire.ifacialmocap import FrameSplitter
from .capture_thread import POLL_S, Capturing, LivePacket, SourceWishes
from .packet_stream import PacketStream

_FAILED_READS = 30
_PACKETS_WAITING = 64
"""Packets that may wait; a face is made of one in a thousandth of a second."""
_DATAGRAM_BYTES = 65536
"""Room for any datagram: Windows calls one that does not fit an error."""
_ASK_AGAIN_S = 2.0
_ELSEWHERE = ("192.0.2.1", "192.168.254.254", "10.254.254.254", "172.31.254.254")
"""Addresses in the networks that phones are in; asking for the way there sends nothing."""


def list_own_addresses() -> list[str]:
    """This computer's addresses in the networks it is connected to, the likeliest first; nothing is sent."""
    found: list[str] = []
    for elsewhere in _ELSEWHERE:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.connect((elsewhere, 9))
            found.append(str(probe.getsockname()[0]))
    return [address for address in dict.fromkeys(found) if not address.startswith(("127.", "0."))]


class NetworkSource(Capturing):
    """Packets of one format, see `PacketStream`.

    This computer alone is listened to, unless it is told a phone, which then is the only one, or the whole network.

    Args:
        form: of the packets.  port: to listen to; 0: any free one.  wishes: whom to listen to.
    """

    def __init__(self, form: WireFormat, port: int, wishes: SourceWishes) -> None:
        super().__init__(_PACKETS_WAITING)
        self._form, self._phone = form, None if wishes.phone is None else _address_of(wishes.phone)
        local = self._phone.startswith("127.") if self._phone else wishes.local_only
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM if form.tcp else socket.SOCK_DGRAM)
        try:
            if form.tcp and os.name != "nt":  # on Windows it would let others listen, too
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # A phone is another machine; the user switched this on.
            self._socket.bind(("127.0.0.1" if local else "0.0.0.0", port))  # noqa: S104
            if form.tcp:
                self._socket.listen(1)
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise FacecapError(
                f"The network port {port} cannot be listened to ({error}).",
                "Another program may use it: choose another one here and where the face is sent from.",
            ) from error
        self._socket.settimeout(POLL_S)
        self._stream = PacketStream(form)
        self._asked_s = -_ASK_AGAIN_S
        self._asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM) if form.request and self._phone else None
        self.waiting = self._describe_target(local=local)
        if self._phone:
            self._notes.append(f"Only {self._phone} was listened to.")
        else:
            self._notes.append(
                "Only programs on this computer were listened to."
                if local
                else f"Every network of this computer was listened to, at port {self.port}."
            )
        self._begin(self._accept if form.tcp else self._listen)

    @property
    def foreign(self) -> int:
        """Datagrams that were no packets."""
        return self._stream.foreign

    @property
    def notes(self) -> list[str]:
        return [*self._notes, *self._stream.notes]

    @property
    def clock_s(self) -> float | None:
        return self._stream.clock_s

    @property
    def port(self) -> int:
        """The port that is listened to."""
        return int(self._socket.getsockname()[1])

    @property
    def address(self) -> str:
        """This computer's address that is listened to; 0.0.0.0: all of them."""
        return str(self._socket.getsockname()[0])

    def close(self) -> None:
        super().close()
        if self._asking is not None and self._phone:
            with contextlib.suppress(OSError):
                if self._form.stop:
                    self._asking.sendto(self._form.stop, (self._phone, ASK_PORT))
            self._asking.close()

    def _listen(self) -> None:
        failed = 0
        with self._socket:
            while not self._stop.is_set():
                self._ask()
                try:
                    data, address = self._socket.recvfrom(_DATAGRAM_BYTES)
                except (TimeoutError, ConnectionResetError):  # the latter on Windows: one we sent to is gone
                    continue
                except OSError as error:  # the network was away for a moment, or a datagram could not be had whole
                    failed += 1
                    if failed >= _FAILED_READS:
                        raise FacecapError(
                            f"The network port {self.port} can no longer be listened to ({error}).",
                            "Check the network and start again.",
                        ) from error
                    self._stream.leave_out()
                    self._stop.wait(0.02)
                    continue
                failed = 0
                self._take_in(data, str(address[0]))

    def _accept(self) -> None:
        """Listen to one connection after the other; one that is silent for long makes room for another."""
        with self._socket:
            while not self._stop.is_set():
                self._ask()
                try:
                    connection, address = self._socket.accept()
                except OSError:  # nobody yet
                    continue
                with connection:
                    if self._phone and address[0] != self._phone:
                        self._stream.leave_out()
                    else:
                        self._read(connection, str(address[0]))

    def _read(self, connection: socket.socket, host: str) -> None:
        splitter, heard_s = FrameSplitter(), time.monotonic()
        connection.settimeout(POLL_S)
        while not self._stop.is_set() and time.monotonic() - heard_s < _ASK_AGAIN_S:
            try:
                data = connection.recv(_DATAGRAM_BYTES)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            heard_s, dropped = time.monotonic(), splitter.dropped
            for frame in splitter.feed(data):
                self._take_in(frame, host)
            if splitter.dropped > dropped:
                self._stream.leave_out()

    def _take_in(self, data: bytes, host: str) -> None:
        if self._phone and host != self._phone:
            self._stream.leave_out()
            return
        now = time.monotonic()
        heard = self._stream.take_in(data, host, now)
        if heard is not None:
            self._asked_s = now  # it sends: nothing to ask for
            self.mailbox.put(LivePacket(heard[0], now, heard[1]))

    def _ask(self) -> None:
        """Ask the phone to send, where its format has it so and nothing came lately."""
        now = time.monotonic()
        if self._asking is None or not self._phone or now - self._asked_s < _ASK_AGAIN_S:
            return
        self._asked_s = now
        with contextlib.suppress(OSError):
            self._asking.sendto(self._form.request, (self._phone, ASK_PORT))

    def _describe_target(self, *, local: bool) -> str:
        """What to type on the phone, or in the program that sends."""
        label, port = self._form.label, self.port
        if self._asking is not None:
            return f"Asking {self._phone} for its face: in {label}, leave the app open."
        if local:
            return f"Waiting for a program on this computer to send to 127.0.0.1, port {port}; phones are not heard."
        addresses = list_own_addresses()
        if not addresses:
            return "This computer has no network address: connect it to the network that the phone is in."
        where = " or ".join(addresses)
        return (
            f"Waiting for the phone: in {label}, add the target {where}, port {port}. "
            "Every network of this computer is listened to."
        )


def _address_of(phone: str) -> str:
    """A phone's address as numbers. Raises FacecapError."""
    try:
        found = socket.getaddrinfo(phone.strip(), None, socket.AF_INET, socket.SOCK_DGRAM)
    except (OSError, UnicodeError) as error:
        raise FacecapError(
            f"The phone {phone} is not known here ({error}).", "Type the address that the app shows, as 192.168.1.7."
        ) from error
    return str(found[0][4][0])
