"""What all tests share: where things are, and clips made once per run."""

from __future__ import annotations

import os
from pathlib import Path

# As the command line and the worker do; before numpy is imported anywhere.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
if int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
    # Test processes share the cores among them; threads of each on all of them would only wait for one another.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests.once import made_once, shared_folder

_MOST_PROCESSES = 8
"""Each may hold a Blender and a torch: about a gigabyte."""

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / "facecap_addon" / "landmarks" / "models"


@pytest.hookimpl(optionalhook=True)  # where pytest-xdist is not installed, nobody asks
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: a process per core that this one may use, as far as memory allows."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST_PROCESSES)


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

    folder = shared_folder(tmp_path_factory) / "face"
    return made_once(folder, lambda folder: write_face_video(folder / "face.mp4", frames=40)) / "face.mp4"


@pytest.fixture(scope="session")
def carphone() -> Path:
    """The Carphone talker, where it was fetched (python -m tools.fetch_clip)."""
    clip = ROOT / ".cache" / "clips" / "carphone.mp4"
    if not clip.is_file():
        pytest.skip("the Carphone clip was not fetched (python -m tools.fetch_clip)")
    return clip
