"""Footage filmed as in a mirror: exchanged once, where pictures are read, and the same everywhere after."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.orientation import Orientation
from facecap_addon.footage.proxy import explain_proxy
from facecap_addon.footage.read import read_frames
from facecap_addon.footage.write import write_video
from facecap_addon.images.encode import read_image
from facecap_addon.jobs.settings.sides import SidesSettings
from facecap_addon.jobs.steps.landmarks import open_landmark_cache
from facecap_addon.jobs.steps.proxy import ProxySettings
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.takes.formats.live_link import read_live_link_csv, write_live_link_csv
from facecap_addon.takes.npz import load_take
from tests.jobs.solving import ROOT, quick, run

CLIP = ROOT / "sample_scenes" / "take_01.mp4"
FRAMES = 40


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sample take's beginning, and the same as a front camera writes it."""
    folder = tmp_path_factory.mktemp("mirror")
    plain, mirrored = folder / "plain.mp4", folder / "selfie.mp4"
    frames = itertools.islice(read_frames(open_footage(CLIP)), FRAMES)
    pictures = [(frame.time_s, frame.image) for frame in frames]
    for path, turn in ((plain, Orientation()), (mirrored, Orientation(mirrored=True))):
        for _ in write_video(path, ((time_s, turn.apply(image)) for time_s, image in pictures), quality=12):
            pass
    return plain, mirrored


def test_pictures_are_exchanged_as_they_are_read(filmed: tuple[Path, Path]) -> None:
    plain, mirrored = filmed
    theirs = next(read_frames(open_footage(plain))).image.astype(int)
    footage = open_footage(mirrored, mirror=True)
    ours = next(read_frames(footage)).image.astype(int)
    assert np.abs(ours - theirs).mean() < 2
    assert np.abs(ours[:, ::-1] - theirs).mean() > 3 * np.abs(ours - theirs).mean()
    # After whatever else turns them, and twice is as before.
    for turn in (0, 90, 180, 270):
        turned = replace(footage, rotation_deg=turn, upside_down=True)
        image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
        upright = replace(turned, sides_exchanged=False).orientation.apply(image)
        np.testing.assert_array_equal(turned.orientation.apply(image), upright[:, ::-1])
    assert "mirror" in explain_proxy(footage, footage.frame_rate)


def test_landmarks_and_copies_of_either_are_kept_apart(filmed: tuple[Path, Path], tmp_path: Path) -> None:
    landmarker = open_landmarker()
    caches = {
        open_landmark_cache(open_footage(filmed[1], mirror=mirror), landmarker, tmp_path)._folder
        for mirror in (False, True)
    }
    assert len(caches) == 2
    plain, turned = (
        run("proxy", ProxySettings(video=filmed[1], out=tmp_path, rate=25.0, mirror=mirror))["path"]
        for mirror in (False, True)
    )
    assert plain != turned
    shown = next(read_frames(open_footage(Path(turned)))).image.astype(int)
    truth = next(read_frames(open_footage(filmed[0]))).image.astype(int)
    assert shown.shape == truth.shape
    assert np.abs(shown - truth).mean() < 3


def test_a_selfie_solves_as_the_same_face_filmed_plainly(filmed: tuple[Path, Path], tmp_path: Path) -> None:
    plain, mirrored = filmed
    takes = {}
    for name, video, mirror in (("plain", plain, False), ("exchanged", mirrored, True), ("as it is", mirrored, False)):
        facts = run("solve", quick(video, tmp_path / name, mirror=mirror))
        takes[name] = load_take(Path(facts["take"]))
    truth, exchanged, wrong = takes.values()
    assert exchanged.provenance["settings"]["mirror"] is True
    np.testing.assert_allclose(exchanged.landmarks_px, truth.landmarks_px, atol=6)
    assert np.abs(exchanged.landmarks_px - truth.landmarks_px).mean() < 1
    assert np.abs(exchanged.weights - truth.weights).mean() < 0.02
    # The head turns the other way where the mirror is believed.
    yaw = [take.gaze_rad[:, :, 0].mean() for take in (truth, exchanged, wrong)]
    assert abs(yaw[1] - yaw[0]) < abs(yaw[2] - yaw[0])
    with pytest.raises(FacecapError, match="other sides"):
        run(
            "solve",
            quick(mirrored, tmp_path / "as it is", mirror=True, start="10", end="20", into=Path(facts["take"])),
        )


def test_curves_of_the_same_take_decide(tmp_path: Path) -> None:
    truth = load_take(CLIP.with_suffix(".npz"))
    curves = tmp_path / "curves.csv"
    write_live_link_csv(curves, replace(truth, time_s=truth.time_s + 0.5))
    plain = run("sides", SidesSettings(video=CLIP, curves=curves, out=tmp_path))
    assert plain["mirrored"] is False
    assert plain["sure"] > 0.95
    # Curves of somebody whose left is her right: brows and corners say the opposite.
    take = read_live_link_csv(curves)
    order = [take.channels.index(_other(name)) for name in take.channels]
    swapped = tmp_path / "swapped.csv"
    write_live_link_csv(swapped, replace(take, weights=take.weights[:, order]))
    other = run("sides", SidesSettings(video=CLIP, curves=swapped, out=tmp_path))
    assert other["mirrored"] is True
    assert "--mirror" in " ".join(other["lines"])
    # Curves whose sides do the same decide nothing, and it is asked.
    even = tmp_path / "even.csv"
    both = (take.weights + take.weights[:, order]) / 2
    write_live_link_csv(even, replace(take, weights=both))
    nothing = run("sides", SidesSettings(video=CLIP, curves=even, out=tmp_path))
    assert nothing["mirrored"] is None
    assert any("Is the marked eye" in line for line in nothing["lines"])


def test_the_eye_that_is_marked_is_her_left_one(filmed: tuple[Path, Path], tmp_path: Path) -> None:
    for video, mirror in ((filmed[0], False), (filmed[1], False), (filmed[1], True)):
        facts = run("sides", SidesSettings(video=video, mirror=mirror, out=tmp_path / f"{video.stem}{mirror}"))
        assert facts["mirrored"] is None
        picture = read_image(Path(facts["picture"]))
        assert picture is not None
        ring = np.argwhere((np.abs(picture.astype(int) - (255, 190, 0)) < 40).all(axis=2))
        assert len(ring) > 50
        assert ring[:, 1].mean() > picture.shape[1] / 2  # unmirrored, her left is on the picture's right


def _other(name: str) -> str:
    for side, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(side) and name not in ("jawLeft", "jawRight", "mouthLeft", "mouthRight"):
            return name.removesuffix(side) + other
    return name
