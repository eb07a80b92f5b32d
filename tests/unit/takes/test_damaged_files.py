"""Whatever damage a file from outside has, reading it ends in what it holds or in an error that says so.

The damage is the same in every run. For a long hunt:
FACECAP_FUZZ=20000 python -m pytest tests/unit/takes/test_damaged_files.py
"""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.generate.bu4dfe import read_bnd
from facecap_addon.generate.sequence import LandmarkSequence, load_sequence, save_sequence
from facecap_addon.jobs.settings.solve import SolveSettings
from facecap_addon.landmarks.layout import layout_of
from facecap_addon.learn.data.training_set import TrainingSet, add_shot, open_set
from facecap_addon.live.wire.live_link import FacePacket, decode_packet, encode_packet
from facecap_addon.rig.blendshapes import load_rig, save_rig
from facecap_addon.rig.embedding import load_embedding, save_embedding
from facecap_addon.settings_schema import from_json_text
from facecap_addon.solvers.bundle import load_bundle
from facecap_addon.takes.actor import load_actor, save_actor
from facecap_addon.takes.formats.live_link import read_live_link_csv, write_live_link_csv
from facecap_addon.takes.formats.point_cache import read_point_cache, write_point_cache
from facecap_addon.takes.npz import load_take, save_take
from tests.unit.learn.test_training_set import rig, rows, shot
from tests.unit.takes.test_actor import some_actor
from tests.unit.takes.test_between import face_of, make_rig, make_take

CASES = int(os.environ.get("FACECAP_FUZZ", "200"))
_STRANGE = (
    b"",
    b"\0",
    b"\xff" * 8,
    b"-1",
    b"1e999",
    b"NaN",
    b"{}",
    b"[[[[",
    b"\x7f\xff\xff\xff",
    b"99999999999",
    b'"',
    b",",
)


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """One of the ways in which files break: bytes changed, cut off, doubled, filled, or something strange put in."""
    out = bytearray(data)
    for _ in range(int(random.integers(1, 4))):
        at = int(random.integers(0, max(1, len(out))))
        length = int(random.integers(1, 40))
        match int(random.integers(0, 7)):
            case 0:
                out[at : at + 1] = bytes([int(random.integers(0, 256))])
            case 1:
                del out[at:]
            case 2:
                del out[at : at + length]
            case 3:
                out[at:at] = out[at : at + length]
            case 4:
                out[at : at + length] = bytes(length)
            case 5:
                strange = _STRANGE[int(random.integers(0, len(_STRANGE)))]
                out[at : at + len(strange)] = strange
            case _:
                out[at : at + 4] = int(random.integers(0, 2**32)).to_bytes(4, "little")
    return bytes(out)


def damaged_inside(data: bytes, random: np.random.Generator) -> bytes:
    """A zip whose one member is damaged and whose checksums agree, as a program would write it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as written:
        names = archive.namelist()
        broken = names[int(random.integers(0, len(names)))]
        for name in names:
            content = archive.read(name)
            written.writestr(name, damaged(content, random) if name == broken else content)
    return out.getvalue()


def hunt(path: Path, read: Callable[[], object], seed: int, *, inside: bool = False) -> Counter[str]:
    """Damage a file again and again and read it; counts what came of it. Anything but FacecapError comes through."""
    whole, random = path.read_bytes(), np.random.default_rng(seed)
    read()
    count: Counter[str] = Counter()
    for number in range(CASES):
        path.write_bytes(damaged_inside(whole, random) if inside and number % 2 else damaged(whole, random))
        try:
            read()
            count["read"] += 1
        except FacecapError:
            count["refused"] += 1
        except Exception as error:
            raise AssertionError(f"case {number} of {path.name}: {type(error).__name__}: {error}") from error
    path.write_bytes(whole)
    print(path.name, dict(count))
    return count


def test_takes(tmp_path: Path) -> None:
    path = tmp_path / "a.take.npz"
    save_take(path, make_take(np.arange(6) / 25))
    assert hunt(path, lambda: load_take(path), 1, inside=True)["refused"] > CASES / 4


def test_actors(tmp_path: Path) -> None:
    path = tmp_path / "a.actor.json"
    save_actor(path, some_actor())
    assert hunt(path, lambda: load_actor(path), 13)["refused"] > CASES / 4
    save_take(tmp_path / "a.take.npz", replace(make_take(np.arange(6) / 25), actor=some_actor()))
    assert hunt(tmp_path / "a.take.npz", lambda: load_take(tmp_path / "a.take.npz"), 14, inside=True)["refused"]


def test_landmark_sequences_rigs_and_placed_landmarks(tmp_path: Path) -> None:
    count = layout_of("bu-83").count
    moved = np.zeros((4, count, 3), np.float32)
    save_sequence(tmp_path / "a.landmarks.npz", LandmarkSequence("bu-83", moved[0], moved, 25.0, "x", {"a": "b"}))
    assert hunt(tmp_path / "a.landmarks.npz", lambda: load_sequence(tmp_path / "a.landmarks.npz"), 2, inside=True)
    head = make_rig()
    save_rig(tmp_path / "rig.npz", head)
    assert hunt(tmp_path / "rig.npz", lambda: load_rig(tmp_path / "rig.npz"), 3, inside=True)["refused"] > CASES / 4
    save_embedding(tmp_path / "face.npz", face_of(head))
    assert hunt(tmp_path / "face.npz", lambda: load_embedding(tmp_path / "face.npz"), 4, inside=True)


def test_live_link_csvs(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_live_link_csv(path, make_take(np.arange(12) / 25))
    assert hunt(path, lambda: read_live_link_csv(path), 5)["read"] > CASES / 4


def test_packets(tmp_path: Path) -> None:
    path = tmp_path / "packet"
    path.write_bytes(encode_packet(FacePacket("phone", "me", 12.5, np.zeros(61, np.float32))))
    assert hunt(path, lambda: decode_packet(path.read_bytes()), 6)["refused"] > CASES / 4


@pytest.mark.parametrize("ending", ["pc2", "mdd"])
def test_point_caches(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    write_point_cache(path, np.zeros((5, 7, 3)), np.arange(5) / 25, 7)

    def read() -> object:
        cache = read_point_cache(path)
        return np.asarray(cache.positions[-1]), cache.times(25.0)

    assert hunt(path, read, 7)["refused"] > CASES / 8


def test_bnd_files(tmp_path: Path) -> None:
    path = tmp_path / "000.bnd"
    path.write_text("\n".join(f"{i} {i * 0.5} {i * 0.25} {i * 0.125}" for i in range(83)))
    assert hunt(path, lambda: read_bnd(path), 8)["refused"] > CASES / 8


def test_settings(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(
        '{"video": "a.mp4", "out": "b", "smoothness": 1.0, "gaze": true, "neutral_frame": 3, "start": "2s"}'
    )
    assert hunt(path, lambda: from_json_text(SolveSettings, path.read_text("latin-1")), 9)["refused"] > CASES / 4


@pytest.mark.parametrize("name", ["set.json", "rig.npz", "shots/a.npz", "shots/a.vertices.npy"])
def test_training_sets(tmp_path: Path, name: str) -> None:
    cache = np.zeros((9, 12, 3), np.float32)
    add_shot(TrainingSet(tmp_path, rig()), shot("a", 9), rows(9), cache)

    def read() -> None:
        found = open_set(tmp_path)
        found.split_shots()
        for one in found.shots:
            found.read_rows(one)
            found.read_vertices(one)

    assert hunt(tmp_path / name, read, 10, inside=name.endswith(".npz"))["refused"] > CASES / 8


def test_solvers(tmp_path: Path) -> None:
    path = tmp_path / "a.facecap"
    arrays = io.BytesIO()
    np.savez_compressed(arrays, moving=np.arange(3, dtype=np.int32), neutral=np.zeros((4, 3), np.float32))
    facts = (
        '{"format": 2, "name": "a", "kind": "mesh", "crop": [0, 0, 1, 1], "side_crop": null, "picture": {"height": 8, '
        '"width": 8, "colour": false}, "mean": 0.5, "deviation": 0.2, "channels": ["jawOpen"], "vertices": 4, '
        '"report": {}, "aligned_eyes": [[1, 2], [3, 4], [5, 6]]}'
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("solver.json", facts)
        archive.writestr("arrays.npz", arrays.getvalue())
        archive.writestr("mesh.onnx", b"\x08\x08\x3a\x00")

    def read() -> None:
        load_bundle(path)

    whole = path.read_bytes()
    with contextlib.suppress(FacecapError):  # the network is no whole one: what is looked at here comes before it
        read()
    random = np.random.default_rng(11)
    for number in range(CASES):
        path.write_bytes(damaged_inside(whole, random) if number % 2 else damaged(whole, random))
        try:
            read()
        except FacecapError:
            continue


def test_checkpoints(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from facecap_addon.learn.engine.checkpoint import load_checkpoint, save_checkpoint

    network, path = torch.nn.Linear(3, 2), tmp_path / "a.safetensors"
    optimizer = torch.optim.Adam(network.parameters())
    save_checkpoint(path, network, optimizer, {"key": "k", "epoch": 1})
    assert hunt(path, lambda: load_checkpoint(path, network, optimizer), 12)["refused"] > CASES / 8


def test_zips_with_odd_members_are_refused(tmp_path: Path) -> None:
    """Methods of compression and versions that Python does not know raise errors of their own."""
    path = tmp_path / "a.take.npz"
    save_take(path, make_take(np.arange(6) / 25))
    whole = bytearray(path.read_bytes())
    directory = whole.index(b"PK\x01\x02")
    for offset, value in ((10, 99), (6, 99), (8, 1)):  # method, version needed, encrypted
        broken = bytearray(whole)
        broken[directory + offset] = value
        path.write_bytes(broken)
        with pytest.raises(FacecapError, match="is not a FaceCap take"):
            load_take(path)


def test_damaged_compressed_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.facecap"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("solver.json", '{"a": 1}' * 200)
    data = bytearray(path.read_bytes())
    at = data.index(b"solver.json") + len(b"solver.json")
    data[at : at + 6] = b"\xff" * 6
    path.write_bytes(data)
    with pytest.raises(FacecapError, match="damaged"):
        load_bundle(path)
