"""The Live Link Face CSV: Apple's columns, units and signs; true times; gaps where there was no face."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from facecap_addon.errors import FacecapError
from facecap_addon.takes.formats.live_link import (
    LIVE_LINK_SHAPES,
    format_timecode,
    read_live_link_csv,
    write_live_link_csv,
)
from facecap_addon.takes.formats.recording import notes_of
from facecap_addon.takes.take import REGIONS, Take

RECORDED = Path(__file__).parents[4] / "shared" / "data" / "curves" / "alex_rom_3.csv"
FRONTAL = Rotation.from_euler("x", 90, degrees=True)


def take_with(
    time_s: list[float], channels: tuple[str, ...] = ("jawOpen",), head: Rotation | None = None, **changes: object
) -> Take:
    frames = len(time_s)
    rotation = (head or FRONTAL).as_quat()[[3, 0, 1, 2]]
    take = Take(
        time_s=np.array(time_s, np.float64),
        channels=channels,
        weights=np.random.default_rng(3).uniform(0, 1, (frames, len(channels))).astype(np.float32),
        head_rotation_wxyz=np.tile(rotation, (frames, 1)).astype(np.float32),
        head_translation_m=np.zeros((frames, 3), np.float32),
        gaze_rad=np.zeros((frames, 2, 2), np.float32),
        confidence=np.ones((frames, len(REGIONS)), np.float32),
        regions=REGIONS,
        status=np.ones(frames, np.int8),
        landmarks_px=np.zeros((frames, 0, 2), np.float32),
        residual_px=np.zeros(frames, np.float32),
        image_size=(640, 480),
        focal_px=700.0,
    )
    return replace(take, **changes)  # type: ignore[arg-type]


def first_row(path: Path) -> dict[str, float]:
    with path.open() as stream:
        row = next(csv.DictReader(stream))
    return {name: float(value) for name, value in row.items() if name != "Timecode"}


def test_round_trip_with_irregular_times_and_missing_frames(tmp_path: Path) -> None:
    channels = tuple(name[0].lower() + name[1:] for name in LIVE_LINK_SHAPES)
    rng = np.random.default_rng(0)
    time_s = np.cumsum(rng.uniform(0.005, 0.05, 200)) + 57.0  # passes a full minute
    take = take_with(list(time_s), channels)
    status = np.ones(200, np.int8)
    status[[0, 50, 51, 199]] = 0
    heads = [Rotation.from_rotvec(turn) * FRONTAL for turn in rng.uniform(-0.8, 0.8, (200, 3))]
    take = replace(
        take,
        status=status,
        gaze_rad=rng.uniform(-0.5, 0.5, (200, 2, 2)).astype(np.float32),
        head_rotation_wxyz=np.array([h.as_quat()[[3, 0, 1, 2]] for h in heads], np.float32),
    )
    export = write_live_link_csv(tmp_path / "a.livelink.csv", take)
    assert (export.rows, export.left_out, export.not_in_take) == (196, (), ())
    back = read_live_link_csv(tmp_path / "a.livelink.csv", time_origin_s=0.0)
    kept = take.solved
    assert_allclose(back.time_s, time_s[kept], atol=1e-5)
    assert back.channels == take.channels
    assert_allclose(back.weights, take.weights[kept], atol=1e-7)
    assert_allclose(back.gaze_rad, take.gaze_rad[kept], atol=1e-6)
    same = np.abs((back.head_rotation_wxyz * take.head_rotation_wxyz[kept]).sum(axis=1))
    assert_allclose(same, 1.0, atol=1e-6)


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded take is not here")
def test_the_layout_is_that_of_a_recorded_take(tmp_path: Path) -> None:
    take = read_live_link_csv(RECORDED)
    assert take.frame_count == 4030
    assert take.time_s[-1] == pytest.approx(134.3818, abs=1e-3)
    assert_allclose(np.diff(take.time_s[:400]), 1 / 30, atol=2e-4)
    write_live_link_csv(tmp_path / "again.csv", take)
    with RECORDED.open() as ours, (tmp_path / "again.csv").open() as theirs:
        rows, again = list(csv.reader(ours)), list(csv.reader(theirs))
    assert again[0] == rows[0]
    for a, b in zip(again[1:], rows[1:], strict=True):
        assert_allclose([float(v) for v in a[1:]], [float(v) for v in b[1:]], atol=1e-6)
    # Apple's eyes look down when the shape that lowers them rises, and turn towards the nose when "In" rises.
    down = take.weights[:, take.channels.index("eyeLookDownLeft")]
    inwards = take.weights[:, take.channels.index("eyeLookInLeft")]
    outwards = take.weights[:, take.channels.index("eyeLookOutLeft")]
    assert np.corrcoef(down, take.gaze_rad[:, 1, 1])[0, 1] < -0.8
    assert np.corrcoef(outwards - inwards, take.gaze_rad[:, 1, 0])[0, 1] > 0.8


@pytest.mark.parametrize(
    ("turn", "column", "sign"),
    [
        # Camera space: x right, y down, z forward. The character faces the camera; her left is the picture's right.
        (("y", 0.4), "HeadYaw", 1),  # nose to the picture's left: her right
        (("x", 0.4), "HeadPitch", 1),  # nose down
        (("z", 0.4), "HeadRoll", 1),  # her right ear up
    ],
)
def test_head_angles_have_apples_signs(tmp_path: Path, turn: tuple[str, float], column: str, sign: int) -> None:
    turned = Rotation.from_euler(*turn)
    head = turned * FRONTAL
    nose, left_ear = head.apply([0, -1, 0]), head.apply([1, 0, 0])
    checks = {"HeadYaw": -nose[0], "HeadPitch": nose[1], "HeadRoll": left_ear[1]}
    assert checks[column] > 0.3
    write_live_link_csv(tmp_path / "a.csv", take_with([0.0], head=head))
    row = first_row(tmp_path / "a.csv")
    assert row[column] == pytest.approx(sign * 0.4, abs=1e-6)
    others = {"HeadYaw", "HeadPitch", "HeadRoll"} - {column}
    assert all(abs(row[name]) < 1e-6 for name in others)


def test_eyes_are_written_by_side(tmp_path: Path) -> None:
    gaze = np.array([[[0.1, 0.2], [-0.3, -0.05]]], np.float32)  # right eye, left eye; yaw left, pitch up
    write_live_link_csv(tmp_path / "a.csv", take_with([0.0], gaze_rad=gaze))
    row = first_row(tmp_path / "a.csv")
    assert_allclose([row["RightEyeYaw"], row["RightEyePitch"]], [-0.1, -0.2], atol=1e-6)
    assert_allclose([row["LeftEyeYaw"], row["LeftEyePitch"]], [0.3, 0.05], atol=1e-6)


def test_foreign_channels_are_left_out_and_reported(tmp_path: Path) -> None:
    take = take_with([0.0, 0.04], ("JawOpen", "smirk", "Mund_auf", "eyeBlink_L"))
    export = write_live_link_csv(tmp_path / "a.csv", take, arkit_names={"eyeBlink_L": "eyeBlinkLeft"})
    assert export.left_out == ("smirk", "Mund_auf")
    assert len(export.not_in_take) == 50
    row = first_row(tmp_path / "a.csv")
    assert row["JawOpen"] == pytest.approx(take.weights[0, 0])
    assert row["EyeBlinkLeft"] == pytest.approx(take.weights[0, 3])
    assert row["BlendShapeCount"] == 61


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (0.0, "00:00:00:00.000"),
        (1.5, "00:00:01:30.000"),
        (0.0125, "00:00:00:00.750"),
        (3661.0, "01:01:01:00.000"),
        (0.9999999, "00:00:01:00.000"),
        (86400.0, "00:00:00:00.000"),
    ],
)
def test_timecode(time_s: float, text: str) -> None:
    assert format_timecode(time_s) == text


def rows_at(path: Path, timecodes: list[str], count: int = 61) -> Path:
    header = ["Timecode", "BlendshapeCount", *LIVE_LINK_SHAPES]
    lines = [",".join(header)] + [f"{code},{count}," + ",".join(["0.5"] * 52) for code in timecodes]
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig")
    return path


def test_recordings_at_other_rates_over_midnight_and_without_angles(tmp_path: Path) -> None:
    codes = [f"23:59:{58 + i // 24}:{i % 24:02d}.000" for i in range(48)] + ["00:00:00:00.000", "00:00:00:12.000"]
    take = read_live_link_csv(rows_at(tmp_path / "a.csv", codes))
    assert_allclose(take.time_s[[0, 24, 47, 48, 49]], [0, 1, 1 + 23 / 24, 2, 2.5], atol=1e-9)
    assert_allclose(take.weights, 0.5)
    assert_allclose(take.gaze_rad, 0.0)


def test_rows_without_a_face_are_missing_frames(tmp_path: Path) -> None:
    path = rows_at(tmp_path / "a.csv", ["00:00:00:00.000", "00:00:00:02.000"])
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    path.write_text("\n".join([*lines, "00:00:00:04.000,0"]))
    take = read_live_link_csv(path)
    assert take.status.tolist() == [1, 1, 0]
    assert take.weights[2].max() == 0


@pytest.mark.parametrize("content", ["", "Timecode,BlendShapeCount\n", "a,b\n1,2\n", "\x00\x01", "ROW"])
def test_what_is_no_recording(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(content)
    if content == "ROW":
        rows_at(path, ["00:00:00:00.000"])
        path.write_text(path.read_text().replace("0.5", "half"))
    with pytest.raises(FacecapError, match=r"x\.csv"):
        read_live_link_csv(path)


TRUTH = np.sin(np.arange(60) / 7.0) ** 2


def table(decimal: str = ".", separator: str = ",") -> list[list[str]]:
    """A header and sixty rows whose jaw opens and shuts."""
    rows = [["Timecode", "BlendShapeCount", *LIVE_LINK_SHAPES]]
    for i, opened in enumerate(TRUTH):
        values = [f"{opened:.6f}".replace(".", decimal) if n == "JawOpen" else "0" for n in LIVE_LINK_SHAPES]
        rows.append([f"00:00:{i // 25:02d}:{i % 25:02d}.000", "52", *values])
    return rows


def saved(path: Path, rows: list[list[str]], separator: str = ",", encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(separator.join(row) for row in rows) + "\n", encoding=encoding)
    return path


def jaw(take: Take) -> np.ndarray:
    return take.weights[:, take.channels.index("jawOpen")]


@pytest.mark.parametrize(
    ("separator", "decimal", "encoding"),
    [(";", ",", "utf-8"), ("\t", ".", "utf-16"), ("\t", ",", "utf-16-le"), (",", ".", "utf-8-sig")],
)
def test_what_a_spreadsheet_program_saves_is_read(tmp_path: Path, separator: str, decimal: str, encoding: str) -> None:
    take = read_live_link_csv(saved(tmp_path / "a.csv", table(decimal), separator, encoding))
    assert_allclose(jaw(take), TRUTH, atol=1e-6)
    assert_allclose(take.time_s, np.arange(60) / 25, atol=1e-9)
    assert notes_of(take) == []


def test_rows_that_cannot_be_read_are_left_out_and_named(tmp_path: Path) -> None:
    rows = table()
    rows[10] = rows[10][:20]  # cut off
    rows[20][0] = "soon"
    rows[30][0] = "00:00:00:03.000"  # backwards
    rows[40][0] = "00:59:00:00.000"  # leaps ahead; what follows runs backwards from it, and is right
    rows[50][rows[0].index("JawOpen")] = ""
    rows[55][1:] = [""] * len(rows[55][1:])
    take = read_live_link_csv(saved(tmp_path / "a.csv", rows))
    there = np.setdiff1d(np.arange(60), [9, 19, 29, 39])
    assert_allclose(take.time_s, there / 25, atol=1e-9)
    wanted = np.where(there == 49, 0.5 * (TRUTH[48] + TRUTH[50]), TRUTH[there])
    assert_allclose(jaw(take)[there != 54], wanted[there != 54], atol=1e-6)
    assert there[~take.solved].tolist() == [54]
    said = " ".join(notes_of(take))
    for part in (
        "line 11) cut off",
        "line 21) without a timecode",
        "lines 31, 41) whose timecode",
        "line 51)",
        "line 56)",
    ):
        assert part in said, said


def test_a_missing_column_gives_no_channel(tmp_path: Path) -> None:
    rows = table()
    gone = rows[0].index("TongueOut")
    take = read_live_link_csv(saved(tmp_path / "a.csv", [row[:gone] + row[gone + 1 :] for row in rows]))
    assert len(take.channels) == 51 and "tongueOut" not in take.channels
    assert_allclose(jaw(take), TRUTH, atol=1e-6)
    assert "no column TongueOut" in notes_of(take)[0]


def test_of_two_recordings_in_one_file_the_longer_is_read_unless_they_follow_each_other(tmp_path: Path) -> None:
    rows = table()
    take = read_live_link_csv(saved(tmp_path / "a.csv", [*rows[:21], rows[0], *rows[21:]]))
    assert_allclose(jaw(take), TRUTH, atol=1e-6)
    take = read_live_link_csv(saved(tmp_path / "b.csv", [*rows[:21], rows[0], *rows[11:]]))
    assert_allclose(jaw(take), TRUTH[10:], atol=1e-6)
    assert "lines 2-21" in " ".join(notes_of(take))


def test_the_files_of_the_field_are_read(tmp_path: Path) -> None:
    folder = Path(__file__).parents[3].parent / "shared" / "field"
    found = sorted(folder.glob("ll_*.csv"))
    if not found:
        pytest.skip("the files of the field are not here")
    assert all(read_live_link_csv(path).frame_count >= 198 for path in found)


def test_two_keys_of_one_channel_give_it_together(tmp_path: Path) -> None:
    """Two spellings share a weight; two halves of a pair are its two sides."""
    take = read_live_link_csv(saved(tmp_path / "a.csv", table()))
    channels = ("jawOpen", "Jaw_Open", "browInnerUp_L", "browInnerUp_R")
    weights = np.stack([TRUTH / 2, TRUTH / 2, np.full(60, 0.2), np.full(60, 0.6)], axis=1)
    names = {"Jaw_Open": "jawOpen", "browInnerUp_L": "browInnerUp", "browInnerUp_R": "browInnerUp"}
    twice = replace(take, channels=channels, weights=weights.astype(np.float32))
    write_live_link_csv(tmp_path / "b.csv", twice, arkit_names=names)
    found = read_live_link_csv(tmp_path / "b.csv")
    assert_allclose(jaw(found), TRUTH, atol=1e-5)
    assert_allclose(found.weights[:, found.channels.index("browInnerUp")], 0.4, atol=1e-6)


def write_rows(path: Path, rows: list[tuple[str, dict[str, float]]]) -> Path:
    """A recording with all columns, zero but for what is given."""
    columns = ("Timecode", "BlendShapeCount", *LIVE_LINK_SHAPES)
    lines = [",".join(columns)]
    for timecode, values in rows:
        lines.append(f"{timecode},52," + ",".join(f"{values.get(name, 0.0)}" for name in LIVE_LINK_SHAPES))
    path.write_text("\n".join(lines))
    return path


def test_drop_frame_timecode_runs_as_the_clock_does(tmp_path: Path) -> None:
    """SMPTE 12M: of every minute but each tenth, numbers 00 and 01 are left out; an hour of it is an hour to 4 ms."""
    labels = ["00:00:59;28", "00:00:59;29", "00:01:00;02", "00:09:59;29", "00:10:00;00", "01:00:00;00"]
    numbers = np.array([1798, 1799, 1800, 17981, 17982, 107892])  # frames since zero, counted on
    take = read_live_link_csv(write_rows(tmp_path / "df.csv", [(label, {}) for label in labels]), timecode_fps=30)
    assert_allclose(take.time_s, (numbers - numbers[0]) * 1001 / 30_000, atol=1e-9)
    plain = [("00:00:59;29", {}), ("00:01:00;00", {}), ("00:01:00;01", {}), ("00:01:02;02", {})]
    take = read_live_link_csv(write_rows(tmp_path / "not.csv", plain), timecode_fps=30)
    assert_allclose(take.time_s, np.array([0, 1, 2, 63]) / 30, atol=1e-9)


def test_values_outside_zero_to_one_are_kept_and_named(tmp_path: Path) -> None:
    rows = [("10:00:00:00", {"JawOpen": 1.25}), ("10:00:00:01", {"MouthClose": -0.5}), ("10:00:03:59", {})]
    take = read_live_link_csv(write_rows(tmp_path / "loud.csv", rows))
    assert take.weights[0, take.channels.index("jawOpen")] == np.float32(1.25)
    assert take.weights[1, take.channels.index("mouthClose")] == np.float32(-0.5)
    assert notes_of(take) == ["loud.csv: 2 values lie outside 0 to 1 and were kept (mouthClose -0.50, jawOpen 1.25)."]
