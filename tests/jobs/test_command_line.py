"""The command line: what it prints, writes and answers."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from facecap_addon.jobs.cli.main import main
from facecap_addon.jobs.runtime.events import JobError, JobResult, decode_event
from facecap_addon.jobs.runtime.progress import Progress
from facecap_addon.takes.npz import load_take
from tests.jobs.solving import QUICK_FLAGS, facecap, half_written, interrupt, start_facecap
from tests.patience import PATIENCE_S, wait_until

ROOT = Path(__file__).resolve().parents[2]
HEAD = ROOT / "sample_scenes" / "head.blend"
needs_bpy = pytest.mark.skipif(
    shutil.which("blender") is None and not any((Path(p) / "bpy").is_dir() for p in sys.path),
    reason="there is no Blender to open .blend files with",
)


def write_plain_video(path: Path, frames: int = 30) -> Path:
    """Noise: no face in it."""
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(frames):
            picture = rng.integers(0, 255, (120, 160, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """A second of silence, and no pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@needs_bpy
def test_everything_is_written_and_agrees(face_clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Größe 脸 und Leerzeichen"
    folder.mkdir()
    video = folder / "Réplique №1.mp4"
    shutil.copy(face_clip, video)
    out = folder / "Ergebnis"
    done = facecap("solve", video, "--out", out, "--start", "4", "--end", "23", "--lens-mm", "50", "--preview")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir() if path.name[0] != ".") == [
        "Réplique №1.blend",
        "Réplique №1.livelink.csv",
        "Réplique №1.preview.mp4",
        "Réplique №1.report.html",
        "Réplique №1.summary.json",
        "Réplique №1.take.npz",
        "summary.json",
    ]
    assert half_written(folder) == []
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    take = load_take(out / "Réplique №1.take.npz")
    assert take.frame_count == summary["frames_decoded"] == summary["frames_solved"] == 20
    assert summary["frames_missing"] == 0
    assert take.time_s[0] == pytest.approx(4 / 25)
    assert take.focal_px == pytest.approx(50 / 36 * 352)
    assert len((out / "Réplique №1.livelink.csv").read_text().splitlines()) == 21
    with av.open(str(out / "Réplique №1.preview.mp4")) as preview:
        assert sum(1 for _ in preview.decode(video=0)) == 20
    stages = {name: seconds for name, seconds in summary["seconds"].items() if name != "total"}
    assert set(stages) == {"open", "landmarks", "character", "fit", "files", "check", "preview", "proxy", "blend"}
    assert sum(stages.values()) == pytest.approx(summary["seconds"]["total"], rel=0.05)
    assert summary["fps"] == pytest.approx(20 / summary["seconds"]["total"])
    assert 0 < summary["residual_px"] < 10
    report = (out / "Réplique №1.report.html").read_text(encoding="utf-8")
    assert "Footage and head" in report and all(0 < share < 3 for share in summary["head_shows"].values())
    assert {"facecap", "python", "numpy", "onnxruntime"} <= set(summary["versions"])


@needs_bpy
def test_a_character_out_of_a_blend_file(face_clip: Path, tmp_path: Path) -> None:
    head = tmp_path / "kopf.blend"
    shutil.copy(HEAD, head)
    flags = ("--out", tmp_path / "out", "--focal-px", "500", "--no-preview", "--end", "9")
    before = head.read_bytes()
    done = facecap("solve", face_clip, "--character", f"{head}:Head", *flags)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "face.blend").is_file()
    assert head.read_bytes() == before
    wrong = facecap("solve", face_clip, "--character", f"{head}:Kopf", *flags)
    assert wrong.returncode == 2 and "Kopf" in wrong.stderr


def test_json_lines_and_nothing_else(face_clip: Path, tmp_path: Path) -> None:
    done = facecap("solve", face_clip, "--out", tmp_path, "--json", *QUICK_FLAGS)
    events = [decode_event(line) for line in done.stdout.splitlines()]
    assert None not in events
    *steps, last = events
    assert all(isinstance(event, Progress) for event in steps)
    assert isinstance(last, JobResult)
    assert Path(last.result["take"]).is_file()
    stages = list(dict.fromkeys(event.stage for event in steps if isinstance(event, Progress)))
    assert stages == ["open", "character", "landmarks", "fit", "files"]  # what is wrong with a character is said first
    landmarks = [event.done for event in steps if isinstance(event, Progress) and event.stage == "landmarks"]
    assert landmarks == sorted(landmarks) and landmarks[-1] == 40


def test_json_errors_too(tmp_path: Path) -> None:
    done = facecap("solve", tmp_path / "missing.mp4", "--out", tmp_path / "out", "--json")
    last = decode_event(done.stdout.splitlines()[-1])
    assert isinstance(last, JobError) and last.exit_code == done.returncode == 2


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "truncated", "sound", "folder"])
def test_bad_footage_is_refused_and_writes_nothing(
    kind: str, models: Path, face_clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    video = tmp_path / f"{kind}.mp4"
    if kind == "empty":
        video.write_bytes(b"")
    elif kind == "text":
        video.write_text("not a video\n" * 100)
    elif kind == "truncated":
        video.write_bytes(face_clip.read_bytes()[:600])
    elif kind == "sound":
        video = write_sound(tmp_path / "sound.wav")
    elif kind == "folder":
        video.mkdir()
    out = tmp_path / "out"
    assert main(["solve", str(video), "--out", str(out)]) == 2
    said = capfd.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("facecap: ") and video.name in said
    assert not out.exists()


def test_footage_without_a_face_has_an_exit_code_of_its_own(
    models: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    video = write_plain_video(tmp_path / "noise.mp4")
    assert main(["solve", str(video), "--out", str(tmp_path / "out"), *QUICK_FLAGS]) == 3
    assert "30 frames" in capfd.readouterr().err
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name[0] != "."] == []


@pytest.mark.parametrize(
    "flags",
    [
        ["--smoothness", "-1"],
        ["--smoothness", "smooth"],
        ["--start", "yesterday"],
        ["--start", "500"],
        ["--start", "30", "--end", "10"],
        ["--fps", "25"],
        ["--landmarker", "dlib"],
        ["--neutral", "4000"],
        ["--character", "nobody.blend"],
        ["--character", __file__],
        ["--actor", "nobody.actor.json"],
        ["--actor", __file__],
        ["--mouth-scale", "5"],
        ["--unknown"],
    ],
    ids=" ".join,
)
def test_bad_choices_are_refused(
    flags: list[str], face_clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["solve", str(face_clip), "--out", str(tmp_path / "out"), *QUICK_FLAGS, *flags]) == 2
    assert len(capfd.readouterr().err.strip().splitlines()[-1]) > 20


def test_an_output_that_cannot_be_written_shows_before_the_work(
    face_clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    in_the_way = tmp_path / "notes.txt"
    in_the_way.write_text("mine")
    for out in (in_the_way, in_the_way / "results"):
        assert main(["solve", str(face_clip), "--out", str(out), *QUICK_FLAGS]) == 2
        assert "notes.txt" in capfd.readouterr().err
    assert in_the_way.read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="file size limits are POSIX")
@pytest.mark.parametrize("limit", [2_000, 40_000, 250_000])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(limit: int, face_clip: Path, tmp_path: Path) -> None:
    import resource

    def no_large_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    out = tmp_path / "out"
    full = facecap("solve", face_clip, "--out", out, *QUICK_FLAGS, preexec_fn=no_large_files)
    assert full.returncode == 2, full.stderr
    assert "disk is full" in full.stderr
    assert half_written(out) == []
    assert not (out / "summary.json").exists()
    assert facecap("solve", face_clip, "--out", out, *QUICK_FLAGS).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent as a signal")
@pytest.mark.parametrize("stage", ["", "open", "landmarks", "fit", "preview", "blend"])
def test_ctrl_c_at_any_moment(stage: str, face_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start_facecap("solve", face_clip, "--out", out, "--focal-px", "500", "--json", "--preview")
    assert process.stdout is not None
    if stage:
        for line in process.stdout:
            event = decode_event(line)
            if isinstance(event, Progress) and event.stage == stage:
                break
            assert not isinstance(event, JobResult), f"the solve never came to {stage}"
    interrupt(process)
    _, said = process.communicate(timeout=PATIENCE_S)
    # Before our handler is in place the interpreter itself answers, or does not come to life at all.
    if stage or (process.returncode != -2 and "Fatal Python error" not in said):
        assert process.returncode == 130, said
    assert "Traceback" not in said or not stage
    assert half_written(out) == []
    assert not (out / "summary.json").exists()


def killed_midway(video: Path, out: Path) -> bool:
    """Kill a solve when the first landmarks are kept; whether it had not come to the last ones yet."""
    process = start_facecap("solve", video, "--out", out, *QUICK_FLAGS)
    wait_until(lambda: list(out.rglob("chunk-000000.npz")) or process.poll() is not None)
    process.kill()
    process.wait()
    return bool(list(out.rglob("chunk-000000.npz")))


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is POSIX")
def test_killed_and_run_again_gives_the_same_take(models: Path, tmp_path: Path) -> None:
    from tests.blender.face_video import write_face_video

    video = write_face_video(tmp_path / "long.mp4", frames=320)
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert facecap("solve", video, "--out", whole, *QUICK_FLAGS).returncode == 0
    while not killed_midway(video, resumed):
        shutil.rmtree(resumed)  # it was done before this process, on a busy machine, came to kill it
    again = facecap("solve", video, "--out", resumed, *QUICK_FLAGS)
    assert again.returncode == 0, again.stderr
    assert "Going on from frame 256" in again.stderr
    one, other = (load_take(folder / "long.take.npz") for folder in (whole, resumed))
    # Bit for bit, as promised: on one machine the same products of the same sizes, each on one thread.
    for name in ("time_s", "weights", "head_rotation_wxyz", "head_translation_m", "gaze_rad", "landmarks_px"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_landmarks_are_used_again_when_only_the_fit_changes(face_clip: Path, tmp_path: Path) -> None:
    def summary(*flags: str) -> dict[str, object]:
        assert main(["solve", str(face_clip), "--out", str(tmp_path), *QUICK_FLAGS, *flags]) == 0
        return json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))

    assert summary()["landmarks_reused"] is False
    assert summary("--smoothness", "3")["landmarks_reused"] is True
    merged = summary("--end", "19")
    assert (merged["frames_decoded"], merged["landmarks_reused"]) == (40, True)
    assert summary("--end", "19", "--no-merge")["frames_decoded"] == 20
    assert summary()["landmarks_reused"] is True  # a range that was looked at for itself does not cost them


def test_two_faces_are_reported(face_clip: Path, tmp_path: Path) -> None:
    video = tmp_path / "two.mp4"
    with av.open(str(face_clip)) as source, av.open(str(video), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 704, 288, "yuv420p", 6_000_000
        for frame in source.decode(video=0):
            picture = frame.to_ndarray(format="rgb24")
            both = np.ascontiguousarray(np.concatenate([picture, picture], axis=1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(both, format="rgb24")))
        container.mux(stream.encode())
    assert main(["solve", str(video), "--out", str(tmp_path / "out"), *QUICK_FLAGS]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert any("2 faces" in warning for warning in summary["warnings"])


def test_doctor_finds_everything(models: Path) -> None:
    done = facecap("doctor", "--json")
    assert done.returncode == 0, done.stdout
    found = {check["name"]: check for check in json.loads(done.stdout)}
    assert found["onnxruntime"]["ok"] and found["landmark networks"]["ok"] and found["sample head"]["ok"]
    assert found["prior and generators"]["ok"] and found["processor"]["detail"]


def test_help_names_every_flag_and_exit_code() -> None:
    done = facecap("solve", "--help")
    assert done.returncode == 0
    for word in ("--character", "--start", "--end", "--neutral", "--out", "--json", "130 cancelled"):
        assert word in done.stdout
    assert facecap("--version").stdout.startswith("facecap ")
