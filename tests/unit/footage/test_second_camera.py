"""A second camera's pictures at the times of the first one's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.second_camera import SecondCamera


def write_pictures(folder: Path, count: int) -> None:
    """Pictures whose brightness is their number."""
    for number in range(count):
        ok, content = cv2.imencode(".png", np.full((30, 40, 3), number, np.uint8))
        assert ok
        (folder / f"side_{number:04d}.png").write_bytes(content.tobytes())


def test_the_nearest_picture_in_time_is_given(tmp_path: Path) -> None:
    write_pictures(tmp_path, 5)
    second = SecondCamera(open_footage(tmp_path, fps=10))
    times_s = [0.0, 0.04, 0.06, 0.06, 0.1, 0.14, 0.38, 7.0]  # pauses, the same time again, and past its end
    assert [int(second.picture_at(time_s)[0, 0, 0]) for time_s in times_s] == [0, 0, 1, 1, 1, 1, 4, 4]
    second.close()


def test_footage_without_pictures_is_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    footage = open_footage(tmp_path, fps=10)
    for path in footage.paths:
        path.write_bytes(b"no picture any more")
    with pytest.raises(FacecapError, match="No picture"):
        SecondCamera(footage)
