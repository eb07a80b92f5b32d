"""Pictures as cameras and compositors write them: EXIF orientation, and pixels that are not square."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from facecap_addon.errors import FacecapError
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from tests.unit.footage.test_video import corners, quadrant_picture

FIELD = Path(__file__).parents[4] / "shared" / "field"
# How EXIF's orientations 1 to 8 store an upright picture (EXIF 2.3, tag 274: where row 0 and column 0 are).
STORED = (
    lambda p: p,
    lambda p: p[:, ::-1],
    lambda p: p[::-1, ::-1],
    lambda p: p[::-1],
    lambda p: p.transpose(1, 0, 2),
    lambda p: np.rot90(p),
    lambda p: np.rot90(p, 2).transpose(1, 0, 2),
    lambda p: np.rot90(p, 3),
)


def exif_jpeg(upright: np.ndarray, orientation: int) -> bytes:
    """A JPEG that has to be turned to look like `upright`, and says so."""
    stored = np.ascontiguousarray(STORED[orientation - 1](upright))
    _, content = cv2.imencode(".jpg", cv2.cvtColor(stored, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 95])
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    block = b"Exif\0\0" + tiff
    content = content.tobytes()
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + content[2:]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_still_is_turned_as_its_camera_says(tmp_path: Path, orientation: int) -> None:
    upright = quadrant_picture()
    (tmp_path / "photo.jpg").write_bytes(exif_jpeg(upright, orientation))
    footage = open_footage(tmp_path / "photo.jpg")
    image = next(read_frames(footage)).image
    assert footage.size_px == (96, 64)
    assert image.shape == upright.shape
    assert_allclose(corners(image), corners(upright), atol=12)


def test_each_picture_of_a_sequence_is_turned_by_itself(tmp_path: Path) -> None:
    upright = quadrant_picture()
    for number, orientation in enumerate((1, 6, 3, 8)):
        (tmp_path / f"IMG_{number:04d}.JPG").write_bytes(exif_jpeg(upright, orientation))
    frames = list(read_frames(open_footage(tmp_path, fps=25)))
    assert len(frames) == 4
    for frame in frames:
        assert_allclose(corners(frame.image), corners(upright), atol=12)


def test_pictures_that_differ_once_upright_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a_1.jpg").write_bytes(exif_jpeg(quadrant_picture(), 1))
    (tmp_path / "a_2.jpg").write_bytes(exif_jpeg(np.rot90(quadrant_picture()).copy(), 6))
    with pytest.raises(FacecapError, match="differ in size"):
        open_footage(tmp_path, fps=25)


@pytest.mark.parametrize("orientation", [1, 6])
def test_motion_jpeg_is_turned_too(tmp_path: Path, orientation: int) -> None:
    upright = quadrant_picture()
    stored = STORED[orientation - 1](upright)
    with av.open(str(tmp_path / "camera.mov"), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.height, stream.width = stored.shape[:2]
        stream.pix_fmt = "yuvj420p"
        container.start_encoding()
        for i in range(5):
            packet = av.Packet(exif_jpeg(upright, orientation))
            packet.pts = packet.dts = i
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 25), stream, True
            container.mux(packet)
    footage = open_footage(tmp_path / "camera.mov")
    frames = list(read_frames(footage))
    assert (len(frames), footage.size_px) == (5, (96, 64))
    assert_allclose(corners(frames[-1].image), corners(upright), atol=12)


def test_damaged_exif_is_not_obeyed(tmp_path: Path) -> None:
    content = bytearray(exif_jpeg(quadrant_picture(), 6))
    at = content.index(b"MM\0*")
    content[at + 4 : at + 8] = b"\xff\xff\xff\x00"  # the directory lies outside the file
    (tmp_path / "photo.jpg").write_bytes(bytes(content))
    assert next(read_frames(open_footage(tmp_path / "photo.jpg"))).image.size


def write_png(path: Path, pixel_aspect: Fraction) -> None:
    """A picture of 48 × 64 stored pixels, with the shape of a pixel noted in it."""
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 64, "rgb24"
        stream.codec_context.sample_aspect_ratio = pixel_aspect
        container.mux(stream.encode(av.VideoFrame.from_ndarray(quadrant_picture(48, 64), format="rgb24")))
        container.mux(stream.encode(None))


def test_anamorphic_pictures_become_square(tmp_path: Path) -> None:
    for number in range(3):
        write_png(tmp_path / f"f_{number:04d}.png", Fraction(2))
    footage = open_footage(tmp_path, fps=25)
    assert (footage.coded_size_px, footage.size_px) == ((48, 64), (96, 64))
    for frame in read_frames(footage):
        assert frame.image.shape == (64, 96, 3)
        assert_allclose(corners(frame.image), corners(quadrant_picture()), atol=12)


@pytest.mark.parametrize(
    ("name", "size"), [("exif_plain", (360, 288)), ("still_exif.jpg", (360, 288)), ("ana_png", (360, 288))]
)
def test_the_pictures_of_the_field(name: str, size: tuple[int, int]) -> None:
    if not FIELD.is_dir():
        pytest.skip("the field's inputs are not here")
    footage = open_footage(FIELD / name, fps=25)
    assert footage.size_px == size
    assert next(read_frames(footage)).image.shape == (size[1], size[0], 3)
