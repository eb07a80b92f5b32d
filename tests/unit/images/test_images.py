"""Pictures resampled, drawn and encoded: against OpenCV, against scipy, and in closed form."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from facecap_addon.images.draw import draw_dots, draw_polyline, draw_text, text_width
from facecap_addon.images.encode import encode_jpeg, encode_png, read_image, write_image
from facecap_addon.images.resample import average_blocks, resize, resize_part, to_grey, warp_affine


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    noise = np.random.default_rng(3).integers(0, 256, (120, 160, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.5), None, 0, 255, cv2.NORM_MINMAX)


MATRICES = {
    "turned and enlarged": [[0.31, -0.12, 40.3], [0.12, 0.31, 20.7]],
    "shrunk, reaching beyond": [[2.3, 0.4, -30.2], [-0.4, 2.3, -25.9]],
    "mirrored": [[-1.0, 0.0, 150.25], [0.0, 1.0, 3.5]],
    "all of it outside": [[1.0, 0.0, 900.0], [0.0, 1.0, -700.0]],
    "itself": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
}


@pytest.mark.parametrize("name", MATRICES)
def test_a_warp_interpolates_bilinearly_and_rounds(picture: np.ndarray, name: str) -> None:
    matrix, size = np.array(MATRICES[name]), (90, 70)
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    at = np.stack([x, y, np.ones_like(x)], -1) @ matrix.T
    for image in (picture, picture[..., 1]):
        warped = warp_affine(image, matrix, size)
        channels = image.reshape(*image.shape[:2], -1).astype(np.float64).transpose(2, 0, 1)
        exact = [ndimage.map_coordinates(c, [at[..., 1], at[..., 0]], order=1, mode="nearest") for c in channels]
        error = warped.reshape(*warped.shape[:2], -1) - np.stack(exact, -1)
        # Half a level of rounding, and what coordinates in 32 bits and weights in 13 cost.
        assert warped.dtype == np.uint8 and warped.shape == (70, 90, *image.shape[2:])
        assert np.abs(error).max() < 0.55
        assert abs(error.mean()) < 0.1  # a truncation would be off by half a level


def test_a_warp_has_a_border_of_a_color(picture: np.ndarray) -> None:
    matrix, color = np.array(MATRICES["shrunk, reaching beyond"]), (200, 10, 90)
    how = {"flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_CONSTANT}
    expected = cv2.warpAffine(picture, matrix, (90, 70), borderValue=color, **how)
    ours = warp_affine(picture, matrix, (90, 70), border=color)
    assert tuple(ours[0, 0]) == color
    # OpenCV knows places to a 32nd of a pixel.
    assert np.abs(ours.astype(int) - expected).max() <= 6
    assert abs((ours.astype(float) - expected).mean()) < 0.1


def test_a_picture_of_one_pixel_can_be_warped() -> None:
    one = np.array([[[7, 8, 9]]], np.uint8)
    assert (warp_affine(one, np.eye(2, 3) * 0.1, (4, 3)) == (7, 8, 9)).all()


def test_shrinking_averages(picture: np.ndarray) -> None:
    blocks = picture.reshape(30, 4, 40, 4, 3).mean((1, 3))
    assert np.abs(average_blocks(picture, 4) - blocks).max() <= 0.51
    assert np.abs(resize(picture, (40, 30)) - blocks).max() <= 1.01  # rows and columns are rounded one after the other
    odd = cv2.resize(picture, (37, 23), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(resize(picture, (37, 23)) - odd).mean() < 3
    assert resize(picture, (160, 120)) is not None and (resize(picture, (160, 120)) == picture).all()


def test_a_part_keeps_its_place(picture: np.ndarray) -> None:
    """A part at whole pixels is cut out; between pixels a ramp moves by what the rectangle moves."""
    assert (resize_part(picture, (10, 20, 50, 60), (40, 40)) == picture[20:60, 10:50]).all()
    ramp = np.repeat(np.arange(0, 160, dtype=np.uint8)[None], 50, 0)
    part = resize_part(ramp, (20.5, 5.0, 80.5, 35.0), (30, 15)).astype(float)
    np.testing.assert_allclose(part[7], 20.5 + 2 * (np.arange(30) + 0.5) - 0.5, atol=0.51)
    beyond = resize_part(ramp, (-40.0, -30.0, 20.0, 30.0), (60, 60))
    assert (beyond[:, :39] == 0).all() and (beyond[5] == beyond[50]).all() and beyond[0, 59] == 19


def test_grey_is_the_luma(picture: np.ndarray) -> None:
    luma = picture @ (0.299, 0.587, 0.114)
    assert np.abs(to_grey(picture) - luma).max() <= 1.0
    grey = resize_part(picture, (0, 0, 80, 60), (80, 60), grey=True)
    assert (grey == to_grey(picture[:60, :80])).all()


def test_a_dot_covers_its_area_and_stays_inside() -> None:
    paper = np.zeros((40, 60, 3), np.uint8)
    draw_dots(paper, np.array([[20.3, 15.6], [500.0, 3.0], [0.0, 39.0]]), 4.0, (255, 255, 255))
    share = paper[..., 0] / 255
    inside = share[5:27, 10:32]
    assert abs(inside.sum() - np.pi * 16) < 0.7
    y, x = np.indices(share.shape)
    middle = [(inside * c[5:27, 10:32]).sum() / inside.sum() for c in (x, y)]
    np.testing.assert_allclose(middle, (20.3, 15.6), atol=0.05)
    assert share[39, 0] == 1 and share[:, 40:].max() == 0


def test_a_line_lies_where_it_is_drawn() -> None:
    paper = np.full((40, 60, 3), 250, np.uint8)
    draw_polyline(paper, np.array([[5.0, 10.0], [50.0, 10.0], [50.0, 30.0]]), (40, 110, 200), width_px=1.0)
    assert (paper[10, 20] == (40, 110, 200)).all() and (paper[9, 20] == 250).all() and (paper[11, 20] == 250).all()
    assert (paper[20, 50] == (40, 110, 200)).all() and (paper[20, 20] == 250).all()
    draw_polyline(paper, np.array([[5.0, 10.0], [50.0, 10.0], [50.0, 30.0]]), (40, 110, 200), closed=True)
    assert (paper[20, 27] != 250).any()


def test_text_stands_on_its_line() -> None:
    paper = np.full((40, 200, 3), 255, np.uint8)
    draw_text(paper, (10, 30), "HEH", 16, (0, 0, 0))
    rows, columns = np.nonzero(paper[..., 0] < 128)
    assert rows.max() == 29 and 16 <= rows.min() <= 20
    assert columns.min() >= 10 and columns.max() <= 10 + text_width("HEH", 16) + 1


def test_pictures_are_written_and_read(picture: np.ndarray, tmp_path: Path) -> None:
    write_image(tmp_path / "küche 面.png", picture)
    assert (cv2.imdecode(np.fromfile(tmp_path / "küche 面.png", np.uint8), 1)[..., ::-1] == picture).all()
    assert (read_image(tmp_path / "küche 面.png") == picture).all()
    decoded = cv2.imdecode(np.frombuffer(encode_jpeg(picture, 95), np.uint8), 1)[..., ::-1]
    # Colour is kept at half the size.
    assert np.abs(to_grey(np.ascontiguousarray(decoded)).astype(int) - to_grey(picture)).mean() < 2
    rgba = np.dstack([picture, picture[..., 0]])
    assert (cv2.imdecode(np.frombuffer(encode_png(rgba), np.uint8), -1)[..., [2, 1, 0, 3]] == rgba).all()
    (tmp_path / "no.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    assert read_image(tmp_path / "no.png") is None and read_image(tmp_path / "none.png") is None


def test_a_photo_is_read_upright(picture: np.ndarray, tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held on its side
    Image.fromarray(np.rot90(picture)).save(tmp_path / "photo.png", exif=turned)
    assert (read_image(tmp_path / "photo.png") == picture).all()
