"""The orientation that a camera wrote into a picture's EXIF data."""

from __future__ import annotations

import re

# EXIF data begins with a name that depends on the picture's format, then a TIFF header in either byte order.
_HEADER = re.compile(rb"(?:Exif\0\0|eXIf|EXIF.{4})(?=II\*\0|MM\0\*)", re.DOTALL)
_SEARCHED_BYTES = 1 << 18
_ORIENTATION_TAG, _MOST_ENTRIES = 0x0112, 512


def exif_orientation(stored: bytes) -> int:
    """The number, 1 to 8, under which EXIF data keeps a picture's orientation; 0 if there is none, or it is damaged.

    Args:
        stored: a picture as it lies in its file (JPEG, PNG, WebP), or at least its beginning.
    """
    stored = stored[:_SEARCHED_BYTES]
    found = _HEADER.search(stored)
    if found is None:
        return 0
    tiff = stored[found.end() :]
    order = "little" if tiff[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    directory = number(4, 4)
    for entry in range(min(number(directory, 2), _MOST_ENTRIES)):
        at = directory + 2 + 12 * entry
        if number(at, 2) == _ORIENTATION_TAG:
            value = number(at + 8, 2)
            return value if 1 <= value <= 8 else 0
    return 0
