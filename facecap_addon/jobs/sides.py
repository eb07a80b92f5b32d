"""The sides job: which eye counts as the actor's left one, in a picture, and whether curves of the take agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import U8
from ..atomic_file import atomic_path
from ..errors import FacecapError
from ..footage.footage import Footage, open_footage
from ..footage.read import Frame, read_frames
from ..images.draw import draw_polyline
from ..images.encode import encode_png
from ..images.resample import resize_part
from ..json_types import Facts
from ..landmarks.layout import layout_of
from ..landmarks.protocol import PRESENCE_THRESHOLD, Landmarker
from ..landmarks.registry import open_landmarker
from ..landmarks.tracking.observe import FrameObservation, observe
from ..landmarks.tracking.upright import stand_upright
from ..takes.formats.live_link import read_live_link_csv
from ..takes.measures.sides import SideEvidence, find_sides
from ..takes.npz import load_take
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .settings.sides import SidesSettings
from .steps.landmarks import find_landmarks, open_landmark_cache

_PICTURE_PX, _MARGIN = 256, 0.35
_LOOKED_AT = 300
_CLEAR = 0.9
_COLOR = (255, 190, 0)
QUESTION = "Is the marked eye the actor's left one? If not, the footage is mirrored."


@dataclass(frozen=True)
class SidesResult:
    """What was found.

    Attributes:
        picture: the first clear face, the eye that counts as the actor's left one marked.
        mirrored: whether the footage shows her as in a mirror, beyond what was set; None: the data do not say.
        sure: 0.5 to 1.  lines: what there is to say.
    """

    picture: Path
    mirrored: bool | None
    sure: float
    lines: tuple[str, ...]

    def to_json(self) -> Facts:
        """JSON-able facts."""
        return {
            "picture": str(self.picture),
            "mirrored": self.mirrored,
            "sure": self.sure,
            "lines": list(self.lines),
        }


def run(settings: SidesSettings, *, blender_hook: BlenderHook | None = None) -> Steps[SidesResult]:
    """Look at footage. Raises FacecapError: it cannot be read, or no frame shows a face."""
    yield Progress("open", 0, 1)
    footage = open_footage(
        settings.video, start=settings.start, end=settings.end, fps=settings.fps, mirror=settings.mirror
    )
    landmarker = open_landmarker(threads=settings.threads)
    footage = stand_upright(footage, landmarker)
    face, seen = yield from _find_clear_face(footage, landmarker)
    picture = settings.out / f"{settings.video.stem}.sides{'-mirrored' if settings.mirror else ''}.png"
    settings.out.mkdir(parents=True, exist_ok=True)
    with atomic_path(picture) as temporary:
        temporary.write_bytes(encode_png(mark_left_eye(face.image, seen.landmarks_px, landmarker.scheme)))
    evidence: SideEvidence | None = None
    if settings.curves is not None:
        read = load_take if settings.curves.suffix.lower() == ".npz" else read_live_link_csv
        curves = read(settings.curves)
        cache = open_landmark_cache(footage, landmarker, settings.out / f".{settings.video.stem}.facecap")
        yield from find_landmarks(footage, landmarker, cache)
        yield Progress("sides", 0, 1)
        evidence = find_sides(cache.observations(), curves)
    lines = (f"Picture: {picture}", *_describe(evidence, settings))
    decided = evidence is not None and evidence.decided
    return SidesResult(
        picture, evidence.mirrored if evidence and decided else None, 0.5 if evidence is None else evidence.sure, lines
    )


def mark_left_eye(image: U8, landmarks_px: np.ndarray, scheme: str) -> U8:
    """The face of a picture, small and square, with a ring around the eye that counts as the actor's left one.

    Args:
        image: (H, W, 3) uint8.  landmarks_px: (L, 2).
    Returns:
        (256, 256, 3) uint8.
    """
    low, high = landmarks_px.min(axis=0), landmarks_px.max(axis=0)
    corner, side = (low + high) / 2, float((high - low).max()) * (1 + _MARGIN)
    corner = corner - side / 2
    box = (float(corner[0]), float(corner[1]), float(corner[0]) + side, float(corner[1]) + side)
    small = np.array(resize_part(image, box, (_PICTURE_PX, _PICTURE_PX)))
    right, left, *_ = (landmarks_px[list(points)].mean(axis=0) for points in layout_of(scheme).keypoints)
    scale = _PICTURE_PX / side
    center, radius = (left + 0.5 - corner) * scale, 0.35 * float(np.linalg.norm(left - right)) * scale
    turn = np.linspace(0, 2 * np.pi, 41)
    ring = center + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    draw_polyline(small, ring, _COLOR, width_px=3.0)
    return small


def _find_clear_face(footage: Footage, landmarker: Landmarker) -> Steps[tuple[Frame, FrameObservation]]:
    """The first frame whose face is seen well, or the best of the first few hundred. Raises FacecapError."""
    best: tuple[Frame, FrameObservation] | None = None
    reader = read_frames(footage)
    latest: list[Frame] = []

    def watched() -> Iterator[Frame]:
        """Frames as they come, the last few kept."""
        for frame in reader:
            latest.append(frame)
            del latest[:-64]
            yield frame

    try:
        for number, seen in enumerate(observe(watched(), landmarker)):
            if number % 10 == 0:
                yield Progress("sides", number, _LOOKED_AT)
            frame = next((one for one in latest if one.index == seen.index), None)
            if frame is not None and (best is None or seen.presence > best[1].presence):
                best = frame, seen
            if number >= _LOOKED_AT or (best is not None and best[1].presence > _CLEAR):
                break
    finally:
        reader.close()
    if best is None or best[1].presence < PRESENCE_THRESHOLD:
        raise FacecapError(f"No face was found in {footage.paths[0].name}.", "Choose a part that shows one.")
    return best


def _describe(evidence: SideEvidence | None, settings: SidesSettings) -> list[str]:
    """What there is to say."""
    if evidence is None:
        return [QUESTION]
    assert settings.curves is not None
    found = ", ".join(f"{kind} {value:+.2f}" for kind, value in evidence.correlations.items())
    if not evidence.decided:
        why = f"too little moves on one side alone ({found})" if found else "nothing moves on one side alone"
        return [f"{settings.curves.name} does not decide it: {why}.", QUESTION]
    how = "the other way round" if evidence.mirrored else "right"
    advice = " Set Mirrored (--mirror)." if evidence.mirrored and not settings.mirror else ""
    advice = " Do not set Mirrored." if evidence.mirrored and settings.mirror else advice
    return [
        f"By {settings.curves.name} left and right are {how}, {evidence.sure:.1%} sure "
        f"(left less right, footage against curves: {found}).{advice}"
    ]
