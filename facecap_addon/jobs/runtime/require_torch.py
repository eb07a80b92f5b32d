"""What deep energies and training need besides the rest, and how to get it."""

from __future__ import annotations

import importlib.util

from ...errors import FacecapError

PACKAGES = (("torch", "torch==2.13.0"), ("numba", "numba"), ("cv2", "opencv-python-headless"))


def check_torch() -> None:
    """Raises FacecapError, with how to get it, where what deep energies need is not installed."""
    missing = [name for module, name in PACKAGES if importlib.util.find_spec(module) is None]
    if missing:
        raise FacecapError(
            f"Refining and training need {' and '.join(missing)}, which this Python does not have.",
            f"pip install {' '.join(missing)}, or name an environment that has them in the add-on's preferences; "
            "a fast solve (--method landmarks) needs none of them.",
        )
