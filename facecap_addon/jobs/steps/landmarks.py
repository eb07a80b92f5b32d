"""Landmarks of a job's footage: found frame by frame, or as they were kept."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

from ...footage.footage import Footage
from ...footage.read import Frame, read_frames
from ...landmarks.appearance import open_appearance
from ...landmarks.protocol import PRESENCE_THRESHOLD, Landmarker
from ...landmarks.tracking.observe import FrameObservation, observe
from ...reports.thumbnails import Thumbnail, choose_thumbnail_rows, make_thumbnail
from ..runtime.progress import REPORT_EVERY, Progress, Steps
from .content_hash import content_key
from .landmark_cache import CHUNK_FRAMES, FORMAT, LandmarkCache, LandmarkFacts


def open_landmark_cache(footage: Footage, landmarker: Landmarker, folder: Path) -> LandmarkCache:
    """Where in a job's folder the landmarks of some footage are kept, found or not."""
    appearance = open_appearance(landmarker.scheme)
    facts = {
        "start": str(footage.trim.start),
        "end": str(footage.trim.end),
        "frame_rate": str(footage.frame_rate) if footage.kind == "sequence" else "",
        "model": landmarker.model_version,
        "scheme": landmarker.scheme,
        "appearance": "" if appearance is None else appearance.version,
        "chunk": CHUNK_FRAMES,
        "format": FORMAT,
        **({"upside_down": True} if footage.upside_down else {}),
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
    appearance = open_appearance(landmarker.scheme)
    reader = read_frames(footage, skip=done)
    shown = _ShownFrames(choose_thumbnail_rows(total), done)
    try:
        while True:
            frames: list[FrameObservation] = []
            pictures = shown.watch(itertools.islice(reader, CHUNK_FRAMES))
            for seen in observe(pictures, landmarker, after=after, appearance=appearance):
                frames.append(seen)
                shown.take_shot(seen)
                if len(frames) % REPORT_EVERY == 0:
                    yield Progress("landmarks", done + len(frames), max(total, done + len(frames)))
            if frames:
                cache.save_chunk(chunk, frames, shown.collect())
                after, chunk, done = frames[-1], chunk + 1, done + len(frames)
            if len(frames) < CHUNK_FRAMES:
                break
    finally:
        reader.close()
    facts = LandmarkFacts(done, landmarker.scheme, footage.size_px, landmarker.model_version, tuple(reader.notes))
    cache.finish(chunk, facts)
    yield Progress("landmarks", done, done)


class _ShownFrames:
    """Keeps the pictures of the few frames that the report shows until their landmarks are known."""

    def __init__(self, rows: list[int], first_row: int) -> None:
        self._rows = set(rows)
        self._row = first_row
        self._pictures: dict[int, Frame] = {}
        self._shots: list[Thumbnail] = []

    def watch(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            if self._row in self._rows:
                self._pictures[frame.index] = frame
            self._row += 1
            yield frame

    def take_shot(self, seen: FrameObservation) -> None:
        frame = self._pictures.pop(seen.index, None)
        if frame is not None:
            points = seen.landmarks_px if seen.presence >= PRESENCE_THRESHOLD else None
            self._shots.append(make_thumbnail(frame.image, points, time_s=frame.time_s, frame=frame.index))

    def collect(self) -> list[Thumbnail]:
        shots, self._shots = self._shots, []
        return shots
