"""Files of other programs: read back by their published layouts, value by value, with nothing of our readers."""

from __future__ import annotations

import csv
import json
import re
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from facecap_addon.errors import FacecapError
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from facecap_addon.takes.formats.export_curves import CURVE_FORMATS, export_curves
from facecap_addon.takes.formats.performance import read_performance
from facecap_addon.takes.formats.recording import notes_of
from facecap_addon.takes.formats.take_folder import NoCoefficientsError
from facecap_addon.takes.take import Take
from tests.unit.takes.test_live_link import FRONTAL, take_with, write_rows

CHANNELS = ("jawOpen", "eyeBlinkLeft", "eyeBlinkRight", "mouthSmileLeft", "browInnerUp")
RNG = np.random.default_rng(4)
TIMES = [float(time) for time in np.cumsum(RNG.uniform(0.01, 0.05, 30)) - 0.005]  # no two frames last the same


@pytest.fixture
def take() -> Take:
    status = np.ones(30, np.int8)
    status[[7, 8]] = 0
    return take_with(TIMES, CHANNELS, FRONTAL * Rotation.from_euler("z", 20, degrees=True), status=status)


def glb_parts(path: Path) -> tuple[dict, bytes]:
    """JSON and numbers of a GLB, by the layout of the glTF 2.0 specification, section 4."""
    data = path.read_bytes()
    assert struct.unpack_from("<4sII", data) == (b"glTF", 2, len(data))
    count, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON" and count % 4 == 0
    rest, tag = struct.unpack_from("<I4s", data, 20 + count)
    assert tag == b"BIN\0" and 28 + count + rest == len(data)
    return json.loads(data[20 : 20 + count]), data[28 + count :]


def floats(facts: dict, data: bytes, accessor: int) -> np.ndarray:
    one = facts["accessors"][accessor]
    view = facts["bufferViews"][one["bufferView"]]
    width = {"SCALAR": 1, "VEC3": 3, "VEC4": 4}[one["type"]]
    assert one["componentType"] == 5126 and view["byteOffset"] % 4 == 0
    values = struct.unpack_from(f"<{width * one['count']}f", data, view["byteOffset"] + one.get("byteOffset", 0))
    return np.array(values).reshape(one["count"], width)


def test_arkit_json_holds_every_frame_at_its_time(tmp_path: Path, take: Take) -> None:
    export_curves(take, "arkit-json", tmp_path / "a.json")
    facts = json.loads((tmp_path / "a.json").read_text())
    assert facts["names"] == list(CHANNELS)
    assert_allclose([frame["time"] for frame in facts["frames"]], take.time_s[take.solved], atol=1e-8)
    weights = np.array([frame["weights"] for frame in facts["frames"]], np.float32)
    assert (weights == take.weights[take.solved]).all()
    back = read_performance(tmp_path / "a.json")
    assert (back.weights == take.weights[take.solved]).all()
    dots = (back.head_rotation_wxyz * take.head_rotation_wxyz[take.solved]).sum(1)
    assert_allclose(np.abs(dots), 1.0, atol=1e-6)


def test_a_curve_table_is_what_unreal_imports(tmp_path: Path, take: Take) -> None:
    """UCurveTable::CreateTableFromCSVString: times in the first row after a cell that is skipped, no two alike as
    float32; then a row per curve."""
    export_curves(take, "unreal", tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    times = np.array(rows[0][1:], np.float32)
    assert len(np.unique(times)) == len(times)
    assert_allclose(times, take.time_s[take.solved], atol=1e-6)
    assert [row[0] for row in rows[1:]] == [name[0].upper() + name[1:] for name in CHANNELS]
    assert (take.weights[take.solved] == np.array([row[1:] for row in rows[1:]], np.float32).T).all()


def test_a_unity_clip_has_the_blend_shapes_of_the_renderer(tmp_path: Path, take: Take) -> None:
    export_curves(take, "unity", tmp_path / "a.anim", mesh="Body/Face")
    text = (tmp_path / "a.anim").read_text()
    assert text.startswith("%YAML 1.1\n%TAG !u! tag:unity3d.com,2011:\n--- !u!74 &7400000\nAnimationClip:\n")
    curves = text.partition("m_FloatCurves:")[2].partition("m_PPtrCurves")[0].split("attribute: ")
    assert [curve.partition("\n")[0] for curve in curves[1:]] == [f"blendShape.{name}" for name in CHANNELS]
    assert text.count("classID: 137") == text.count("path: Body/Face") == len(CHANNELS)
    for k, curve in enumerate(curves[:-1]):
        keys = re.findall(r"time: (\S+)\n\s+value: (\S+)\n\s+inSlope: (\S+)\n\s+outSlope: (\S+)", curve)
        table = np.array(keys, np.float64)
        assert_allclose(table[:, 0], take.time_s[take.solved], atol=1e-8)
        assert_allclose(table[:, 1], 100.0 * take.weights[take.solved, k], atol=1e-6)
        # Tangents lead straight to the next key: what plays between is what the take has there.
        steps = np.diff(table[:, 1]) / np.diff(table[:, 0])
        assert_allclose(table[:-1, 3], steps, rtol=1e-6)
        assert_allclose(table[1:, 2], steps, rtol=1e-6)


def test_a_vrm_animation_follows_its_specification(tmp_path: Path, take: Take) -> None:
    """VRMC_vrm_animation 1.0: x of an expression's node is its weight; all bones that VRM requires are there."""
    mapping = Mapping(
        "VRM",
        (
            Link("jawOpen", Target("key", "aa")),
            Link("eyeBlinkLeft", Target("key", "blinkLeft")),
            Link("browInnerUp", Target("key", "BrowInnerUp"), factor=0.5),
            Link("mouthSmileLeft", Target("key", "lookUp")),
        ),
    )
    notes = export_curves(take, "vrma", tmp_path / "a.vrma", mapping=mapping)
    assert any("lookUp" in note for note in notes)
    facts, data = glb_parts(tmp_path / "a.vrma")
    extension = facts["extensions"]["VRMC_vrm_animation"]
    assert facts["extensionsUsed"] == ["VRMC_vrm_animation"] and extension["specVersion"] == "1.0"
    bones = extension["humanoid"]["humanBones"]
    limbs = ("UpperArm", "LowerArm", "Hand", "UpperLeg", "LowerLeg", "Foot")
    assert set(bones) >= {"hips", "spine", "head", *(side + limb for side in ("left", "right") for limb in limbs)}
    parents = {child: node for node, one in enumerate(facts["nodes"]) for child in one.get("children", ())}
    chain = [bones["leftHand"]["node"]]
    while chain[-1] in parents:
        chain.append(parents[chain[-1]])
    assert bones["hips"]["node"] == chain[-1]
    [animation] = facts["animations"]
    outputs = {}
    for channel in animation["channels"]:
        sampler = animation["samplers"][channel["sampler"]]
        assert_allclose(floats(facts, data, sampler["input"])[:, 0], take.time_s[take.solved], atol=1e-6)
        outputs[channel["target"]["node"], channel["target"]["path"]] = floats(facts, data, sampler["output"])
    expressions = extension["expressions"]
    assert set(expressions["preset"]) == {"aa", "blinkLeft"} and set(expressions["custom"]) == {"BrowInnerUp"}
    shown = take.weights[take.solved]
    for name, column, factor in (("aa", 0, 1.0), ("blinkLeft", 1, 1.0)):
        assert_allclose(outputs[expressions["preset"][name]["node"], "translation"][:, 0], factor * shown[:, column])
    assert_allclose(outputs[expressions["custom"]["BrowInnerUp"]["node"], "translation"][:, 0], 0.5 * shown[:, 4])
    # Turned by 20 degrees about the head's up axis, which is Y in glTF.
    turn = Rotation.from_quat(outputs[bones["head"]["node"], "rotation"]).as_rotvec(degrees=True)
    assert_allclose(turn, np.tile([0.0, 20.0, 0.0], (len(turn), 1)), atol=1e-4)


@pytest.mark.parametrize("form", CURVE_FORMATS)
def test_nothing_half_written_is_left(tmp_path: Path, take: Take, form: str) -> None:
    if form == "live-link":
        (tmp_path / "there").mkdir()
        with pytest.raises(FacecapError):
            export_curves(take, form, tmp_path / "there")
    else:
        with pytest.raises(FacecapError, match=r"no frame|no face|moves nothing"):
            export_curves(replace(take, status=np.zeros(30, np.int8)), form, tmp_path / "x.y", mapping=Mapping("", ()))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


WEIGHTS = [[0.1, 0.0, 0.5, 0.25, 0.75], [0.2, 1.0, 0.5, 0.0, 0.5], [0.3, 0.5, 0.0, 0.125, 0.25]]
LAYOUTS = {
    "NVIDIA Audio2Face": {"exportFps": 30, "numFrames": 3, "facsNames": list(CHANNELS), "weightMat": WEIGHTS},
    "names once": {
        "names": list(CHANNELS),
        "frames": [{"weights": row, "time": k / 30, "rotation": []} for k, row in enumerate(WEIGHTS)],
        "metadata": {"fps": 30},
    },
    "names in every frame": [
        {"timestamp": 812.5 + k / 30, "blendShapes": dict(zip(CHANNELS, row, strict=True))}
        for k, row in enumerate(WEIGHTS)
    ],
    "milliseconds, MediaPipe": [
        {
            "timestamp": 1_700_000_000_000 + k * 100 / 3,
            "blendshapes": [
                {"categoryName": name, "score": value}
                for name, value in zip(("_neutral", *CHANNELS), (0.5, *row), strict=True)
            ],
        }
        for k, row in enumerate(WEIGHTS)
    ],
    "times as names": {
        f"{k / 30:.5f}": dict(zip(("EyeBlink_L" if n == "eyeBlinkLeft" else n for n in CHANNELS), row, strict=True))
        for k, row in enumerate(WEIGHTS)
    },
    "beside the time": {
        "fps": 30,
        "frames": [{"frame": k, **dict(zip(CHANNELS, row, strict=True))} for k, row in enumerate(WEIGHTS)],
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_json_of_apps_and_libraries_is_read(tmp_path: Path, layout: str) -> None:
    (tmp_path / "a.json").write_text(json.dumps(LAYOUTS[layout]))
    take = read_performance(tmp_path / "a.json")
    assert take.channels == CHANNELS
    assert_allclose(take.weights, WEIGHTS)
    assert_allclose(take.time_s, np.arange(3) / 30, atol=1e-4)


BAD_JSON = {
    "no JSON": "{",
    "a list of numbers": "[1, 2, 3]",
    "other names": json.dumps([{"time": 0, "blendShapes": {"a": 1, "b": 2}}]),
    "too few weights": json.dumps({"names": list(CHANNELS), "frames": [{"weights": [1]}]}),
    "NaN": '{"names": ["jawOpen"], "weights": [[NaN]]}',
    "text": json.dumps({"names": ["jawOpen"], "weights": [["x"]]}),
    "empty": "",
    "deep": "[" * 100_000,
}


@pytest.mark.parametrize("what", BAD_JSON)
def test_json_that_is_no_recording_is_refused_with_a_way_out(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.json").write_text(BAD_JSON[what])
    with pytest.raises(FacecapError, match=r"a\.json") as error:
        read_performance(tmp_path / "a.json")
    assert error.value.way_out


def test_metahuman_curves_of_unreal_are_read_both_ways_round(tmp_path: Path) -> None:
    names = ("CTRL_expressions_jawOpen", "CTRL_expressions_mouthCornerPullL")
    (tmp_path / "a.json").write_text(
        json.dumps([{"Name": name, "0": 0.5 * k, "0.04": 0.25, "0.1": 1.0} for k, name in enumerate(names)])
    )
    lines = [f"---,0,0.04,0.1\n{names[0]},0,0.25,1", f"{names[1]},0.5,0.25,1\n"]
    (tmp_path / "wide.csv").write_text("\n".join(lines))
    (tmp_path / "long.csv").write_text(f"Time,{names[0]},{names[1]}\n0,0,0.5\n0.04,0.25,0.25\n0.1,1,1\n")
    for file in ("a.json", "wide.csv", "long.csv"):
        take = read_performance(tmp_path / file)
        assert take.channels == names
        assert_allclose(take.time_s, [0, 0.04, 0.1])
        assert_allclose(take.weights, [[0, 0.5], [0.25, 0.25], [1, 1]])
    (tmp_path / "frames.csv").write_text("Frame;JawOpen;EyeBlinkLeft\n10;0,5;0\n11;0,25;1\n")
    take = read_performance(tmp_path / "frames.csv", fps=25)
    assert take.channels == ("jawOpen", "eyeBlinkLeft")
    assert_allclose(take.time_s, [0, 0.04])
    (tmp_path / "bad.csv").write_text("Time,JawOpen\n0,0\n0,1\n")
    with pytest.raises(FacecapError, match="do not ascend"):
        read_performance(tmp_path / "bad.csv")


def test_a_take_folder_of_the_phone_is_read_as_its_recording(tmp_path: Path) -> None:
    folder = tmp_path / "20240517_slate_1"
    folder.mkdir()
    for name in ("slate_1_Me_raw.csv", "slate_1_Me_cal.csv"):
        write_rows(folder / name, [("10:00:00:00", {"JawOpen": 0.5 if "cal" in name else 0.25}), ("10:00:00:01", {})])
    (folder / "frame_log.csv").write_text("V,0,10:00:00:00\n")
    (folder / "slate_1_Me.mov").write_bytes(b"\0" * 9)
    take = read_performance(folder)
    assert take.weights[0, take.channels.index("jawOpen")] == 0.5
    assert any("calibrated" in note for note in notes_of(take))


def test_a_take_folder_for_metahuman_offers_its_video(tmp_path: Path) -> None:
    folder = tmp_path / "20240517_slate_2"
    folder.mkdir()
    (folder / "frame_log.csv").write_text("V,0,10:00:00:00\n")
    (folder / "take.json").write_text("{}")
    (folder / "slate_2_Me.mov").write_bytes(b"\0" * 9)
    for asked in (folder, folder / "frame_log.csv"):
        with pytest.raises(NoCoefficientsError, match=r"no coefficients.*solve|Solve its video") as error:
            read_performance(asked)
        assert error.value.video == folder / "slate_2_Me.mov"
    (folder / "slate_2_Me.mov").unlink()
    with pytest.raises(FacecapError, match="neither coefficients nor a video"):
        read_performance(folder)
