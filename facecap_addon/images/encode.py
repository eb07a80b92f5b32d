"""Pictures to and from the bytes of image files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

JPEG_QUALITY = 88
_PNG = ".png"


def encode_jpeg(rgb: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> bytes:
    """A JPEG file of an (H, W, 3) uint8 picture."""
    return _encoded(rgb, "JPEG", quality=quality)


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """A PNG file of an (H, W), (H, W, 3) or (H, W, 4) uint8 picture."""
    return _encoded(image, "PNG")


def write_image(path: Path, rgb: NDArray[np.uint8]) -> None:
    """Write an (H, W, 3) uint8 picture, as PNG or JPEG after the file's ending. Raises OSError."""
    path.write_bytes(encode_png(rgb) if path.suffix.lower() == _PNG else encode_jpeg(rgb))


def read_image(path: Path) -> NDArray[np.uint8] | None:
    """(H, W, 3) uint8 RGB of an image file, upright as its EXIF says; None if it is no picture that can be read."""
    try:
        with Image.open(path) as opened:
            return np.array(ImageOps.exif_transpose(opened).convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _encoded(image: NDArray[np.uint8], kind: str, **how: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind, **how)
    return stream.getvalue()
