"""Training sets: what goes in comes out, shots stay apart, targets follow the footage's clock, errors are named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.footage.read import read_frames
from facecap_addon.learn.data.crops import propose_crop
from facecap_addon.learn.data.labelled_images import find_labelled_images, select_validation_images
from facecap_addon.learn.data.overlaps import check_kept_frames, find_kept_frames, find_shared_frames
from facecap_addon.learn.data.resample import find_nearest_rows, resample_targets
from facecap_addon.learn.data.training_set import ShotFacts, ShotRows, TrainingSet, add_shot, open_set
from facecap_addon.learn.data.validation import check_set, measure_target_lag_s
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.solvers.crop import PictureKind, cut

CHANNELS = ("jawOpen", "mouthSmileLeft")
CLIP = Path(__file__).resolve().parents[3] / "sample_scenes" / "take_01.mp4"


def rig(vertices: int = 12) -> BlendshapeRig:
    random = np.random.default_rng(0)
    return BlendshapeRig(
        neutral=random.normal(size=(vertices, 3)).astype(np.float32),
        triangles=np.array([[0, 1, 2], [2, 3, 4]], np.int32),
        deltas=random.normal(scale=0.01, size=(2, vertices, 3)).astype(np.float32),
        channels=CHANNELS,
        ranges=np.array([[0, 1], [0, 1]], np.float32),
        colors=None,
        name="test",
    )


def rows(frames: int, *, lag: int = 0) -> ShotRows:
    """A mouth that opens and shuts; the box grows with it, `lag` frames later than the target says."""
    time_s = np.arange(frames) / 30
    opened = 0.5 + 0.5 * np.sin(time_s * 5 + np.sin(time_s * 2))
    shown = np.roll(opened, lag)
    box = np.tile(np.float32([0.3, 0.2, 0.7, 0.8]), (frames, 1))
    box[:, 3] += 0.1 * shown
    face = np.tile(np.float32([[0.4, 0.4], [0.6, 0.4], [0.5, 0.55]]), (frames, 1, 1))
    weights = np.stack([opened, 0 * opened], 1).astype(np.float32)
    return ShotRows(np.arange(frames), time_s, weights, face, box)


def shot(name: str, frames: int, **facts: object) -> ShotFacts:
    return ShotFacts(name, f"{name}.mp4", None, None, None, frames, **facts)  # type: ignore[arg-type]


def filled(folder: Path, frames: tuple[int, ...] = (100, 100, 100, 100, 50)) -> TrainingSet:
    made = TrainingSet(folder, rig())
    for i, count in enumerate(frames):
        made = add_shot(made, shot(f"s{i}", count), rows(count))
    return made


def test_a_set_is_read_back_as_it_was(tmp_path: Path) -> None:
    made = filled(tmp_path)
    found = open_set(tmp_path)
    assert found.shots == made.shots
    np.testing.assert_array_equal(found.rig.deltas, made.rig.deltas)
    np.testing.assert_array_equal(found.read_rows(found.shots[0]).weights, rows(100).weights)


def test_a_mirrored_shot_is_read_so_again(tmp_path: Path) -> None:
    made = TrainingSet(tmp_path, rig())
    for name, mirror in (("plain", False), ("selfie", True)):
        made = add_shot(made, replace(shot(name, 30, mirror=mirror), video=str(CLIP)), rows(30))
    plain, selfie = (next(read_frames(made.open_shot_footage(one))).image for one in open_set(tmp_path).shots)
    np.testing.assert_array_equal(selfie, plain[:, ::-1])


def names(training_set: TrainingSet) -> tuple[list[str], list[str], list[str]]:
    """Shots to learn from, for validation and for test."""
    train, validation, test = ([s.name for s in part] for part in vars(training_set.split_shots()).values())
    return train, validation, test


def test_whole_shots_are_kept_and_one_is_always_left_to_learn_from(tmp_path: Path) -> None:
    made = filled(tmp_path)
    assert names(made) == (["s0", "s1", "s2"], ["s4"], ["s3"])
    named = replace(made, shots=tuple(replace(s, use="test" if s.name == "s0" else "auto") for s in made.shots))
    assert names(named) == (["s1", "s2", "s3"], ["s4"], ["s0"])
    assert names(replace(made, shots=made.shots[:1])) == (["s0"], [], [])
    # Of few shots none is kept for a test of its own: too little would be left to learn from.
    assert names(replace(made, shots=made.shots[:2])) == (["s0"], ["s1"], [])
    assert names(replace(made, shots=made.shots[:4])) == (["s0", "s1", "s2"], ["s3"], [])
    assert any(
        "too few recorded shots to keep some for a test" in note for note in check_set(filled(tmp_path, (9,) * 3))
    )


def test_drawings_that_are_added_last_do_not_alone_judge_an_actor(tmp_path: Path) -> None:
    made = filled(tmp_path, (100,) * 6)
    for i in range(6):
        made = add_shot(made, shot(f"d{i}", 200, source="drawn"), rows(200))
    train, validation, test = names(made)
    assert validation == ["s5", "d5"] and test == ["s4", "d4"] and len(train) == 8
    assert [s.name for s in made.choose_judges()] == ["s4", "d4"]
    few = replace(made, shots=(*made.shots[:2], *made.shots[6:]))
    assert names(few)[1:] == (["s1", "d5"], ["d4"])
    assert [s.name for s in few.choose_judges()] == ["s1", "d4"]  # no recorded test: those that chose, and it is said
    alone = replace(made, shots=(made.shots[0], *made.shots[6:]))
    assert any("only one recorded shot" in note for note in check_set(alone))


def test_sets_of_former_versions_are_split_and_read(tmp_path: Path) -> None:
    made = filled(tmp_path, (50,) * 5)
    facts = json.loads((tmp_path / "set.json").read_text())
    facts["format"] = 2
    for one in facts["shots"]:
        del one["poses"]
        one["source"] = "drawn"
    (tmp_path / "set.json").write_text(json.dumps(facts))
    found = open_set(tmp_path)
    assert names(found)[1:] == (["s4"], ["s3"]) == names(made)[1:]
    assert any("make the same faces in training and validation" in note for note in check_set(found))


def test_frames_that_are_learned_from_are_not_judged_by(tmp_path: Path) -> None:
    """Ranges of one clip: what counts is when a frame was taken, not its place in the range."""
    made = TrainingSet(tmp_path, rig())

    def add(name: str, first_s: float, frames: int, **facts: object) -> None:
        nonlocal made
        taken = replace(rows(frames), time_s=first_s + np.arange(frames) / 30)
        made = add_shot(made, replace(shot(name, frames, **facts), video="talk.mp4", start=f"{first_s}s"), taken)

    add("begin", 0.0, 300)
    add("end", 20.0, 300, use="validation")
    assert not any("are also in" in note for note in check_set(made))
    add("middle", 25.0, 300, use="train")
    assert [note for note in check_set(made) if "are also in" in note] == ["middle: 150 frames are also in end."]
    end = next(shot for shot in made.shots if shot.name == "end")
    assert find_kept_frames(made, end).tolist() == [True] * 150 + [False] * 150
    check_kept_frames(made)
    add("again", 18.0, 300, use="train")
    with pytest.raises(FacecapError, match=r"All that is kept for validation, end, .*") as error:
        check_kept_frames(made)
    assert "--start" in error.value.way_out
    other = replace(made, shots=tuple(replace(s, video="x.mp4") if s.name == "again" else s for s in made.shots))
    check_kept_frames(other)
    with pytest.raises(FacecapError, match="kept for validation or test"):
        check_kept_frames(replace(made, shots=(end,)))


def test_pictures_of_a_sequence_are_the_same_at_whatever_rate(tmp_path: Path) -> None:
    made = TrainingSet(tmp_path, rig())
    for name, fps, first in (("film", 24.0, 0), ("slow", 12.0, 20)):
        taken = replace(rows(30), time_s=(first + np.arange(30)) / fps)
        made = add_shot(made, replace(shot(name, 30), video="pictures", fps=fps), taken)
    assert find_shared_frames(made, made.shots[1], made.shots).tolist() == [True] * 10 + [False] * 20


def test_point_caches_come_back_and_other_meshes_are_refused(tmp_path: Path) -> None:
    made = TrainingSet(tmp_path, rig())
    cache = np.random.default_rng(1).normal(size=(20, 12, 3)).astype(np.float32)
    made = add_shot(made, shot("a", 20), rows(20), cache)
    np.testing.assert_array_equal(made.read_vertices(made.shots[0]), cache)
    with pytest.raises(FacecapError, match="9 vertices, the character 12"):
        add_shot(made, shot("b", 20), rows(20), cache[:, :9])
    broken = cache.copy()
    broken[3, 2, 1] = np.nan
    with pytest.raises(FacecapError, match="infinity"):
        add_shot(made, shot("b", 20), rows(20), broken)
    assert [s.name for s in open_set(tmp_path).shots] == ["a"]
    assert not (tmp_path / "shots" / "b.vertices.npy").exists()


@pytest.mark.parametrize("name", ["../evil", "a/b", "", ".hidden", "x" * 80])
def test_names_that_are_no_files_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FacecapError, match="cannot be called"):
        add_shot(TrainingSet(tmp_path, rig()), shot(name, 5), rows(5))


@pytest.mark.parametrize(
    "facts_of_shot",
    [{"name": "../../etc"}, {"rate_fps": float("nan")}, {"rate_fps": 0.0}, {"size_px": [0, 480]}, {"size_px": "wide"}],
)
def test_a_damaged_set_says_so(tmp_path: Path, facts_of_shot: dict[str, object]) -> None:
    with pytest.raises(FacecapError, match="no training set"):
        open_set(tmp_path)
    filled(tmp_path)
    facts = json.loads((tmp_path / "set.json").read_text())
    facts["shots"][0] |= facts_of_shot
    (tmp_path / "set.json").write_text(json.dumps(facts))
    with pytest.raises(FacecapError, match="damaged"):
        open_set(tmp_path)


def test_targets_follow_the_footages_clock_and_gaps_stay_gaps() -> None:
    source = np.concatenate([np.arange(0, 1, 1 / 60), np.arange(2, 3, 1 / 60)])
    values = np.stack([source * 2, -source], 1)
    wanted = np.array([-0.5, 0.105, 0.9833, 1.5, 2.51, 3.4])
    found, known = resample_targets(wanted, source, values)
    assert known.tolist() == [False, True, True, False, True, False]
    np.testing.assert_allclose(found[known], np.stack([wanted * 2, -wanted], 1)[known], atol=1e-5)
    with pytest.raises(FacecapError, match="backwards"):
        resample_targets(wanted, source[::-1], values)
    with pytest.raises(FacecapError, match="targets for"):
        resample_targets(wanted, source[:-1], values)
    row, near = find_nearest_rows(np.array([0.0, 0.51, 9.0]), np.arange(0, 1, 0.25))
    assert row[:2].tolist() == [0, 2] and near.tolist() == [True, True, False]


def test_targets_whose_timecode_repeats_are_no_gaps() -> None:
    """A recording of 60 frames a second whose timecode counts 30."""
    source = np.repeat(np.arange(30) / 30, 2)
    found, known = resample_targets(np.arange(1, 25) / 25, source, source[:, None])
    assert known[:-2].all()
    np.testing.assert_allclose(found[:-2, 0], np.arange(1, 23) / 25, atol=1e-6)
    assert find_nearest_rows(np.array([0.51]), source)[1].all()


def test_a_target_that_lags_behind_the_lips_is_found(tmp_path: Path) -> None:
    made = TrainingSet(tmp_path, rig())
    assert measure_target_lag_s(made, rows(400, lag=-6)) == pytest.approx(0.2, abs=0.035)
    late = add_shot(made, shot("late", 400), rows(400, lag=-6))
    assert any("0.20 s late" in note or "0.18 s late" in note or "0.22 s late" in note for note in check_set(late))
    good = add_shot(TrainingSet(tmp_path / "good", rig()), shot("good", 400), rows(400))
    assert not any("late" in note or "early" in note for note in check_set(good))


def test_unseen_faces_duplicates_and_targets_that_stand_still_are_named(tmp_path: Path) -> None:
    made = TrainingSet(tmp_path, rig())
    blind = rows(400)
    blind.box[:50] = np.nan
    blind.weights[100:200] = 0.3
    made = add_shot(made, shot("a", 400), blind)
    made = add_shot(made, replace(shot("b", 10), video="a.mp4"), rows(10))
    notes = " ".join(check_set(made))
    assert "no face is seen in 50 of 400" in notes
    assert "10 frames are also in a" in notes
    assert "does not change for 99 frames" in notes


def test_too_little_footage_is_said_with_how_much_is_lacking(tmp_path: Path) -> None:
    short = rows(60)
    seconds = 240 * float(np.median(np.diff(short.time_s)))
    notes = check_set(add_shot(TrainingSet(tmp_path, rig()), shot("a", 60), short))
    assert f"Too little footage (60 frames): add at least {seconds:.0f} seconds." in notes


def test_the_crop_holds_the_face_wherever_it_goes() -> None:
    boxes = np.array([[0.3, 0.3, 0.6, 0.7], [0.4, 0.25, 0.7, 0.65], [np.nan] * 4])
    left, top, width, height = propose_crop(boxes, (1600, 1200), 3 / 4)
    assert left < 0.3 and top < 0.25 and left + width > 0.7 and top + height > 0.7
    assert width * 1600 / (height * 1200) == pytest.approx(3 / 4)
    with pytest.raises(FacecapError, match="no face"):
        propose_crop(boxes[2:], (1600, 1200), 1.0)


def test_a_crop_shows_its_part_of_the_picture() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[20:60, 50:90] = 255
    white = cut(picture, (0.25, 0.2, 0.2, 0.4), PictureKind(40, 40))
    assert white.shape == (1, 40, 40) and white[:, 1:-1, 1:-1].min() == 255
    whole = cut(picture, (0.0, 0.0, 1.0, 1.0), PictureKind(100, 200, colour=True))
    np.testing.assert_array_equal(whole, picture.transpose(2, 0, 1))
    beyond = cut(np.full((10, 10, 3), 77, np.uint8), (-0.5, -0.5, 2.0, 2.0), PictureKind(20, 20))
    assert (beyond == 77).all()


def test_labelled_images_are_found_in_both_layouts(tmp_path: Path) -> None:
    def touch(*parts: str) -> None:
        path = tmp_path.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")

    for person in ("anna", "ben", "cleo"):
        for label in ("smile", "neutral"):
            touch("warehouse", person, "TrainingPose", f"{label}.png")
            touch("labels", label, f"{person}_01.jpg")
    for name in ("warehouse", "labels"):
        found = find_labelled_images(tmp_path / name)
        assert found.classes == ("neutral", "smile") and found.persons == ("anna", "ben", "cleo")
        assert sorted(zip(found.label, found.person, strict=True)) == [(c, p) for c in range(2) for p in range(3)]
        assert {found.persons[p] for p in found.person[select_validation_images(found)]} == {"cleo"}
    touch("one", "smile", "anna_01.png")
    with pytest.raises(FacecapError, match="same expression"):
        find_labelled_images(tmp_path / "one")
    with pytest.raises(FacecapError, match="no pictures"):
        (tmp_path / "none").mkdir()
        find_labelled_images(tmp_path / "none")
