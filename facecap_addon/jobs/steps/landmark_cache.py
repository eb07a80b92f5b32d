"""Landmarks on disk: written chunk by chunk while they are found, then put together as memory-mapped arrays.

A job that was stopped goes on after its last whole chunk. Every chunk starts from the last observation of the one
before and from nothing else of the past, so that what comes out is the same, stopped or not.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import header_data_from_array_1_0, write_array_header_1_0
from numpy.typing import NDArray

from ...arrays import U8
from ...atomic_file import atomic_path
from ...errors import UNREADABLE
from ...images.encode import encode_jpeg, read_image
from ...landmarks.observations import Observations
from ...landmarks.tracking.observe import FrameObservation
from ...reports.thumbnails import Thumbnail

CHUNK_FRAMES = 256
FORMAT = 3
_FACE_QUALITY = 95
_PER_LANDMARK = ("landmarks_px", "depth_px", "confidence", "visibility")
_PER_FRAME = ("frame_index", "time_s", "presence", "other_faces", "appearance")


@dataclass(frozen=True)
class LandmarkFacts:
    """What is known about landmarks besides their arrays.

    Attributes:
        frames: how many frames decode.
        scheme, image_size, model_version: see Observations.
        notes: what the footage's reader had to say.
    """

    frames: int
    scheme: str
    image_size: tuple[int, int]
    model_version: str
    notes: tuple[str, ...]


class LandmarkCache:
    """The landmarks of one piece of footage in a folder of their own.

    Args:
        folder: named after everything that changes the landmarks; made when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def complete(self) -> bool:
        """Whether all landmarks are there."""
        return (self._folder / "landmarks.json").is_file()

    def chunks(self) -> int:
        """How many whole chunks are there, counted from the first."""
        count = 0
        while self._chunk(count).is_file():
            count += 1
        return count

    def save_chunk(
        self,
        number: int,
        frames: Sequence[FrameObservation],
        thumbnails: Sequence[Thumbnail],
        faces: Mapping[int, U8] | None = None,
    ) -> None:
        """Write one chunk, completely or not at all, and pictures of some of its frames; `faces`: see `face_in`."""
        with atomic_path(self._chunk(number)) as temporary, temporary.open("wb") as stream:
            np.savez(
                stream,
                frame_index=np.array([frame.index for frame in frames], np.int64),
                time_s=np.array([frame.time_s for frame in frames], np.float64),
                presence=np.array([frame.presence for frame in frames], np.float32),
                other_faces=np.array([frame.other_faces for frame in frames], np.int32),
                landmarks_px=np.stack([frame.landmarks_px for frame in frames]),
                depth_px=np.stack([frame.depth_px for frame in frames]),
                confidence=np.stack([frame.confidence for frame in frames]),
                appearance=np.stack([frame.appearance for frame in frames]),
                visibility=np.stack([frame.visibility for frame in frames]),
            )
        for shot in thumbnails:
            with atomic_path(self._folder / f"shot-{shot.frame:09d}-{int(shot.has_face)}.jpg") as temporary:
                temporary.write_bytes(shot.jpeg)
        for frame, face in (faces or {}).items():
            # Nothing hangs on these: one that is cut off reads as none.
            self._face(frame).write_bytes(encode_jpeg(face, _FACE_QUALITY))

    def last_of_chunk(self, number: int) -> FrameObservation:
        """The last observation of a chunk."""
        with np.load(self._chunk(number), allow_pickle=False) as data:
            return FrameObservation(
                index=int(data["frame_index"][-1]),
                time_s=float(data["time_s"][-1]),
                landmarks_px=data["landmarks_px"][-1],
                depth_px=data["depth_px"][-1],
                presence=float(data["presence"][-1]),
                confidence=data["confidence"][-1],
                other_faces=int(data["other_faces"][-1]),
                appearance=data["appearance"][-1],
                visibility=data["visibility"][-1],
            )

    def drop_damaged_tail(self) -> int:
        """Remove a last chunk that cannot be read or is not whole; returns how many chunks are left."""
        count = self.chunks()
        while count:
            try:
                with np.load(self._chunk(count - 1), allow_pickle=False) as data:
                    if all(len(data[name]) == CHUNK_FRAMES for name in (*_PER_FRAME, *_PER_LANDMARK)):
                        return count
            except UNREADABLE:
                pass
            count -= 1
            self._chunk(count).unlink()
        return count

    def finish(self, chunks: int, facts: LandmarkFacts) -> None:
        """Put the chunks together; only then are the landmarks complete, and the chunks are no longer needed."""
        for name in (*_PER_FRAME, *_PER_LANDMARK):
            with atomic_path(self._array(name)) as temporary, temporary.open("wb") as stream:
                for number in range(chunks):
                    with np.load(self._chunk(number), allow_pickle=False) as data:
                        part = np.ascontiguousarray(data[name])
                    if number == 0:
                        header = header_data_from_array_1_0(part) | {"shape": (facts.frames, *part.shape[1:])}
                        write_array_header_1_0(stream, header)
                    # Plain writes: a full disk raises here, where writing through a memory map would kill the process.
                    stream.write(part.data)
        with atomic_path(self._folder / "landmarks.json") as temporary:
            temporary.write_text(json.dumps({"format": FORMAT, **facts.__dict__}), encoding="utf-8")
        for number in range(chunks):
            self._chunk(number).unlink()

    def facts(self) -> LandmarkFacts:
        """What `finish` was told."""
        data = json.loads((self._folder / "landmarks.json").read_text(encoding="utf-8"))
        width, height = data["image_size"]
        return LandmarkFacts(
            data["frames"], data["scheme"], (width, height), data["model_version"], tuple(data["notes"])
        )

    def observations(self) -> Observations:
        """All landmarks. The large arrays stay on disk and are read as they are used."""
        facts = self.facts()
        return Observations(
            time_s=self._load("time_s"),
            frame_index=self._load("frame_index"),
            landmarks_px=self._load("landmarks_px", mapped=True),
            depth_px=self._load("depth_px", mapped=True),
            presence=self._load("presence"),
            confidence=self._load("confidence", mapped=True),
            scheme=facts.scheme,
            image_size=facts.image_size,
            model_version=facts.model_version,
            appearance=self._load("appearance"),
            visibility=self._load("visibility", mapped=True),
        )

    def count_other_faces(self) -> int:
        """How many faces besides the one followed were seen at once."""
        others = self._load("other_faces")[self._load("presence") > 0]
        return int(others.max(initial=0))

    def thumbnails(self) -> list[Thumbnail]:
        """Pictures of the footage with landmarks, in order."""
        times = dict(zip(self._load("frame_index").tolist(), self._load("time_s").tolist(), strict=True))
        shots: list[Thumbnail] = []
        for path in sorted(self._folder.glob("shot-*.jpg")):
            _, frame, has_face = path.stem.split("-")
            shots.append(Thumbnail(path.read_bytes(), times.get(int(frame), 0.0), int(frame), has_face == "1"))
        return shots

    def face_in(self, frame: int) -> U8 | None:
        """The face in a frame of the footage, a square (N, N, 3) uint8 RGB, if it was kept."""
        return read_image(self._face(frame))

    def forget_others(self, keep: int = 3) -> None:
        """Remove landmarks of other cuts, ranges or networks from the job folder, but for the latest few.

        A range that is looked at for itself must not cost the whole clip's landmarks.
        """
        others = [folder for folder in self._folder.parent.glob("landmarks-*") if folder != self._folder]
        for folder in sorted(others, key=lambda folder: folder.stat().st_mtime, reverse=True)[keep:]:
            shutil.rmtree(folder, ignore_errors=True)

    def _load(self, name: str, *, mapped: bool = False) -> NDArray[Any]:
        return np.load(self._array(name), mmap_mode="r" if mapped else None, allow_pickle=False)

    def _array(self, name: str) -> Path:
        return self._folder / f"{name}.npy"

    def _face(self, frame: int) -> Path:
        return self._folder / f"face-{frame:09d}.jpg"

    def _chunk(self, number: int) -> Path:
        return self._folder / f"chunk-{number:06d}.npz"
