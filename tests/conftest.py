"""What all tests share: where things are, and clips made once per run."""

from __future__ import annotations

import os
from pathlib import Path

# As the command line and the worker do; before numpy is imported anywhere.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "facecap_addon" / "landmarks" / "models"


@pytest.fixture(scope="session")
def models() -> Path:
    """The folder of built landmark networks; tests that need them are skipped where they are not built."""
    if not list(MODELS.glob("*.onnx")):
        pytest.skip("the landmark networks are not built (python -m tools.build_models)")
    return MODELS


@pytest.fixture(scope="session")
def face_clip(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second and a half of a face drifting through the picture, 25 fps."""
    from tests.blender.face_video import write_face_video

    return write_face_video(tmp_path_factory.mktemp("clips") / "face.mp4", frames=40)


@pytest.fixture(scope="session")
def carphone() -> Path:
    """The Carphone talker, where it was fetched (python -m tools.fetch_clip)."""
    clip = ROOT / ".cache" / "clips" / "carphone.mp4"
    if not clip.is_file():
        pytest.skip("the Carphone clip was not fetched (python -m tools.fetch_clip)")
    return clip
