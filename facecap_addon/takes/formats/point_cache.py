"""Point caches: PC2 and MDD, which hold every vertex of every frame and no mesh.

Both are read without loading them and written frame by frame, so that memory stays flat however long the footage is.
PC2 is little-endian: "POINTCACHE2", version, vertices, first frame, frames per sample, samples, then x y z. MDD is
big-endian: frames, vertices, a time in seconds per frame, then x y z.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...atomic_file import atomic_path
from ...errors import UNREADABLE, FacecapError

_PC2 = struct.Struct("<12siiffi")
_PC2_MAGIC = b"POINTCACHE2\0"
_MDD = struct.Struct(">ii")
_MOST_VERTICES, _MOST_FRAMES = 5_000_000, 10_000_000
_UNEVEN = 1e-3


@dataclass(frozen=True)
class PointCache:
    """An open point cache.

    Attributes:
        positions: (F, V, 3) float32 of either byte order, read from disk as it is used; the file's unit and axes.
        time_s: (F,) float64 s where the file says so (MDD), else None.
        first_frame: of the scene, where the file says so (PC2), else 0.
        step_frames: scene frames from sample to sample, where the file says so (PC2), else 1.
    """

    positions: NDArray[np.float32]
    time_s: NDArray[np.float64] | None
    first_frame: float
    step_frames: float = 1.0

    def times(self, fps: float) -> NDArray[np.float64]:
        """(F,) float64 s of the samples: the file's own, else its frames at so many a second, frame 0 at zero."""
        if self.time_s is not None:
            return self.time_s
        return (self.first_frame + np.arange(len(self.positions)) * self.step_frames) / fps


def read_point_cache(path: Path) -> PointCache:
    """Open a .pc2 or .mdd file. Raises FacecapError if it is neither, is cut off, or announces absurd sizes."""
    readers = {".pc2": _read_pc2, ".mdd": _read_mdd}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise FacecapError(f"{path.name} is no point cache FaceCap can read.", "Export a PC2 or MDD file.")
    try:
        return reader(path, path.stat().st_size)
    except FileNotFoundError as error:
        raise FacecapError(f"There is no file {path}.", "Check the path.") from error
    except UNREADABLE as error:
        raise _damaged(path) from error


def write_point_cache(
    path: Path, frames: Iterable[NDArray[np.floating]], time_s: NDArray[np.float64], vertices: int, *, fps: float = 24.0
) -> int:
    """Write a .pc2 or .mdd file, completely or not at all.

    Args:
        frames: (V, 3) each, one per time, in the unit and axes that the mesh has where the file is used.
        time_s: (F,) s; evenly spaced for a PC2, which holds no times of its own.  vertices: V.
        fps: of the scene; a PC2 holds frames, so samples lie fps × their distance apart.
    Returns:
        frames written.
    Raises:
        FacecapError: frames are not (V, 3), not finite, or not as many as times; the disk is full.
        ValueError: times of a PC2 are uneven.
    """
    kind, count, written = path.suffix.lower(), len(time_s), 0
    step_s = np.diff(time_s)
    if kind not in (".pc2", ".mdd"):
        raise FacecapError(f"{path.name} is neither a PC2 nor an MDD file.", "Give it the ending .pc2 or .mdd.")
    if kind == ".pc2" and count > 1 and np.ptp(step_s) > _UNEVEN * np.median(step_s):
        raise ValueError("samples of a PC2 are evenly spaced: resample them by time")
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        if kind == ".pc2":
            apart = float(np.median(step_s)) * fps if count > 1 else 1.0
            first = float(time_s[0]) * fps if count else 0.0
            stream.write(_PC2.pack(_PC2_MAGIC, 1, vertices, first, apart, count))
        else:
            stream.write(_MDD.pack(count, vertices) + np.asarray(time_s, ">f4").tobytes())
        for frame in frames:
            if frame.shape != (vertices, 3) or not np.isfinite(frame).all():
                raise FacecapError(
                    f"Frame {written} of {path.name} has vertices missing or at infinity.", "Solve it again."
                )
            stream.write(np.ascontiguousarray(frame, "<f4" if kind == ".pc2" else ">f4").data)
            written += 1
        if written != count:
            raise FacecapError(f"{path.name} got {written} frames for {count} times.", "Solve it again.")
    return written


def _read_pc2(path: Path, size: int) -> PointCache:
    with path.open("rb") as stream:
        magic, version, vertices, first, step, frames = _PC2.unpack(stream.read(_PC2.size))
    if magic != _PC2_MAGIC or version != 1:
        raise _damaged(path)
    _check(path, frames, vertices, _PC2.size, size)
    positions = np.memmap(path, "<f4", "r", _PC2.size, (frames, vertices, 3))
    start = float(first) if abs(first) < _MOST_FRAMES else 0.0
    return PointCache(positions, None, start, float(step) if 0 < step < 1e6 else 1.0)


def _read_mdd(path: Path, size: int) -> PointCache:
    with path.open("rb") as stream:
        frames, vertices = _MDD.unpack(stream.read(_MDD.size))
        _check(path, frames, vertices, _MDD.size + 4 * max(frames, 0), size)
        time_s = np.frombuffer(stream.read(4 * frames), ">f4").astype(np.float64)
    positions = np.memmap(path, ">f4", "r", _MDD.size + 4 * frames, (frames, vertices, 3))
    return PointCache(positions, time_s, 0.0)


def _check(path: Path, frames: int, vertices: int, header: int, size: int) -> None:
    """The sizes a header announces, before anything is allocated for them."""
    if not (0 < frames <= _MOST_FRAMES and 0 < vertices <= _MOST_VERTICES):
        raise _damaged(path)
    if size < header + 12 * frames * vertices:
        raise FacecapError(
            f"{path.name} announces {frames} frames of {vertices} vertices and is too short for them.",
            "Export it again: it was cut off.",
        )


def _damaged(path: Path) -> FacecapError:
    return FacecapError(f"{path.name} is damaged or no point cache.", "Export it again as PC2 or MDD.")
