"""The crop rectangle of a training set, and its pictures, cut out once and kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32, U8
from ...atomic_file import atomic_path
from ...errors import UNREADABLE, FacecapError
from ...footage.content import content_key
from ...footage.read import read_frames
from ...footage.second_camera import SecondCamera
from ...solvers.crop import Box, Framing, PictureKind, cut, is_same_shape, place_crop, widen_to_aspect
from ...takes.take import usual_step_s
from .training_set import ShotFacts, TrainingSet

# The crop leaves this much of the height from brows to chin around them.
_MARGIN = 0.10
_QUANTILE = 0.01
_SLOWEST_STEP_S = 0.05
ASPECT = 3 / 4
"""Width by height of the crop: the paper's 240 × 320."""


def propose_crop(boxes: NDArray[np.floating], image_size: tuple[int, int], aspect: float = ASPECT) -> Box:
    """A fixed rectangle around the face wherever it is seen.

    Args:
        boxes: (F, 4), see `ShotRows.box`; NaN is left out.  image_size: px.  aspect: width by height wanted, in pixels.
    Returns:
        left, top, width, height in parts of the picture; it may reach beyond it.
    Raises:
        FacecapError: no face is seen.
    """
    seen = boxes[np.isfinite(boxes).all(1)].astype(np.float64)
    if not len(seen):
        raise FacecapError("The training set shows no face.", "Draw the crop rectangle yourself with --crop.")
    width, height = image_size
    left, top = np.quantile(seen[:, :2], _QUANTILE, axis=0) * (width, height)
    right, bottom = np.quantile(seen[:, 2:], 1 - _QUANTILE, axis=0) * (width, height)
    face = float(np.median(seen[:, 3] - seen[:, 1])) * height
    margin = _MARGIN * face
    wide, high = right - left + 2 * margin, bottom - top + 2 * margin
    high = max(high, wide / aspect)
    wide = high * aspect
    middle = (0.5 * (left + right), 0.5 * (top + bottom))
    return (middle[0] - wide / 2) / width, (middle[1] - high / 2) / height, wide / width, high / height


def propose_whole(image_size: tuple[int, int], aspect: float = ASPECT) -> Box:
    """The largest rectangle of a picture that is not squashed, in its middle: where nobody knows where the face is."""
    width, height = image_size
    wide, high = min(1.0, height * aspect / width), min(1.0, width / aspect / height)
    return (1 - wide) / 2, (1 - high) / 2, wide, high


def frame_shot(training_set: TrainingSet, shot: ShotFacts, kind: PictureKind, *, side: bool = False) -> Box:
    """What a network sees of a shot: the set's crop, as wide by its height as the network's picture.

    In shots of another shape than the first one's the rectangle lies about the face as it does there, so that faces
    are neither squeezed nor of another size.

    Args:
        side: of the second camera, whose crop is its own.
    Returns:
        left, top, width, height in parts of the shot's picture.
    Raises:
        FacecapError: the set has no crop yet, its footage is gone, or no face is seen in a shot of another shape.
    """
    crop = training_set.side_crop if side else training_set.crop
    if crop is None:
        raise FacecapError("The training set has no crop rectangle.", "Check it with `facecap dataset`.")
    size, first = training_set.measure_size(shot, side=side), training_set.find_first(side=side)
    if shot == first or is_same_shape(size, wanted := training_set.measure_size(first, side=side)):
        return widen_to_aspect(crop, size, kind.aspect)
    face = _find_usual_face(training_set, widen_to_aspect(crop, wanted, kind.aspect), side=side)
    boxes = _read_boxes(training_set, shot, side=side)
    placed = None if face is None else place_crop(face, kind.aspect, boxes, size)
    if placed is None:
        raise FacecapError(
            f"The pictures of {shot.name} have another shape than the set's, and no face in them says where to look.",
            f"Crop the footage to {wanted[0]}×{wanted[1]}, or leave the shot out.",
        )
    return placed


def frame_side(training_set: TrainingSet, kind: PictureKind) -> Box | None:
    """What a network sees of second cameras, in parts of the first such shot's picture; None where there is none."""
    if all(shot.side_video is None for shot in training_set.shots):
        return None
    return frame_shot(training_set, training_set.find_first(side=True), kind, side=True)


def describe_framing(training_set: TrainingSet, kind: PictureKind) -> Framing:
    """What a solver says of the footage it learned from. Raises FacecapError where that shows no face."""
    first = training_set.find_first()
    face = _find_usual_face(training_set, frame_shot(training_set, first, kind))
    if face is None:
        raise FacecapError("No frame of the training set shows a face.", "Look at its contact sheet.")
    aside = any(shot.side_video is not None for shot in training_set.shots)
    side = training_set.measure_size(training_set.find_first(side=True), side=True) if aside else None
    return Framing(training_set.measure_size(first), training_set.find_rate(), face, side)


def _find_usual_face(training_set: TrainingSet, crop: Box, *, side: bool = False) -> Box | None:
    """Where the face usually is in shots of the first one's shape, in parts of a crop of them; None without a face."""
    wanted = training_set.measure_size(training_set.find_first(side=side), side=side)
    shots = [shot for shot in training_set.shots if not side or shot.side_video is not None]
    same = [shot for shot in shots if is_same_shape(training_set.measure_size(shot, side=side), wanted)]
    boxes = np.concatenate([_read_boxes(training_set, shot, side=side) for shot in same]).astype(np.float64)
    boxes = boxes[np.isfinite(boxes).all(1)]
    if not len(boxes):
        return None
    left, top, right, bottom = ((np.median(boxes, axis=0) - [*crop[:2]] * 2) / [*crop[2:], *crop[2:]]).tolist()
    return left, top, right, bottom


def _read_boxes(training_set: TrainingSet, shot: ShotFacts, *, side: bool) -> F32:
    rows = training_set.read_rows(shot)
    return rows.side_box if side else rows.box


def prepare_pictures(
    training_set: TrainingSet,
    shot: ShotFacts,
    kind: PictureKind,
    on_progress: Callable[[int], None],
    *,
    side: bool = False,
) -> NDArray[np.uint8]:
    """(F, C, H, W) uint8, mapped from disk: a shot's crops, cut now or as kept.

    Args:
        on_progress: called with frames done; it may raise to cancel.  side: of the shot's second camera.
    Raises:
        FacecapError: the footage is gone, or shorter than the shot.
    """
    content = hash_footage(training_set, shot, side=side)
    crop = frame_shot(training_set, shot, kind, side=side)
    path = _make_picture_path(training_set, shot, kind, crop, content, side=side)
    shape = (shot.frames, kind.channels, kind.height, kind.width)
    if path.is_file():
        try:
            kept = np.load(path, mmap_mode="r", allow_pickle=False)
            if kept.shape == shape and kept.dtype == np.uint8:
                on_progress(shot.frames)
                return kept
        except UNREADABLE:
            path.unlink(missing_ok=True)
    images = _read_side(training_set, shot) if side else _read_front(training_set, shot)
    with atomic_path(path) as temporary, temporary.open("wb") as stream, closing(images):
        np.lib.format.write_array_header_2_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        for done, image in enumerate(images):
            stream.write(cut(image, crop, kind).data)
            if done % 16 == 0:
                on_progress(done)
    on_progress(shot.frames)
    return np.load(path, mmap_mode="r", allow_pickle=False)


def _read_front(training_set: TrainingSet, shot: ShotFacts) -> Generator[U8]:
    """Pictures of a shot's rows."""
    rows = training_set.read_rows(shot).rows
    reader, row, done = read_frames(training_set.open_shot_footage(shot)), 0, 0
    try:
        for frame in reader:
            while done < len(rows) and rows[done] == row:  # rows ascend; one may stand for two times
                done += 1
                yield frame.image
            row += 1
            if done == len(rows):
                return
    finally:
        reader.close()
    raise FacecapError(
        f"{training_set.resolve_video(shot).name} has {row} frames, the shot {shot.name} needs {int(rows[-1]) + 1}.",
        "Add the shot again: the footage has changed.",
    )


def _read_side(training_set: TrainingSet, shot: ShotFacts) -> Generator[U8]:
    """Pictures of a shot's second camera, those nearest in time to its rows: as a solve pairs them."""
    times = training_set.read_rows(shot).time_s
    usual = usual_step_s(times) or _SLOWEST_STEP_S
    camera = SecondCamera(training_set.open_shot_footage(shot, side=True))
    try:
        for time_s in times.tolist():
            image = camera.picture_at(time_s)
            if abs(camera.time_s - time_s) > max(usual, _SLOWEST_STEP_S):
                video = training_set.resolve_video(shot, side=True)
                raise FacecapError(
                    f"{video.name} has no picture at {time_s:.2f} s, where the shot {shot.name} has one.",
                    "Add the shot again with a --start and --end for which both cameras have footage.",
                )
            yield image
    finally:
        camera.close()


def hash_footage(training_set: TrainingSet, shot: ShotFacts, *, side: bool = False) -> str:
    """Changes with the content of a shot's footage, or of its second camera's. Raises FacecapError if it is gone."""
    try:
        return content_key(training_set.open_shot_footage(shot, side=side).paths, {})
    except (FacecapError, OSError) as error:
        video = training_set.resolve_video(shot, side=side)
        raise FacecapError(f"The footage {video} of the shot {shot.name} is gone.", "Put it back.") from error


def _make_picture_path(
    training_set: TrainingSet, shot: ShotFacts, kind: PictureKind, crop: Box, content: str, *, side: bool
) -> Path:
    facts = [crop, kind.height, kind.width, kind.colour, content, shot.start, shot.end, shot.fps]
    if shot.mirror:
        facts.append("mirror")
    rows = training_set.read_rows(shot)
    facts.append(hashlib.sha256((rows.time_s if side else rows.rows).tobytes()).hexdigest())
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]
    colour = "rgb" if kind.colour else "grey"
    return training_set.folder / "pictures" / f"{shot.name}-{kind.width}x{kind.height}-{colour}-{key}.npy"
