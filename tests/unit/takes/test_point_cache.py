"""Point caches: what is written is read back, sizes are checked before anything is allocated."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.takes.formats.point_cache import read_point_cache, write_point_cache

TIME_S = np.arange(7) / 30
FRAMES = np.random.default_rng(0).normal(size=(7, 5, 3)).astype(np.float32)


@pytest.mark.parametrize("ending", ["pc2", "mdd"])
def test_what_is_written_is_read_back(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    assert write_point_cache(path, iter(FRAMES), TIME_S, 5, fps=30) == 7
    found = read_point_cache(path)
    np.testing.assert_array_equal(found.positions, FRAMES)
    if ending == "mdd":
        np.testing.assert_allclose(found.time_s, TIME_S, atol=1e-6)
    else:
        assert (tmp_path / "a.pc2").read_bytes()[:12] == b"POINTCACHE2\0"


@pytest.mark.parametrize("ending", ["pc2", "mdd"])
def test_a_cut_off_file_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    write_point_cache(path, iter(FRAMES), TIME_S, 5)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FacecapError, match="too short"):
        read_point_cache(path)
    path.write_bytes(b"abc")
    with pytest.raises(FacecapError, match="damaged"):
        read_point_cache(path)


def test_absurd_sizes_are_refused_before_anything_is_allocated(tmp_path: Path) -> None:
    path = tmp_path / "a.pc2"
    path.write_bytes(struct.pack("<12siiffi", b"POINTCACHE2\0", 1, 2**30, 0.0, 1.0, 2**30))
    with pytest.raises(FacecapError, match="damaged"):
        read_point_cache(path)
    path = tmp_path / "a.mdd"
    path.write_bytes(struct.pack(">ii", -5, 10))
    with pytest.raises(FacecapError, match="damaged"):
        read_point_cache(path)


def test_bad_frames_leave_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pc2"
    broken = FRAMES.copy()
    broken[3, 2, 1] = np.nan
    with pytest.raises(FacecapError, match="Frame 3"):
        write_point_cache(path, iter(broken), TIME_S, 5)
    with pytest.raises(FacecapError, match="got 7 frames for 6"):
        write_point_cache(path, iter(FRAMES), TIME_S[:6], 5)
    assert not list(tmp_path.iterdir())
