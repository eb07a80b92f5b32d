"""Landmarks of a job's footage: found frame by frame, or as they were kept."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...arrays import U8
from ...footage.footage import Footage
from ...footage.read import Frame, read_frames
from ...landmarks.appearance import open_appearance
from ...landmarks.protocol import PRESENCE_THRESHOLD, Landmarker
from ...landmarks.tracking.observe import FrameObservation, observe
from ...landmarks.visibility import open_visibility
from ...reports.head_check import ROWS
from ...reports.thumbnails import THUMBNAIL_PX, Thumbnail, choose_thumbnail_rows, cut_face, make_thumbnail
from ..runtime.progress import REPORT_EVERY, Progress, Steps
from .content_hash import content_key
from .landmark_cache import CHUNK_FRAMES, FORMAT, LandmarkCache, LandmarkFacts


def open_landmark_cache(footage: Footage, landmarker: Landmarker, folder: Path) -> LandmarkCache:
    """Where in a job's folder the landmarks of some footage are kept, found or not."""
    appearance, visibility = open_appearance(landmarker.scheme), open_visibility(landmarker.scheme)
    facts = {
        "start": str(footage.trim.start),
        "end": str(footage.trim.end),
        "frame_rate": str(footage.frame_rate) if footage.kind == "sequence" else "",
        "model": landmarker.model_version,
        "scheme": landmarker.scheme,
        "appearance": "" if appearance is None else appearance.version,
        "visibility": "" if visibility is None else visibility.version,
        "chunk": CHUNK_FRAMES,
        "format": FORMAT,
        **({"upside_down": True} if footage.upside_down else {}),
        **({"mirror": True} if footage.sides_exchanged else {}),
    }
    return LandmarkCache(folder / f"landmarks-{content_key(footage.paths, facts)}")


def find_landmarks(footage: Footage, landmarker: Landmarker, cache: LandmarkCache) -> Steps[None]:
    """Find the landmarks that are not in the cache yet; afterwards it is complete."""
    total = footage.expected_frame_count
    if cache.complete:
        yield Progress("landmarks", total, total)
        return
    chunk = cache.drop_damaged_tail()
    done = chunk * CHUNK_FRAMES
    after = cache.last_of_chunk(chunk - 1) if chunk else None
    yield Progress("landmarks", done, total, f"Going on from frame {done}" if chunk else "")
    appearance, visibility = open_appearance(landmarker.scheme), open_visibility(landmarker.scheme)
    reader = read_frames(footage, skip=done)
    shown = _ShownFrames(total, done)
    try:
        while True:
            frames: list[FrameObservation] = []
            pictures = shown.watch(itertools.islice(reader, CHUNK_FRAMES))
            for seen in observe(pictures, landmarker, after=after, appearance=appearance, visibility=visibility):
                frames.append(seen)
                shown.take_shot(seen)
                if len(frames) % REPORT_EVERY == 0:
                    yield Progress("landmarks", done + len(frames), max(total, done + len(frames)))
            if frames:
                cache.save_chunk(chunk, frames, *shown.collect())
                after, chunk, done = frames[-1], chunk + 1, done + len(frames)
            if len(frames) < CHUNK_FRAMES:
                break
    finally:
        reader.close()
    facts = LandmarkFacts(done, landmarker.scheme, footage.size_px, landmarker.model_version, tuple(reader.notes))
    cache.finish(chunk, facts)
    yield Progress("landmarks", done, done)


class _ShownFrames:
    """Keeps the pictures of the few frames that the report may show until their landmarks are known."""

    def __init__(self, total: int, first_row: int) -> None:
        self._shot_rows = set(choose_thumbnail_rows(total))
        # Those that footage and head are compared in: to decode one of them later takes a key frame and what follows.
        self._rows = self._shot_rows.union(choose_thumbnail_rows(total, ROWS))
        self._row = first_row
        self._pictures: dict[int, tuple[int, Frame]] = {}
        self._shots: list[Thumbnail] = []
        self._faces: dict[int, U8] = {}

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if self._row in self._rows:
                self._pictures[frame.index] = self._row, frame
            self._row += 1
            yield frame

    def take_shot(self, seen: FrameObservation) -> None:
        if seen.index not in self._pictures:
            return
        row, frame = self._pictures.pop(seen.index)
        points = seen.landmarks_px if seen.presence >= PRESENCE_THRESHOLD else None
        if row in self._shot_rows:
            self._shots.append(make_thumbnail(frame.image, points, time_s=frame.time_s, frame=frame.index))
        if points is not None:
            self._faces[frame.index] = cut_face(frame.image, points, THUMBNAIL_PX)

    def collect(self) -> tuple[list[Thumbnail], dict[int, U8]]:
        """Thumbnails and faces, by frame, since the last time."""
        kept = self._shots, self._faces
        self._shots, self._faces = [], {}
        return kept
