"""Actors on disk: in a take and in a file of their own, the same when read back; foreign and damaged ones refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.takes.actor import Actor, ChannelGain, load_actor, save_actor, write_json
from facecap_addon.takes.merge import merge_takes
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.region_scale import RegionScale
from tests.unit.takes.test_files import names_in, some_take


def some_actor() -> Actor:
    random = np.random.default_rng(3)
    return Actor(
        scheme="mediapipe-478",
        landmarks=np.array([1, 33, 61, 291]),
        neutral_m=random.normal(0, 0.05, (4, 3)),
        offsets_m=random.normal(0, 0.002, (4, 3)),
        span_ends=np.array([[2, 0], [98, 61]]),
        spans_m=random.normal(0, 0.02, (2, 3)),
        proportions={"mouth_width": 0.61},
        scales={"mouth": RegionScale(0.85, 1.0), "lids": RegionScale(1.1, 1.1)},
        gains={"mouthSmileLeft": ChannelGain(1.4, 0.05, {"cheekSquintLeft": 0.3})},
        face_landmarks=np.array([5, 7]),
        face=random.normal(size=(2, 3)),
        character="Голова",
    )


def test_an_actor_comes_back_from_her_file(tmp_path: Path) -> None:
    save_actor(tmp_path / "Анна.actor.json", some_actor())
    loaded = load_actor(tmp_path / "Анна.actor.json")
    assert write_json(loaded) == write_json(some_actor())
    np.testing.assert_allclose(loaded.neutral_m, some_actor().neutral_m, atol=1e-7)
    assert loaded.gains == some_actor().gains and loaded.scales == some_actor().scales
    assert names_in(tmp_path) == ["Анна.actor.json"]


def test_a_take_keeps_its_actor_and_one_without_stays_without(tmp_path: Path) -> None:
    save_take(tmp_path / "a.take.npz", replace(some_take(), actor=some_actor()))
    with np.load(tmp_path / "a.take.npz", allow_pickle=False) as data:
        assert all(data[name].dtype != object for name in data.files)
    kept = load_take(tmp_path / "a.take.npz").actor
    assert kept is not None and write_json(kept) == write_json(some_actor())
    save_take(tmp_path / "b.take.npz", some_take())
    assert load_take(tmp_path / "b.take.npz").actor is None


def test_a_range_does_not_change_who_performed() -> None:
    base = replace(some_take(), status=np.ones(7, np.int8))
    other = replace(some_actor(), character="another")
    assert merge_takes(replace(base, actor=some_actor()), replace(base, actor=other)).actor.character == "Голова"  # type: ignore[union-attr]
    assert merge_takes(base, replace(base, actor=other)).actor is other


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("facecap", "take"),
        ("landmarks", [1, 33, 61]),
        ("landmarks", [1, 33, 61, -1]),
        ("landmarks", [0.5, 33, 61, 2]),
        ("neutral_m", [[0.0, 0.0]] * 4),
        ("neutral_m", [[0.0, float("nan"), 0.0]] * 4),
        ("offsets_m", [[50.0, 0.0, 0.0]] * 4),
        ("span_ends", [1, 2]),
        ("scales", {"mouth": {"found": 1.0, "used": -3.0}}),
        ("scales", {"mouth": {"found": 1.0}}),
        ("scales", [1, 2]),
        ("gains", {"jawOpen": {"gain": "large", "offset": 0, "companions": {}}}),
        ("face", [[0.0, 0.0, 0.0]] * 9),
        ("version", "new"),
    ],
)
def test_what_is_no_actor_is_refused_by_name(tmp_path: Path, name: str, value: object) -> None:
    path = tmp_path / "Eve.actor.json"
    path.write_text(json.dumps({**write_json(some_actor()), name: value}), encoding="utf-8")
    with pytest.raises(FacecapError, match=r"Eve\.actor\.json is not a FaceCap actor"):
        load_actor(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"null", b" " * 5_000_000])
def test_foreign_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "Eve.actor.json"
    path.write_bytes(content)
    with pytest.raises(FacecapError, match="is not a FaceCap actor"):
        load_actor(path)


def test_a_missing_file_a_folder_and_a_newer_one_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FacecapError, match="There is no actor file"):
        load_actor(tmp_path / "nobody.actor.json")
    with pytest.raises(FacecapError, match="is not a FaceCap actor"):
        load_actor(tmp_path)
    path = tmp_path / "new.actor.json"
    path.write_text(json.dumps({**write_json(some_actor()), "version": 99}), encoding="utf-8")
    with pytest.raises(FacecapError, match="newer FaceCap"):
        load_actor(path)
