"""Solving again replaces nothing: ranges are merged, earlier results are kept, clips of one name stay apart."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from facecap_addon.jobs.settings.filter import FilterSettings
from facecap_addon.takes.merge import reference_pose
from facecap_addon.takes.npz import load_take, save_take
from tests.jobs.solving import facecap, half_written, quick, run
from tests.jobs.test_command_line import needs_bpy
from tests.unit.takes.test_versions import make_take


def solve(video: Path, out: Path, **more: object) -> dict:
    return run("solve", quick(video, out, **more))


def shorter(video: Path, target: Path, frames: int) -> Path:
    """The first frames of a clip, written anew."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(video)) as source, av.open(str(target), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"qscale": "2"})
        for number, frame in enumerate(source.decode(video=0)):
            if number == frames:
                break
            if number == 0:
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
            container.mux(stream.encode(frame.reformat(format="yuv420p")))
        container.mux(stream.encode())
    return target


def keep_characters(solved: Path, folder: Path) -> None:
    """Spare a solve what takes long: the character as another one got to know it, where that did not come along."""
    known = solved / ".characters.facecap"
    if known.is_dir():
        shutil.copytree(known, folder / known.name)


@pytest.fixture(scope="module")
def solved(face_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A folder with the clip's whole take."""
    out = tmp_path_factory.mktemp("whole")
    return out, solve(face_clip, out)


def test_a_range_goes_into_the_clips_take_and_the_whole_one_is_kept(
    face_clip: Path, solved: tuple[Path, dict], tmp_path: Path
) -> None:
    shutil.copytree(solved[0], tmp_path / "out")
    out = tmp_path / "out"
    whole = load_take(out / "face.take.npz")
    result = solve(face_clip, out, start="12", end="26", smoothness=4.0)
    now = load_take(out / "face.take.npz")
    assert now.frame_count == result["summary"]["frames_decoded"] == 40
    outside = np.r_[0:12, 27:40]
    np.testing.assert_array_equal(now.weights[outside], whole.weights[outside])
    np.testing.assert_array_equal(now.head_translation_m[outside], whole.head_translation_m[outside])
    assert np.abs(now.weights[16:23] - whole.weights[16:23]).max() > 1e-3  # other settings, another curve
    step_mm = 1000 * np.linalg.norm(np.diff(now.head_translation_m, axis=0), axis=1)
    usual_mm = 1000 * np.linalg.norm(np.diff(whole.head_translation_m, axis=0), axis=1)
    assert step_mm[[11, 26]].max() < usual_mm.max() + 1.0
    np.testing.assert_array_equal(reference_pose(now), reference_pose(whole))
    assert len((out / "face.livelink.csv").read_text().splitlines()) == 41
    np.testing.assert_array_equal(load_take(Path(result["before"])).weights, whole.weights)
    np.testing.assert_array_equal(load_take(Path(result["version"])).weights, now.weights)
    assert any("merged into the clip's take" in line for line in result["summary"]["warnings"])
    assert result["summary"]["landmarks_reused"]
    assert half_written(out) == []


def test_a_range_may_be_a_take_of_its_own(face_clip: Path, solved: tuple[Path, dict], tmp_path: Path) -> None:
    shutil.copytree(solved[0], tmp_path / "out")
    whole = load_take(tmp_path / "out" / "face.take.npz")
    result = solve(face_clip, tmp_path / "out", start="12", end="26", merge=False)
    assert load_take(Path(result["take"])).frame_count == 15
    np.testing.assert_array_equal(load_take(Path(result["before"])).weights, whole.weights)


def test_a_range_goes_into_the_take_that_is_named(face_clip: Path, solved: tuple[Path, dict], tmp_path: Path) -> None:
    into = Path(solved[1]["version"])
    keep_characters(solved[0], tmp_path)
    result = solve(face_clip, tmp_path, start="12", end="26", into=into)
    whole, now = load_take(into), load_take(Path(result["take"]))
    assert now.frame_count == 40
    np.testing.assert_array_equal(now.weights[:12], whole.weights[:12])


def test_clips_of_one_name_do_not_replace_each_other(
    face_clip: Path, solved: tuple[Path, dict], tmp_path: Path
) -> None:
    shutil.copytree(solved[0], tmp_path / "out")
    out = tmp_path / "out"
    names = ("face.take.npz", "face.livelink.csv", "face.summary.json")
    before = {name: (out / name).read_bytes() for name in names}
    other = shorter(face_clip, tmp_path / "y" / "face.mp4", 12)
    done = facecap("solve", other, "--out", out, "--focal-px", "500", "--no-report", "--no-blend")
    assert done.returncode == 0, done.stderr
    assert "belongs to" in done.stdout and "face-2" in done.stdout
    assert {name: (out / name).read_bytes() for name in names} == before
    assert load_take(out / "face-2.take.npz").frame_count == 12
    assert json.loads((out / "face-2.summary.json").read_text(encoding="utf-8"))["frames_decoded"] == 12
    again = solve(other, out)
    assert Path(again["take"]).name == "face-2.take.npz" and again["summary"]["landmarks_reused"]


def test_a_range_of_another_cut_is_a_take_of_its_own(
    face_clip: Path, solved: tuple[Path, dict], tmp_path: Path
) -> None:
    shutil.copytree(solved[0], tmp_path / "out")
    clip = shorter(face_clip, tmp_path / "face.mp4", 30)
    origin = tmp_path / "out" / ".face.facecap" / "origin.json"
    origin.write_text(json.dumps({"path": str(clip), "key": "what the clip held before"}))
    whole = (tmp_path / "out" / "face.take.npz").read_bytes()
    result = solve(clip, tmp_path / "out", start="2", end="12")
    assert load_take(Path(result["take"])).frame_count == 11
    assert any("another cut" in line for line in result["summary"]["warnings"])
    assert Path(result["before"]).read_bytes() == whole


@needs_bpy
def test_the_result_never_replaces_the_characters_own_file(
    face_clip: Path, solved: tuple[Path, dict], tmp_path: Path
) -> None:
    keep_characters(solved[0], tmp_path)
    head = Path(__file__).resolve().parents[2] / "sample_scenes" / "head.blend"
    own = Path(shutil.copy(head, tmp_path / "face.blend"))
    before = own.read_bytes()
    done = facecap("solve", face_clip, "--out", tmp_path, "--character", own, "--end", "3", "--no-report")
    assert own.read_bytes() == before
    assert done.returncode == 0 and "face-2" in done.stdout, done.stderr


def test_a_filtered_take_replaces_no_other(tmp_path: Path) -> None:
    path = tmp_path / "talk.take.npz"
    save_take(path, make_take(60))
    solve = path.read_bytes()
    first = run("filter", FilterSettings(take=path, cutoff_hz=4.0, plot=False))
    smooth = load_take(Path(first["take"])).weights
    second = run("filter", FilterSettings(take=path, cutoff_hz=1.0, plot=False))
    assert second["take"] == first["take"] == str(tmp_path / "talk.filtered.take.npz")
    kept = Path(second["lines"][-1].partition("kept: ")[2])
    np.testing.assert_array_equal(load_take(kept).weights, smooth)
    assert (kept.parent / "talk.filtered.livelink.csv").is_file()
    assert path.read_bytes() == solve
