"""A training set: footage with what the face does in it, shot by shot, in one folder.

    set.json                what the set is, its shots and its crop
    rig.npz                 the character
    shots/NAME.npz          rows of the footage, their times, weights, and where the face is
    shots/NAME.vertices.npy only where the target is a point cache: (F, V, 3) float32 m
    pictures/KEY/NAME.npy   prepared crops; they can be deleted at any time

Footage itself is referred to, not copied. Whole shots are learned from, choose among checkpoints (validation), or say
how good the result is (test): frames of one are never in two of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...atomic_file import atomic_path
from ...errors import UNREADABLE, FacecapError
from ...footage.footage import Footage, open_footage
from ...rig.blendshapes import BlendshapeRig, load_rig, save_rig
from ...solvers.crop import Box, Size, read_size

FORMAT = 3
"""1 calls shots for validation "held"; 2 knows no test, and does not say what faces a performance was drawn from."""
VALIDATION_SHARE, TEST_SHARE = 0.1, 0.1
"""Of the frames of a kind, at least: what is kept for validation and for test, where nobody says which shots."""
LEARNED_SHARE = 0.6
"""Where less than this would be left to learn from, nothing is kept for a test of its own."""
_LONGEST_NAME, _USUAL_FPS = 64, 30.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ShotFacts:
    """A shot as `set.json` describes it.

    Attributes:
        name: of letters, digits, dots, dashes.  video: footage, absolute or relative to the set.
        start, end, fps: as for a solve.  frames: how many rows it has.
        side_video: footage of a second camera, seen at the same rows, or None.
        use: "train", "validation", "test" or "auto".  has_vertices: whether its target is a point cache.
        source: where the target comes from, for people.
        poses: of a drawn performance, whose share of the recorded faces it is made of, named like `use`; None: of all.
        size_px, side_size_px: width and height of the cameras' pictures; None in sets of older versions.
        rate_fps: frames per second; None in sets of older versions.
        mirror: whether left and right of the footage are exchanged; those of the second camera are not.
    """

    name: str
    video: str
    start: str | None
    end: str | None
    fps: float | None
    frames: int
    side_video: str | None = None
    use: str = "auto"
    has_vertices: bool = False
    source: str = ""
    poses: str | None = None
    size_px: Size | None = None
    side_size_px: Size | None = None
    rate_fps: float | None = None
    mirror: bool = False

    @property
    def is_drawn(self) -> bool:
        """Whether our own renderer drew it, and no camera saw it."""
        return self.source == "drawn"


@dataclass(frozen=True)
class ShotRows:
    """Rows of one shot.

    Attributes:
        rows: (F,) int64, of the trimmed footage.  time_s: (F,) float64.
        weights: (F, K) float32, zero where the target is a point cache.
        face: (F, 3, 2) float32, right eye, left eye and nose in parts of the picture's width and height; NaN if unseen.
        box: (F, 4) float32, left, top, right, bottom of the face from the brows down, in the same; NaN if unseen.
        points: (F, 68, 2) float32, see `extract_ibug_points`, in the same; NaN if unseen; (F, 0, 2) in older sets.
        side_box: (F, 4) float32, as `box`, in the second camera's picture at that time; NaN if unseen or unknown.
    """

    rows: NDArray[np.int64]
    time_s: NDArray[np.float64]
    weights: NDArray[np.float32]
    face: NDArray[np.float32]
    box: NDArray[np.float32]
    points: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0, 2), np.float32))
    side_box: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 4), np.float32))

    def __post_init__(self) -> None:
        if not len(self.points):
            object.__setattr__(self, "points", np.zeros((len(self.rows), 0, 2), np.float32))
        if not len(self.side_box):
            object.__setattr__(self, "side_box", np.full((len(self.rows), 4), np.nan, np.float32))

    def measure_rate(self) -> float | None:
        """Frames of the footage per second; None where one row says nothing about it."""
        frames, seconds = np.diff(self.rows), np.diff(self.time_s)
        good = (frames > 0) & (seconds > 0)
        return float(np.median(frames[good] / seconds[good])) if good.any() else None


@dataclass(frozen=True)
class Splits:
    """Shots to learn from, those that choose the checkpoint, and those that say how good it is."""

    train: tuple[ShotFacts, ...]
    validation: tuple[ShotFacts, ...]
    test: tuple[ShotFacts, ...]


@dataclass(frozen=True)
class TrainingSet:
    """A folder's facts.

    Attributes:
        folder: where it is.  rig: the character.  shots: in the order they were added.
        crop: left, top, width, height in parts of the first shot's pictures, or None before there are shots; what a
            network sees of each shot is in `frame_shot`.
        side_crop: the same for second cameras.  crop_is_own, side_crop_is_own: whether someone drew them.
    """

    folder: Path
    rig: BlendshapeRig
    shots: tuple[ShotFacts, ...] = ()
    crop: Box | None = None
    side_crop: Box | None = None
    crop_is_own: bool = False
    side_crop_is_own: bool = False

    def read_rows(self, shot: ShotFacts) -> ShotRows:
        """Read a shot's rows. Raises FacecapError if the file is missing or damaged, or is another shot's."""
        path = self.folder / "shots" / f"{shot.name}.npz"
        try:
            with np.load(path, allow_pickle=False) as data:
                found = ShotRows(
                    data["rows"].astype(np.int64),
                    data["time_s"].astype(np.float64),
                    data["weights"].astype(np.float32),
                    data["face"].astype(np.float32),
                    data["box"].astype(np.float32),
                    data["points"].astype(np.float32) if "points" in data else np.zeros((0, 0, 2), np.float32),
                    data["side_box"].astype(np.float32) if "side_box" in data else np.zeros((0, 4), np.float32),
                )
        except UNREADABLE as error:
            raise FacecapError(f"The shot {shot.name} of the training set is damaged.", "Add it again.") from error
        lengths = {len(values) for values in vars(found).values()}
        if lengths != {shot.frames} or found.weights.shape != (shot.frames, len(self.rig.channels)):
            raise FacecapError(f"The targets of the shot {shot.name} do not fit its frames.", "Add it again.")
        return found

    def read_vertices(self, shot: ShotFacts) -> NDArray[np.float32] | None:
        """(F, V, 3) float32 m, mapped from disk, where a point cache is the target; else None."""
        if not shot.has_vertices:
            return None
        try:
            found = np.load(self.folder / "shots" / f"{shot.name}.vertices.npy", mmap_mode="r", allow_pickle=False)
        except UNREADABLE as error:
            raise FacecapError(f"The point cache of the shot {shot.name} is damaged.", "Add it again.") from error
        if found.shape != (shot.frames, self.rig.vertex_count, 3):
            raise FacecapError(f"The point cache of the shot {shot.name} does not fit its frames.", "Add it again.")
        return found

    def resolve_video(self, shot: ShotFacts, *, side: bool = False) -> Path:
        """The footage of a shot; side: of its second camera."""
        name = shot.side_video if side else shot.video
        assert name is not None
        return Path(name) if Path(name).is_absolute() else self.folder / name

    def measure_size(self, shot: ShotFacts, *, side: bool = False) -> Size:
        """(width, height) px of a shot's pictures; side: of its second camera's."""
        known = shot.side_size_px if side else shot.size_px
        return known or self.open_shot_footage(shot, side=side).size_px

    def measure_rate(self, shot: ShotFacts) -> float:
        """Frames per second of a shot."""
        return shot.rate_fps or self.read_rows(shot).measure_rate() or _USUAL_FPS

    def complete(self) -> TrainingSet:
        """The set with what older versions did not keep of its shots: sizes of pictures, and frame rates.

        Shots whose footage cannot be opened any more stay as they are.
        """

        def full(shot: ShotFacts) -> ShotFacts:
            shot = replace(shot, rate_fps=self.measure_rate(shot))
            try:
                side = None if shot.side_video is None else self.measure_size(shot, side=True)
                return replace(shot, size_px=self.measure_size(shot), side_size_px=side)
            except FacecapError:
                return shot

        return replace(self, shots=tuple(full(shot) for shot in self.shots))

    def find_rate(self) -> float:
        """Frames per second of the slowest shot: that of networks that learn motion from frame to frame."""
        return min(self.measure_rate(shot) for shot in self.shots)

    def find_first(self, *, side: bool = False) -> ShotFacts:
        """The shot whose pictures the crop is drawn in; side: that of second cameras."""
        return next(shot for shot in self.shots if not side or shot.side_video is not None)

    def open_shot_footage(self, shot: ShotFacts, *, side: bool = False) -> Footage:
        """The footage of a shot, opened and trimmed; side: of its second camera, whole: its frames may be others."""
        if side:
            return open_footage(self.resolve_video(shot, side=True), fps=shot.fps)
        return open_footage(self.resolve_video(shot), start=shot.start, end=shot.end, fps=shot.fps, mirror=shot.mirror)

    def split_shots(self) -> Splits:
        """The shots as they are named to be used, the others for validation and test, the latest first.

        Recorded and drawn shots are split each for themselves, so that drawings are never all that judges an actor.
        At least one of either is left to learn from.
        """
        uses: dict[str, str] = {}
        for drawn in (False, True):
            uses |= _split_kind([shot for shot in self.shots if shot.is_drawn == drawn])
        parts = (tuple(s for s in self.shots if uses[s.name] == use) for use in ("train", "validation", "test"))
        return Splits(*parts)

    def choose_judges(self) -> tuple[ShotFacts, ...]:
        """Shots that say how good a solver is: recorded and drawn ones for test, else those for validation."""
        splits = self.split_shots()
        found: list[ShotFacts] = []
        for drawn in (False, True):
            parts = ([s for s in part if s.is_drawn == drawn] for part in (splits.test, splits.validation))
            found += next((part for part in parts if part), [])
        return tuple(found)


def _split_kind(shots: list[ShotFacts]) -> dict[str, str]:
    """Use of each shot, by name; shots: of one kind, in the order they were added."""
    uses = {s.name: s.use for s in shots if s.use != "auto"}
    free = [s for s in shots if s.use == "auto"]
    if free and "train" not in uses.values():
        uses[free.pop(0).name] = "train"
    total = sum(s.frames for s in shots)

    def count(*of: str) -> int:
        return sum(s.frames for s in shots if uses.get(s.name, "auto") in of)

    for use, share in (("validation", VALIDATION_SHARE), ("test", TEST_SHARE)):
        while free and count(use) < share * total:
            if use == "test" and count("train", "auto") - free[-1].frames < LEARNED_SHARE * total - 1e-6:
                break
            uses[free.pop().name] = use
    return uses | {s.name: "train" for s in free}


def open_set(folder: Path) -> TrainingSet:
    """Open a training set. Raises FacecapError if the folder holds none, or it is damaged."""
    path = folder / "set.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts["format"] not in (1, 2, FORMAT):
            raise FacecapError(f"{folder.name} was made by another version of FaceCap.", "Make it again.")
        shots = tuple(_read_shot(one) for one in facts["shots"])
        crop, side = _read_box(facts["crop"]), _read_box(facts["side_crop"])
        own, side_own = bool(facts["crop_is_own"]), bool(facts.get("side_crop_is_own", False))
        return TrainingSet(folder, load_rig(folder / "rig.npz"), shots, crop, side, own, side_own)
    except FileNotFoundError as error:
        raise FacecapError(f"{folder} is no training set.", "Make one with `facecap dataset`.") from error
    except UNREADABLE as error:
        raise FacecapError(f"The training set {folder.name} is damaged ({error}).", "Make it again.") from error


def save_set(training_set: TrainingSet) -> None:
    """Write `set.json`, and the character where it is not there yet."""
    folder = training_set.folder
    if not (folder / "rig.npz").is_file():
        with atomic_path(folder / "rig.npz") as temporary:
            save_rig(temporary, training_set.rig)
    facts = {
        "format": FORMAT,
        "shots": [asdict(shot) for shot in training_set.shots],
        "crop": training_set.crop,
        "side_crop": training_set.side_crop,
        "crop_is_own": training_set.crop_is_own,
        "side_crop_is_own": training_set.side_crop_is_own,
    }
    with atomic_path(folder / "set.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def add_shot(
    training_set: TrainingSet, shot: ShotFacts, rows: ShotRows, vertices: NDArray[np.float32] | None = None
) -> TrainingSet:
    """Add a shot, or replace the one of its name if it shows the same part of the same footage.

    A shot of other footage keeps its name, and the new one gets another, `take-2` beside `take`.

    Args:
        vertices: (F, V, 3) m where the target is a point cache; read as it is written, so it may be mapped from disk.
    Raises:
        FacecapError: the name cannot be a file's, targets are not finite, or do not fit the frames or the character.
    """
    rate = shot.rate_fps or rows.measure_rate()
    shot = replace(shot, name=find_free_name(training_set, shot), rate_fps=rate)
    _check(training_set, shot, rows, vertices)
    folder = training_set.folder / "shots"
    if vertices is not None:  # first: what it refuses leaves the set as it was
        with atomic_path(folder / f"{shot.name}.vertices.npy") as temporary, temporary.open("wb") as stream:
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(rows.rows), *vertices.shape[1:])}
            np.lib.format.write_array_header_2_0(stream, header)
            for frame in vertices:
                if not np.isfinite(frame).all():
                    raise FacecapError(f"The point cache of {shot.name} has vertices at infinity.", "Export it again.")
                stream.write(np.ascontiguousarray(frame, "<f4").data)
    with atomic_path(folder / f"{shot.name}.npz") as temporary, temporary.open("wb") as stream:
        np.savez(stream, **vars(rows))
    others = [one for one in training_set.shots if one.name != shot.name]
    grown = replace(training_set, shots=(*others, replace(shot, has_vertices=vertices is not None)))
    save_set(grown)
    return grown


def find_free_name(training_set: TrainingSet, shot: ShotFacts) -> str:
    """The shot's name, or one like it where footage of its own has that name already.

    Names that differ in capitals only are one: so they are to file systems.
    """
    taken = {one.name.casefold(): one for one in training_set.shots}
    name, number = shot.name, 1
    while (other := taken.get(name.casefold())) is not None and not _is_same_footage(other, shot):
        number += 1
        ending = f"-{number}"
        name = shot.name[: _LONGEST_NAME - len(ending)] + ending
    return name if other is None else other.name


def _is_same_footage(one: ShotFacts, other: ShotFacts) -> bool:
    return (one.video, one.start, one.end, one.fps) == (other.video, other.start, other.end, other.fps)


def _check(training_set: TrainingSet, shot: ShotFacts, rows: ShotRows, vertices: NDArray[np.float32] | None) -> None:
    if not _NAME.fullmatch(shot.name):
        raise FacecapError(f"A shot cannot be called {shot.name!r}.", "Use letters, digits, dots and dashes.")
    frames, channels = len(rows.rows), len(training_set.rig.channels)
    if not frames:
        raise FacecapError(f"The shot {shot.name} has no frame with both a face and a target.", "Check its times.")
    lengths = {len(values) for values in vars(rows).values()}
    if rows.weights.shape != (frames, channels) or lengths != {frames} or shot.frames != frames:
        raise FacecapError(f"The targets of {shot.name} do not fit its {frames} frames.", "Check both files.")
    if not np.isfinite(rows.weights).all():
        raise FacecapError(f"The weights of {shot.name} hold numbers that are not finite.", "Export them again.")
    if vertices is not None and vertices.shape != (frames, training_set.rig.vertex_count, 3):
        raise FacecapError(
            f"The point cache of {shot.name} has {vertices.shape[1]} vertices, the character "
            f"{training_set.rig.vertex_count}.",
            "Export it from the same mesh, without modifiers that add vertices.",
        )


def _read_shot(facts: Mapping[str, Any]) -> ShotFacts:
    shot = ShotFacts(**facts)
    if shot.use == "held":  # of format 1
        shot = replace(shot, use="validation")
    if not _NAME.fullmatch(shot.name) or shot.use not in ("train", "validation", "test", "auto"):
        raise ValueError(f"bad shot {shot.name!r}")
    size, side = (None if given is None else read_size(given) for given in (shot.size_px, shot.side_size_px))
    rate = None if shot.rate_fps is None else float(shot.rate_fps)
    if rate is not None and not 0 < rate < np.inf:
        raise ValueError("bad rate")
    return replace(shot, frames=int(shot.frames), size_px=size, side_size_px=side, rate_fps=rate)


def _read_box(values: Any) -> Box | None:
    if values is None:
        return None
    left, top, width, height = (float(value) for value in values)
    if not (width > 0 and height > 0 and np.isfinite([left, top, width, height]).all()):
        raise ValueError("bad crop")
    return left, top, width, height
