"""Make the README's picture: the demo clip, enlarged, solved, and a few frames of its preview side by side.

python -m tools.result_picture
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import av
import cv2
import numpy as np

from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.footage.write import write_video
from facecap_addon.jobs.cli.main import main as facecap

from .fetch_clip import ROOT, fetch_clip

PICTURE = ROOT / "docs" / "images" / "result.jpg"
SCALE = 3
SHOWN = (8, 40, 62, 90)


def enlarge(source: Path, target: Path) -> None:
    """The clip at several times its size; its own 176×144 px make a tiny preview."""
    footage = open_footage(source)
    size = tuple(side * SCALE // 2 * 2 for side in footage.size_px)
    large = (
        (frame.time_s, cv2.resize(frame.image, size, interpolation=cv2.INTER_LANCZOS4))
        for frame in read_frames(footage)
    )
    for _ in write_video(target, large, quality=16):
        pass


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        clip = Path(name) / "talker.mp4"
        enlarge(fetch_clip(), clip)
        if code := facecap(["solve", str(clip), "--out", name, "--no-blend", "--no-report", "--preview"]):
            return code
        with av.open(str(Path(name) / "talker.preview.mp4")) as preview:
            frames = [frame.to_ndarray(format="bgr24") for frame in preview.decode(video=0)]
    rows = [np.hstack([frames[i] for i in SHOWN[k : k + 2]]) for k in range(0, len(SHOWN), 2)]
    cv2.imwrite(str(PICTURE), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 88])
    print(PICTURE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
