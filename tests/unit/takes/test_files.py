"""Takes on disk: whole or not at all, and the same when read back."""

from __future__ import annotations

import errno
import os
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.atomic_file import atomic_path
from facecap_addon.errors import FacecapError
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.take import REGIONS, Take

CHANNELS = ("jawOpen", "eyeBlinkLeft", "Брови вверх")


def some_take(frames: int = 7) -> Take:
    rng = np.random.default_rng(1)
    quaternions = rng.normal(size=(frames, 4))
    status = np.ones(frames, np.int8)
    status[2] = 0
    return Take(
        time_s=np.cumsum(rng.uniform(0.01, 0.05, frames)),
        channels=CHANNELS,
        weights=rng.uniform(0, 1, (frames, 3)).astype(np.float32),
        head_rotation_wxyz=(quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).astype(np.float32),
        head_translation_m=rng.normal(size=(frames, 3)).astype(np.float32),
        gaze_rad=rng.uniform(-0.5, 0.5, (frames, 2, 2)).astype(np.float32),
        confidence=rng.uniform(0, 1, (frames, len(REGIONS))).astype(np.float32),
        regions=REGIONS,
        status=status,
        landmarks_px=rng.uniform(0, 500, (frames, 478, 2)).astype(np.float32),
        residual_px=np.where(status, 1.5, np.nan).astype(np.float32),
        image_size=(1280, 720),
        focal_px=1234.5,
        not_observed=("jawOpen",),
        provenance={"source": "съёмка 1.mp4", "settings": {"smoothness": 0.5}, "frames": [1, 2]},
    )


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


@pytest.mark.parametrize("not_observed", [(), ("jawOpen",)])
def test_round_trip_is_exact(tmp_path: Path, not_observed: tuple[str, ...]) -> None:
    take = replace(some_take(), not_observed=not_observed)
    save_take(tmp_path / "дубль 1.take.npz", take)
    loaded = load_take(tmp_path / "дубль 1.take.npz")
    for field in fields(Take):
        before, after = getattr(take, field.name), getattr(loaded, field.name)
        if isinstance(before, np.ndarray):
            assert before.dtype == after.dtype
            np.testing.assert_array_equal(before, after)
        else:
            assert before == after
    assert names_in(tmp_path) == ["дубль 1.take.npz"]


def test_array_names_are_the_documented_ones_and_nothing_is_pickled(tmp_path: Path) -> None:
    save_take(tmp_path / "a.take.npz", some_take())
    with np.load(tmp_path / "a.take.npz", allow_pickle=False) as data:
        names = set(data.files)
        assert all(data[name].dtype != object for name in names)
    assert names >= {
        *("time_s", "channels", "weights", "head_rotation_wxyz", "head_translation_m", "gaze_rad", "confidence"),
        *("regions", "status", "landmarks_px", "residual_px", "image_size", "focal_px", "not_observed", "provenance"),
    }


def test_damaged_takes_are_refused(tmp_path: Path) -> None:
    good = tmp_path / "good.npz"
    save_take(good, some_take())
    content = good.read_bytes()
    broken = {
        "empty": b"",
        "text": b"no take at all",
        "cut": content[: len(content) // 2],
        "flipped": content[:2000] + bytes(200) + content[2200:],
    }
    for name, damage in broken.items():
        (tmp_path / name).write_bytes(damage)
        with pytest.raises(FacecapError, match=name):
            load_take(tmp_path / name)
    with pytest.raises(FacecapError, match="There is no take"):
        load_take(tmp_path / "nowhere.npz")


def test_other_arrays_and_pickles_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    np.savez(tmp_path / "pickle.npz", time_s=np.array([{}], dtype=object))
    np.save(tmp_path / "single.npy", np.zeros(3))
    for name in ("other.npz", "pickle.npz", "single.npy"):
        with pytest.raises(FacecapError, match=name):
            load_take(tmp_path / name)


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    save_take(tmp_path / "a.npz", some_take())
    with np.load(tmp_path / "a.npz") as data:
        arrays = dict(data)
    for name in ("weights", "status", "landmarks_px", "confidence"):
        np.savez(tmp_path / "b.npz", **{**arrays, name: arrays[name][:-1]})
        with pytest.raises(FacecapError):
            load_take(tmp_path / "b.npz")


class TestAtomicWrites:
    def test_makes_the_folder_and_keeps_the_suffix(self, tmp_path: Path) -> None:
        target = tmp_path / "new" / "folder" / "clip.mp4"
        with atomic_path(target) as temporary:
            assert (temporary.parent, temporary.suffix) == (target.parent, ".mp4")
            temporary.write_bytes(b"film")
            assert not target.exists()
        assert target.read_bytes() == b"film"
        assert names_in(target.parent) == ["clip.mp4"]

    def test_a_failure_leaves_the_old_file_and_nothing_else(self, tmp_path: Path) -> None:
        target = tmp_path / "a.csv"
        target.write_text("old")

        def fail() -> None:
            with atomic_path(target) as temporary:
                temporary.write_text("half")
                raise RuntimeError("cancelled")

        with pytest.raises(RuntimeError):
            fail()
        assert target.read_text() == "old"
        assert names_in(tmp_path) == ["a.csv"]

    def test_a_full_disk_is_explained(self, tmp_path: Path) -> None:
        def fill() -> None:
            with atomic_path(tmp_path / "a.npz") as temporary:
                temporary.write_text("half")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with pytest.raises(FacecapError, match="disk is full"):
            fill()
        assert names_in(tmp_path) == []

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    def test_a_write_to_a_really_full_device(self, tmp_path: Path) -> None:
        def fill() -> None:
            with atomic_path(tmp_path / "a.npz") as temporary:
                temporary.symlink_to("/dev/full")
                with temporary.open("wb") as stream:
                    stream.write(bytes(10_000))

        with pytest.raises(FacecapError, match="disk is full"):
            fill()
        assert names_in(tmp_path) == []

    def test_a_folder_that_cannot_be_one(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("x")
        for target in (tmp_path / "file" / "a.npz", tmp_path / ("x" * 300 + ".npz")):
            with pytest.raises(FacecapError, match="cannot be written"):
                save_take(target, some_take())
        (tmp_path / "folder.npz").mkdir()
        with pytest.raises(FacecapError, match="cannot be written"):
            save_take(tmp_path / "folder.npz", some_take())

    @pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
    def test_a_folder_without_permission(self, tmp_path: Path) -> None:
        (tmp_path / "locked").mkdir(mode=0o500)
        with pytest.raises(FacecapError, match="permission"):
            save_take(tmp_path / "locked" / "a.npz", some_take())

    def test_errors_about_other_files_pass(self, tmp_path: Path) -> None:
        def read_elsewhere() -> None:
            with atomic_path(tmp_path / "a.txt"):
                (tmp_path / "footage.mp4").read_bytes()

        with pytest.raises(FileNotFoundError, match=r"footage\.mp4"):
            read_elsewhere()
