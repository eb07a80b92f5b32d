"""What the camera sees, small, in a file for whoever shows it."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atomic_file import atomic_path
from ..errors import FacecapError
from ..images.resample import resize

_WIDTH_PX, _EVERY_S = 240, 0.1


class PictureFile:
    """A file that always holds the newest picture: a .npy of (h, w, 3) uint8 RGB, `240` px wide.

    Args:
        path: the file; it is replaced as a whole ten times a second.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._next_s = path, 0.0

    def show(self, image: NDArray[np.uint8], now_s: float) -> None:
        """Show a picture (H, W, 3), if the last one is not too recent; failing costs nothing but the picture."""
        if now_s < self._next_s:
            return
        self._next_s = now_s + _EVERY_S
        height = max(1, round(_WIDTH_PX * image.shape[0] / image.shape[1]))
        small = resize(image, (_WIDTH_PX, height))
        with contextlib.suppress(OSError, FacecapError), atomic_path(self._path) as temporary:
            np.save(temporary, small, allow_pickle=False)

    def close(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
