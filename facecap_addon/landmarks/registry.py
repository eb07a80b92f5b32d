"""Opens a landmark backend by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import FacecapError
from .backends.heatmap import HeatmapLandmarker
from .backends.mediapipe import MediaPipeLandmarker
from .backends.model_files import MODELS_FOLDER
from .protocol import Landmarker

DEFAULT_LANDMARKER = "mediapipe-478"


def _open_mediapipe(threads: int, model_path: Path | None) -> Landmarker:
    return MediaPipeLandmarker(threads=threads, folder=model_path or MODELS_FOLDER)


def _open_heatmap(threads: int, model_path: Path | None) -> Landmarker:
    if model_path is None:
        raise FacecapError(
            "The heatmap landmarker needs a network file.",
            "Name an ONNX or TorchScript file whose output is 68 heatmaps of 64 by 64.",
        )
    return HeatmapLandmarker(model_path, threads=threads)


# Names a user can choose, in the order they are offered.
LANDMARKERS: dict[str, Callable[[int, Path | None], Landmarker]] = {
    DEFAULT_LANDMARKER: _open_mediapipe,
    "heatmap-68": _open_heatmap,
}


def open_landmarker(name: str = DEFAULT_LANDMARKER, *, threads: int = 1, model_path: Path | None = None) -> Landmarker:
    """Open a landmark backend.

    Args:
        name: "mediapipe-478" (the default), or "heatmap-68" for any 68-point heatmap network.
        threads: threads onnxruntime may use per call; a second one does not help with one face at a time.
        model_path: the folder of built networks for "mediapipe-478" (default: the add-on's own); the network's file for
            "heatmap-68" (required).
    Raises FacecapError if the name is unknown or a network is missing or damaged.
    """
    opener = LANDMARKERS.get(name)
    if opener is None:
        raise FacecapError(f"There is no landmark network called {name}.", f"Choose one of: {', '.join(LANDMARKERS)}.")
    return opener(threads, model_path)
