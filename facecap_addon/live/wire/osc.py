"""Open Sound Control 1.0: messages and bundles of messages as bytes.

Everything is padded to four bytes and big-endian: an address, a text of type tags that begins with a comma, the values.
A bundle is `#bundle`, eight bytes of time (1: now), then each message, or bundle, after its length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

OscValue = float | int | str | bytes | bool | None
MOST_BYTES = 65536
_BUNDLE, _NOW = b"#bundle\0", 1
_DEEPEST, _MOST_MESSAGES = 4, 2048
_NUMBERS = {"i": ("!i", 4), "f": ("!f", 4), "h": ("!q", 8), "d": ("!d", 8), "t": ("!Q", 8)}
_WORDS: dict[str, OscValue] = {"T": True, "F": False, "N": None, "I": float("inf")}


@dataclass(frozen=True)
class OscMessage:
    """An address and its values."""

    address: str
    values: tuple[OscValue, ...] = ()


def write_message(message: OscMessage) -> bytes:
    """A message as bytes; whole numbers as int32, others as float32."""
    tags, data = ",", b""
    for value in message.values:
        if isinstance(value, str):
            tags, data = tags + "s", data + _padded(value.encode("utf-8"))
        elif isinstance(value, int):
            tags, data = tags + "i", data + struct.pack("!i", value)
        elif isinstance(value, float):
            tags, data = tags + "f", data + struct.pack("!f", value)
        else:
            raise TypeError(f"{value!r} cannot be sent")
    return _padded(message.address.encode("ascii")) + _padded(tags.encode("ascii")) + data


def write_bundle(messages: Iterable[bytes]) -> bytes:
    """Messages, as bytes, that are to be heeded at once."""
    return _BUNDLE + struct.pack("!Q", _NOW) + b"".join(struct.pack("!i", len(one)) + one for one in messages)


def read_messages(data: bytes) -> list[OscMessage]:
    """The messages of a datagram, in order, whatever bundles they lie in. Raises ValueError for anything else."""
    found: list[OscMessage] = []
    try:
        if len(data) > MOST_BYTES:
            raise ValueError("too long")
        _read_packet(data, found, 0)
    except (struct.error, IndexError) as error:
        raise ValueError("cut off") from error
    return found


def _read_packet(data: bytes, found: list[OscMessage], depth: int) -> None:
    if not data.startswith(_BUNDLE):
        found.append(_read_message(data))
        if len(found) > _MOST_MESSAGES:
            raise ValueError("too many messages")
        return
    if depth >= _DEEPEST or len(data) < 16:
        raise ValueError("no bundle")
    at = 16
    while at < len(data):
        (length,) = struct.unpack_from("!i", data, at)
        if length <= 0 or length % 4 or at + 4 + length > len(data):
            raise ValueError("wrong length of a message")
        _read_packet(data[at + 4 : at + 4 + length], found, depth + 1)
        at += 4 + length


def _read_message(data: bytes) -> OscMessage:
    address, at = _read_text(data, 0)
    if not address.startswith("/"):
        raise ValueError("no address")
    if at == len(data):  # old senders leave the types out where there are no values
        return OscMessage(address)
    tags, at = _read_text(data, at)
    if not tags.startswith(","):
        raise ValueError("no types")
    values: list[OscValue] = []
    for tag in tags[1:]:
        if tag in _NUMBERS:
            form, size = _NUMBERS[tag]
            values += struct.unpack_from(form, data, at)
            at += size
        elif tag in "sS":
            text, at = _read_text(data, at)
            values.append(text)
        elif tag == "b":
            (length,) = struct.unpack_from("!i", data, at)
            if not 0 <= length <= len(data) - at - 4:
                raise ValueError("wrong length of data")
            values.append(data[at + 4 : at + 4 + length])
            at += 4 + length + -length % 4
        elif tag in "crm":
            values.append(data[at : at + 4])
            at += 4
        elif tag in _WORDS:
            values.append(_WORDS[tag])
        elif tag not in "[]":
            raise ValueError("unknown type")
    if at != len(data):
        raise ValueError("wrong length")
    return OscMessage(address, tuple(values))


def _padded(data: bytes) -> bytes:
    """A text, ended by at least one zero, to a multiple of four bytes."""
    return data + b"\0" * (4 - len(data) % 4)


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)  # ValueError where there is none
    after = end + 4 - (end - at) % 4
    if after > len(data) or data[end:after].strip(b"\0"):
        raise ValueError("text not padded")
    return data[at:end].decode("utf-8"), after
