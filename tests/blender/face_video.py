"""A video with a real face in it, made from a picture of the repository."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from PIL import Image

PICTURE = Path(__file__).resolve().parents[1] / "data" / "carphone_000.png"


def write_face_video(path: Path, frames: int = 20) -> Path:
    """The same face drifting slowly across the picture."""
    picture = np.array(Image.open(PICTURE).convert("RGB").resize((352, 288), Image.Resampling.BICUBIC))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 352, 288, "yuv420p", 4_000_000
        for index in range(frames):
            moved = np.roll(picture, index // 2, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(moved), format="rgb24")))
        container.mux(stream.encode())
    return path
