"""A second camera: paired by time, cropped and varied for itself, in all shots of a set or in none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.footage.write import write_video
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.jobs.training.dataset import choose_crop, choose_side_crop
from facecap_addon.jobs.training.train import run as train
from facecap_addon.learn.data.crops import prepare_pictures, propose_whole
from facecap_addon.learn.data.frames import split_frames
from facecap_addon.learn.data.training_set import TrainingSet, add_shot, open_set, save_set
from facecap_addon.learn.data.validation import check_set
from facecap_addon.solvers.crop import PictureKind
from tests.unit.learn.test_training_set import rig, rows, shot

FRAMES, FPS = 24, 30
KIND = PictureKind(16, 12)


def write_clock(path: Path, fps: float, seconds: float, size: tuple[int, int] = (48, 64)) -> None:
    """Footage whose brightness says when a picture was taken: 200 of white a second."""
    times = np.arange(round(seconds * fps)) / fps
    frames = ((t, np.full((*size, 3), 20 + round(200 * t), np.uint8)) for t in times.tolist())
    for _ in write_video(path, frames, quality=4):
        pass


def make_set(folder: Path, *, side_fps: float = 60.0, side_s: float = 1.0) -> TrainingSet:
    """One shot, seven tenths of a second into the footage trimmed off it by number."""
    write_clock(folder / "front.mp4", FPS, 1.0)
    write_clock(folder / "side.mp4", side_fps, side_s, (120, 200))
    made = replace(TrainingSet(folder, rig()), crop=(0.0, 0.0, 1.0, 1.0))
    facts = replace(shot("a", FRAMES, side_video="side.mp4"), video="front.mp4", start="6")
    box = np.tile(np.float32([0.5, 0.2, 0.7, 0.6]), (FRAMES, 1))
    box[5:9] = np.nan
    found = replace(rows(FRAMES), time_s=(6 + np.arange(FRAMES)) / FPS, side_box=box)
    return choose_side_crop(add_shot(made, facts, found).complete(), None)


@pytest.mark.parametrize("side_fps", [60.0, 24.0])
def test_cameras_are_paired_by_time_and_not_by_row(tmp_path: Path, side_fps: float) -> None:
    made = make_set(tmp_path, side_fps=side_fps)
    front, side = (prepare_pictures(made, made.shots[0], KIND, lambda _: None, side=s) for s in (False, True))
    times = [(one.mean((1, 2, 3)) - 20) / 200 for one in (front, side)]
    np.testing.assert_allclose(times[0], (6 + np.arange(FRAMES)) / FPS, atol=0.01)
    np.testing.assert_allclose(times[1], times[0], atol=0.51 / side_fps + 0.015)


def test_a_second_camera_that_ends_too_early_is_refused(tmp_path: Path) -> None:
    made = make_set(tmp_path, side_s=0.5)
    with pytest.raises(FacecapError, match=r"side.mp4 has no picture at 0\.\d+ s") as error:
        prepare_pictures(made, made.shots[0], KIND, lambda _: None, side=True)
    assert "--end" in error.value.way_out


def test_both_crops_are_proposed_or_drawn_each_for_itself(tmp_path: Path) -> None:
    made = make_set(tmp_path)
    assert made.side_crop is not None
    left, top, width, height = made.side_crop
    assert left < 0.5 and top < 0.2 and left + width > 0.7 and top + height > 0.6
    assert width * 200 / (height * 120) == pytest.approx(3 / 4)
    # One that was drawn for the front leaves the second camera in the set.
    drawn = choose_side_crop(choose_crop(replace(made, side_crop=None), "0.1,0.1,0.5,0.5"), None)
    assert drawn.crop == (0.1, 0.1, 0.5, 0.5) and drawn.side_crop == made.side_crop
    frames, _ = split_frames(drawn, KIND, lambda *_: None)
    assert frames.read_pictures(np.array([0])).shape == (1, 2, 16, 12)
    own = choose_side_crop(drawn, "0.2,0.3,0.4,0.4")
    save_set(own)
    kept = choose_side_crop(open_set(tmp_path), None)
    assert kept.side_crop == (0.2, 0.3, 0.4, 0.4) and kept.side_crop_is_own
    np.testing.assert_array_equal(
        open_set(tmp_path).read_rows(own.shots[0]).side_box, made.read_rows(made.shots[0]).side_box
    )


def test_where_no_face_is_found_from_the_side_the_picture_is_not_squashed(tmp_path: Path) -> None:
    made = make_set(tmp_path)
    unseen = add_shot(
        made, made.shots[0], replace(made.read_rows(made.shots[0]), side_box=np.zeros((0, 4), np.float32))
    )
    assert choose_side_crop(unseen, None).side_crop == propose_whole((200, 120))
    for width, height in ((1920, 1080), (480, 1000), (300, 400)):
        left, top, wide, high = propose_whole((width, height))
        assert wide * width / (high * height) == pytest.approx(3 / 4) and max(wide, high) == pytest.approx(1.0)
        assert left + wide / 2 == pytest.approx(0.5) == top + high / 2


def test_shots_with_and_without_a_second_camera_are_refused_together(tmp_path: Path) -> None:
    made = make_set(tmp_path)
    mixed = add_shot(made, replace(shot("b", FRAMES), video="front.mp4", start="6"), rows(FRAMES))
    with pytest.raises(FacecapError, match="seen from the side, too, but not b") as error:
        split_frames(mixed, KIND, lambda *_: None)
    assert "--side-video" in error.value.way_out
    assert any("but not b" in note for note in check_set(mixed))


@pytest.mark.parametrize("network", ["dense", "meng", "vgg-lstm"])
def test_networks_of_one_camera_refuse_two(tmp_path: Path, network: str) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    save_set(make_set(tmp_path))
    with pytest.raises(FacecapError, match=f"{network} sees one"):
        list(train(TrainSettings(folder=tmp_path, network=network)))


def test_each_camera_is_varied_for_itself() -> None:
    torch = pytest.importorskip("torch")
    from facecap_addon.learn.engine.augment import Augmentation, augment, augment_cameras

    view = torch.rand(4, 1, 24, 18, generator=torch.Generator().manual_seed(1))

    def vary(cameras: int) -> object:
        return augment_cameras(
            torch.cat([view] * cameras, 1), cameras, Augmentation(), 1.0, torch.Generator().manual_seed(2)
        )

    alone = augment(view, Augmentation(), 1.0, torch.Generator().manual_seed(2))
    assert torch.equal(vary(1), alone)
    both = vary(2)
    assert torch.equal(both[:, :1], alone) and (both[:, 1:] - alone).abs().amax((1, 2, 3)).min() > 0.02
