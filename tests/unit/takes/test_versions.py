"""A take is never lost or mixed up: ranges go into it, what had its name is kept, and clips of one name stay apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.takes.merge import merge_takes, reference_pose, rows_of, solved_range
from facecap_addon.takes.names import Origin, claim_stem
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.take import STATUS_MISSING, STATUS_SOLVED, Take
from facecap_addon.takes.versions import add_id, find_take, home_of, id_of, keep


def make_take(frames: int = 60, seed: int = 3, rate: float = 25.0, missing: tuple[int, ...] = ()) -> Take:
    rng = np.random.default_rng(seed)
    time_s = np.arange(frames) / rate
    angle = 0.3 * np.sin(2 * time_s)
    status = np.full(frames, STATUS_SOLVED, np.int8)
    status[list(missing)] = STATUS_MISSING
    zero = np.zeros(frames)
    return Take(
        time_s=time_s,
        channels=("jawOpen", "mouthSmileLeft"),
        weights=(0.5 + 0.3 * np.sin(3 * time_s[:, None] + rng.uniform(0, 1, 2))).astype(np.float32),
        head_rotation_wxyz=np.stack([np.cos(angle / 2), zero, zero, np.sin(angle / 2)], 1).astype(np.float32),
        head_translation_m=np.stack([0.01 * np.sin(time_s), zero, 0.6 + zero], 1).astype(np.float32),
        gaze_rad=np.zeros((frames, 2, 2), np.float32),
        confidence=np.ones((frames, 6), np.float32),
        regions=("brows", "eyes", "nose", "cheeks", "mouth", "jaw"),
        status=status,
        landmarks_px=np.zeros((frames, 4, 2), np.float32),
        residual_px=np.ones(frames, np.float32),
        image_size=(640, 480),
        focal_px=700.0,
        provenance={"source": "/clips/x/take.mp4", "settings": {"video": "/clips/x/take.mp4"}},
    )


def moved_range(take: Take, first: int, last: int, by_m: float = 0.012) -> Take:
    """Rows of a take with other weights and the head elsewhere, as a solve with another neutral gives."""
    rows = np.zeros(take.frame_count, bool)
    rows[first : last + 1] = True
    part = rows_of(take, rows)
    away = part.head_translation_m + np.array([by_m, 0, 0], np.float32)
    return replace(part, weights=1 - part.weights, head_translation_m=away.astype(np.float32))


def steps_mm(take: Take) -> np.ndarray:
    return 1000 * np.linalg.norm(np.diff(take.head_translation_m, axis=0), axis=1)


def test_a_range_goes_into_its_take_without_a_jump_and_leaves_the_rest_to_the_bit() -> None:
    base = make_take()
    part = moved_range(base, 20, 40)
    result = merge_takes(base, part)
    outside = np.ones(60, bool)
    outside[20:41] = False
    assert result.frame_count == 60
    for name in ("weights", "head_translation_m", "head_rotation_wxyz", "gaze_rad", "status"):
        np.testing.assert_array_equal(getattr(result, name)[outside], getattr(base, name)[outside])
    np.testing.assert_array_equal(result.weights[26:35], part.weights[6:15])
    jump = np.concatenate([base.head_translation_m[:20], part.head_translation_m, base.head_translation_m[41:]])
    assert 1000 * np.linalg.norm(np.diff(jump, axis=0), axis=1).max() > 11.5  # what was to be seen
    assert steps_mm(result).max() < 5.0
    assert np.abs(np.diff(result.weights, axis=0)).max() < 0.35
    assert solved_range(result) == (pytest.approx(0.8), pytest.approx(1.6))
    np.testing.assert_array_equal(reference_pose(result), reference_pose(base))


def test_the_reference_stays_the_first_takes_however_often_ranges_are_solved() -> None:
    base = make_take()
    once = merge_takes(base, moved_range(base, 0, 30))
    twice = merge_takes(once, moved_range(once, 25, 59))
    np.testing.assert_array_equal(reference_pose(twice), reference_pose(base))


def test_a_range_that_reaches_the_ends_is_not_faded_there() -> None:
    base = make_take()
    part = moved_range(base, 0, 20)
    np.testing.assert_array_equal(merge_takes(base, part).weights[0], part.weights[0])
    part = moved_range(base, 40, 59)
    np.testing.assert_array_equal(merge_takes(base, part).weights[-1], part.weights[-1])


def test_frames_without_a_face_are_taken_from_where_there_is_one() -> None:
    base = make_take(missing=(20, 28))
    whole = make_take(missing=(30,))
    part = moved_range(whole, 20, 40)
    result = merge_takes(base, part)
    assert result.solved.all()
    np.testing.assert_array_equal(result.weights[20], part.weights[0])
    np.testing.assert_array_equal(result.weights[30], base.weights[30])


def test_a_range_that_reaches_beyond_its_take_makes_it_longer() -> None:
    whole = make_take()
    base = rows_of(whole, np.arange(60) < 30)
    result = merge_takes(base, moved_range(whole, 25, 59))
    np.testing.assert_allclose(result.time_s, whole.time_s)
    assert result.solved.all()
    assert steps_mm(result).max() < 8.0


def test_what_looks_ahead_is_the_takes() -> None:
    base = replace(make_take(), gaze_rad=np.full((60, 2, 2), 0.1, np.float32))
    part = replace(moved_range(base, 20, 40), gaze_rad=np.full((21, 2, 2), -0.2, np.float32))
    np.testing.assert_allclose(merge_takes(base, part).gaze_rad, 0.1, atol=1e-6)


def test_a_range_of_another_character_is_refused() -> None:
    base = make_take()
    with pytest.raises(FacecapError, match="does not fit"):
        merge_takes(base, replace(moved_range(base, 3, 9), channels=("a", "b")))


def test_every_take_that_had_a_name_is_kept(tmp_path: Path) -> None:
    kept = []
    for seed in range(3):
        keep(tmp_path, "take", [tmp_path / "take.take.npz", tmp_path / "take.livelink.csv"])
        save_take(tmp_path / "take.take.npz", add_id(make_take(seed=seed)))
        (tmp_path / "take.livelink.csv").write_text(f"curves {seed}")
        kept.append(keep(tmp_path, "take", [tmp_path / "take.take.npz", tmp_path / "take.livelink.csv"]))
    assert len(set(kept)) == 3
    for seed, path in enumerate(kept):
        assert path is not None
        np.testing.assert_array_equal(load_take(path).weights, make_take(seed=seed).weights)
        assert (path.parent / "take.livelink.csv").read_text() == f"curves {seed}"
        assert home_of(path) == tmp_path
    assert home_of(tmp_path / "take.take.npz") == tmp_path


def test_results_of_earlier_versions_and_edited_ones_are_kept_too(tmp_path: Path) -> None:
    old = make_take(seed=8)
    save_take(tmp_path / "take.take.npz", old)  # has no id
    (tmp_path / "take.blend").write_text("as solved")
    files = [tmp_path / "take.take.npz", tmp_path / "take.blend"]
    first = keep(tmp_path, "take", files)
    assert first is not None and first.parent.name == id_of(old, files[0])
    assert keep(tmp_path, "take", files) == first
    assert sorted(p.name for p in first.parent.iterdir()) == ["take.blend", "take.take.npz"]
    files[1].unlink()
    files[1].write_text("worked in since")  # as programs save: another file under the same name
    keep(tmp_path, "take", files)
    assert (first.parent / "take.blend").read_text() == "as solved"
    assert [p.read_text() for p in first.parent.glob("changed-*/take.blend")] == ["worked in since"]


def test_a_version_that_was_cleared_away_is_found_under_its_name_only_if_it_is_the_same(tmp_path: Path) -> None:
    named = tmp_path / "take.take.npz"
    save_take(named, add_id(make_take(seed=1)))
    path = keep(tmp_path, "take", [named])
    assert path is not None and find_take(path) == path
    path.unlink()
    assert find_take(path) == named
    save_take(named, add_id(make_take(seed=2)))
    with pytest.raises(FacecapError, match="no longer there"):
        find_take(path)


def test_clips_of_one_name_get_names_of_their_own(tmp_path: Path) -> None:
    for folder in "xyz":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "take.mp4").write_text(folder)
    out = tmp_path / "out"
    one, other, third = (Origin(str(tmp_path / folder / "take.mp4"), f"content {folder}") for folder in "xyz")
    assert claim_stem(out, "take", one) == ("take", "")
    assert claim_stem(out, "take", other) == ("take-2", one.path)
    assert claim_stem(out, "take", third)[0] == "take-3"
    assert claim_stem(out, "take", one) == ("take", "")
    assert claim_stem(out, "take", other)[0] == "take-2"
    moved = Origin(str(tmp_path / "elsewhere.mp4"), other.key)
    assert claim_stem(out, "take", moved)[0] == "take-2"
    cut_again = Origin(one.path, "another cut")
    assert claim_stem(out, "take", cut_again)[0] == "take"
    assert claim_stem(out, "take", replace(cut_again, path="/elsewhere/take.mp4"))[0] == "take"


def test_a_name_that_earlier_versions_or_the_user_took_is_left_alone(tmp_path: Path) -> None:
    clip = tmp_path / "take.mp4"
    clip.write_text("clip")
    save_take(tmp_path / "take.take.npz", replace(make_take(), provenance={"source": str(clip)}))
    assert claim_stem(tmp_path, "take", Origin(str(clip), "key"))[0] == "take"
    (tmp_path / "hero.blend").write_text("the user's own")
    name, taken_by = claim_stem(tmp_path, "hero", Origin(str(tmp_path / "hero.mp4"), "other key"))
    assert (name, bool(taken_by)) == ("hero-2", True)


def test_a_note_of_whose_a_name_is_that_cannot_be_read_belongs_to_nobody(tmp_path: Path) -> None:
    (tmp_path / ".take.facecap").mkdir()
    (tmp_path / ".take.facecap" / "origin.json").write_text("")
    assert claim_stem(tmp_path, "take", Origin("/clips/take.mp4", "key")) == ("take", "")
    assert claim_stem(tmp_path, "take", Origin("/other/take.mp4", "other"))[0] == "take-2"
