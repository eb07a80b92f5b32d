"""The report: complete, self-contained, small, and true to the take."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.reports.report import region_of, write_report
from facecap_addon.reports.svg_plots import draw_line_path, nice_ticks
from facecap_addon.reports.thumbnails import THUMBNAIL_PX, choose_thumbnail_rows, make_thumbnail, thumbnail_of
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.takes.formats.live_link import LIVE_LINK_SHAPES
from facecap_addon.takes.take import REGIONS, Take, find_runs

CHANNELS = tuple(name[0].lower() + name[1:] for name in LIVE_LINK_SHAPES)
SUMMARY = {
    "frames_decoded": 300,
    "fps": 91.7,
    "seconds": {"decode": 1.25, "fit": 0.5},
    "versions": {"facecap": "0.1.0", "numpy": "1.26.4"},
    "warnings": ["The clip is <cut off> & short."],
}


def a_take(frames: int) -> Take:
    rng = np.random.default_rng(0)
    t = np.arange(frames) / 30
    weights = np.clip(np.sin(t[:, None] * rng.uniform(0.5, 3, 52)) + rng.normal(0, 0.02, (frames, 52)), 0, 1)
    weights[:, CHANNELS.index("tongueOut")] = 0
    weights[:, CHANNELS.index("jawLeft")] = 0
    status = np.ones(frames, np.int8)
    status[frames // 3 : frames // 3 + 10] = 0
    weights[status == 0] = 0
    landmarks = rng.uniform([100, 60], [180, 160], (frames, 478, 2))
    landmarks[status == 0] = np.nan
    return Take(
        time_s=t,
        channels=CHANNELS,
        weights=weights.astype(np.float32),
        head_rotation_wxyz=np.tile([1, 0, 0, 0], (frames, 1)).astype(np.float32),
        head_translation_m=np.zeros((frames, 3), np.float32),
        gaze_rad=np.zeros((frames, 2, 2), np.float32),
        confidence=rng.uniform(0.5, 1, (frames, len(REGIONS))).astype(np.float32),
        regions=REGIONS,
        status=status,
        landmarks_px=landmarks.astype(np.float32),
        residual_px=np.where(status, rng.uniform(1, 3, frames), np.nan).astype(np.float32),
        image_size=(320, 240),
        focal_px=400.0,
        not_observed=("tongueOut",),
        provenance={"source": "Prise <1> & 2.mp4"},
    )


def a_rig(vertices: int = 500) -> BlendshapeRig:
    rng = np.random.default_rng(1)
    return BlendshapeRig(
        neutral=rng.normal(size=(vertices, 3)).astype(np.float32),
        triangles=np.zeros((1, 3), np.int32),
        deltas=(rng.normal(size=(52, vertices, 3)) * 0.003).astype(np.float32),
        channels=CHANNELS[::-1],
        ranges=np.tile(np.float32([0, 1]), (52, 1)),
        name="Suzanne",
    )


class Outline(HTMLParser):
    """Collects visible text and every address; checks that tags close."""

    VOID = frozenset({"meta", "img", "br", "hr", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "data"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


def outline(path: Path) -> Outline:
    parser = Outline()
    parser.feed(path.read_text(encoding="utf-8"))
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    take = a_take(300)
    image = np.random.default_rng(2).integers(0, 255, (240, 320, 3), np.uint8)
    shots = [thumbnail_of(take, row, image, frame=row + 1000) for row in choose_thumbnail_rows(300)]
    path = tmp_path_factory.mktemp("report") / "clip.report.html"
    write_report(path, take=take, rig=a_rig(), thumbnails=shots, summary=SUMMARY, notes=["Two faces were seen."])
    return path


def test_everything_is_in_it_and_nothing_is_fetched(page: Path) -> None:
    found = outline(page)
    text = " ".join(found.text)
    error = f"{np.nanmedian(a_take(300).residual_px):.1f} px"
    for expected in (
        *("Prise <1> & 2.mp4", "The clip is <cut off> & short.", "Two faces were seen.", "frame 1000", "frame 1299"),
        *("Average error", "Jitter D", "Confidence per region", "jawOpen", "tongueOut", "decode", "1.25"),
        *("1.26.4", "290", error, "51 of 52", "To be looked at", "3.333", "No face", *REGIONS),
    ):
        assert expected in text, expected
    assert len([address for address in found.addresses if address.startswith("data:image/jpeg")]) == 12
    assert all(address.startswith(("data:", "#")) for address in found.addresses)
    assert "script" not in found.tags
    assert not re.search(r"https?://|@import|url\((?!#)", page.read_text(encoding="utf-8"))


def test_it_stays_under_a_megabyte(page: Path, tmp_path: Path) -> None:
    assert page.stat().st_size < 1_000_000
    write_report(tmp_path / "long.html", take=a_take(20_000), rig=a_rig(50))
    assert (tmp_path / "long.html").stat().st_size < 1_000_000


def test_channels_at_rest_are_listed_instead_of_drawn(page: Path) -> None:
    content = page.read_text(encoding="utf-8")
    assert 'aria-label="jawOpen"' in content
    assert 'aria-label="jawLeft"' not in content
    assert "jawLeft" in content


@pytest.mark.parametrize("frames", [0, 1, 2])
def test_the_shortest_takes(tmp_path: Path, frames: int) -> None:
    write_report(tmp_path / "r.html", take=a_take(frames), rig=a_rig(20))
    assert "frames solved" in " ".join(outline(tmp_path / "r.html").text)


def test_a_take_without_a_single_face_or_character(tmp_path: Path) -> None:
    take = a_take(50)
    take = replace(
        take, status=np.zeros(50, np.int8), weights=take.weights * 0, residual_px=np.full(50, np.nan, np.float32)
    )
    write_report(tmp_path / "r.html", take=take, rig=None)
    assert "50" in outline(tmp_path / "r.html").text


def test_channels_of_a_rig_with_names_of_its_own(tmp_path: Path) -> None:
    take = replace(a_take(40), channels=tuple(f"<{name}>" for name in CHANNELS), not_observed=())
    write_report(tmp_path / "r.html", take=take, rig=a_rig(), channel_regions={"<jawOpen>": "Kiefer"})
    text = outline(tmp_path / "r.html").text
    assert "Kiefer" in text
    assert "<jawOpen>" in text


def test_an_unwritable_place_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FacecapError, match="cannot be written"):
        write_report(tmp_path / "file" / "r.html", take=a_take(5), rig=None)


def test_a_thumbnail_shows_the_face_with_its_landmarks() -> None:
    image = np.full((600, 800, 3), 90, np.uint8)
    image[100:200, 500:600] = (250, 60, 60)
    landmarks = np.array([[500.0, 100.0], [599.0, 199.0], [500.0, 199.0], [599.0, 100.0]])
    shot = make_thumbnail(image, landmarks, time_s=1.5, frame=45)
    decoded = cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR)[..., ::-1].astype(int)
    assert decoded.shape == (THUMBNAIL_PX, THUMBNAIL_PX, 3)
    middle = THUMBNAIL_PX // 2
    assert np.abs(decoded[middle - 20 : middle + 20, middle - 20 : middle + 20] - (250, 60, 60)).max() < 30
    edge = round(THUMBNAIL_PX * (1 - 1 / 1.6) / 2)
    dots = decoded[edge - 3 : edge + 4, edge - 3 : edge + 4]
    assert (dots[..., 1] - dots[..., 0]).max() > 60  # turquoise
    assert base64.b64encode(shot.jpeg)
    assert shot.has_face


def test_a_thumbnail_without_a_face_shows_the_middle() -> None:
    image = np.full((200, 400, 3), 30, np.uint8)
    image[:, 150:250] = 220
    for landmarks in (None, np.full((478, 2), np.nan)):
        shot = make_thumbnail(image, landmarks, time_s=0.0, frame=0)
        decoded = cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert not shot.has_face
        assert decoded[100, THUMBNAIL_PX // 2].min() > 200
        assert decoded[100, 3].max() < 50


def test_thumbnail_rows_span_the_take() -> None:
    assert choose_thumbnail_rows(0) == []
    assert choose_thumbnail_rows(3) == [0, 1, 2]
    rows = choose_thumbnail_rows(1000)
    assert (rows[0], rows[-1], len(rows)) == (0, 999, 12)


def points_of(path: str) -> np.ndarray:
    return np.array([[float(v) for v in pair] for pair in re.findall(r"(-?[\d.]+) (-?[\d.]+)", path)])


def test_a_decimated_line_loses_no_peak() -> None:
    y = np.zeros(100_000)
    y[[777, 50_000, 99_999]] = (5, -3, 9)
    path = draw_line_path(np.linspace(0, 600, 100_000), y, 600.0)
    points = points_of(path)
    assert len(path) < 20_000
    assert (points[:, 1].min(), points[:, 1].max()) == (-3, 9)
    assert abs(points[np.argmax(points[:, 1] == 5), 0] - 600 * 777 / 100_000) < 2


def test_a_line_breaks_where_nothing_is_known() -> None:
    path = draw_line_path(np.arange(6.0), np.array([1, 2, np.nan, 3, np.nan, 4]), 5.0)
    assert path.count("M") == 3
    assert "nan" not in path


def test_runs_and_ticks() -> None:
    assert find_runs(np.array([True, True, False, True])) == [(0, 1), (3, 3)]
    assert find_runs(np.zeros(0, bool)) == []
    assert nice_ticks(0, 10, 5) == [0, 2, 4, 6, 8, 10]
    assert nice_ticks(0, 0.3, 3) == [0, 0.1, 0.2, 0.3]


def test_regions_by_name() -> None:
    named = {"jawOpen": "jaw", "tongueOut": "jaw", "browInnerUp": "brows", "Mouth_Open": "mouth", "A25_x": "other"}
    assert {name: region_of(name) for name in named} == named
