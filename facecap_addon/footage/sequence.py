"""Image sequences: which pictures belong together, and in what order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import FacecapError

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".bmp", ".webp", ".exr", ".dpx", ".jp2", ".tga", ".hdr"}
    | {".pgm", ".ppm", ".pnm", ".sgi", ".rgb"}
)
_LAST_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)
_PRINTF = re.compile(r"%0?(\d*)d")


@dataclass(frozen=True)
class ImageSequence:
    """Pictures in order.

    Attributes:
        paths: the files.
        numbers: for each, its frame number counted from the first picture; a jump means pictures are missing.
        note: a choice worth reporting, or "".
    """

    paths: tuple[Path, ...]
    numbers: tuple[int, ...]
    note: str = ""


def is_sequence_path(path: Path) -> bool:
    """Whether a path names pictures: a folder, an image file, or a pattern with `%04d`, `####` or `*`."""
    if path.is_dir():
        return True
    return path.suffix.lower() in IMAGE_SUFFIXES


def find_sequence(path: Path) -> ImageSequence:
    """Collect the pictures that a path stands for.

    Args:
        path: a folder (its largest numbered sequence, or all its pictures by name), one picture of a numbered
            sequence, a single unnumbered picture, or a pattern in the file name: `frame_%04d.png`,
            `frame_####.png`, `frame_*.png`.
    Raises:
        FacecapError: nothing is there, or no pictures are.
    """
    if path.is_dir():
        return _from_folder(path)
    if path.is_file():
        return _from_member(path)
    folder = path.parent
    if _PRINTF.search(path.name) or "#" in path.name or "*" in path.name:
        return _from_pattern(folder, path.name)
    raise FacecapError(f"There is no file {path}.", "Check the path; the file may have been moved or renamed.")


def _from_folder(folder: Path) -> ImageSequence:
    pictures = [file for file in _list_files(folder) if file.suffix.lower() in IMAGE_SUFFIXES]
    if not pictures:
        raise FacecapError(
            f"The folder {folder} holds no pictures.",
            "Choose a folder with an image sequence, or the video file itself.",
        )
    groups = _group_numbered(pictures)
    largest = max(groups.values(), key=len, default=[])
    left_out = len(pictures) - len(largest)
    if len(largest) < 2 and len(pictures) > 1:
        ordered = sorted(pictures, key=lambda file: _natural_key(file.name))
        return ImageSequence(tuple(ordered), tuple(range(len(ordered))), "The pictures are taken in order of name.")
    if not largest:
        return ImageSequence((pictures[0],), (0,))
    note = f"{left_out} other pictures in the folder are left out." if left_out else ""
    return _order_by_number(largest, note)


def _from_member(path: Path) -> ImageSequence:
    key = _group_key(path.name)
    if key is None:
        return ImageSequence((path,), (0,))
    siblings = [file for file in _list_files(path.parent) if _group_key(file.name) == key]
    return _order_by_number(_group_numbered(siblings)[key])


def _from_pattern(folder: Path, name: str) -> ImageSequence:
    escaped = re.escape(name)
    escaped = re.sub(r"%0?\d*d", r"(\\d+)", escaped)
    escaped = re.sub(r"(?:\\#)+", r"(\\d+)", escaped)
    escaped = escaped.replace(r"\*", "(.*)")
    pattern = re.compile(escaped)
    matches = [file for file in _list_files(folder) if pattern.fullmatch(file.name)]
    if not matches:
        raise FacecapError(f"No picture in {folder} matches {name}.", "Check the pattern and the folder.")
    groups = _group_numbered(matches)
    largest = max(groups.values(), key=len, default=[])
    if len(largest) == len(matches):
        return _order_by_number(largest)
    ordered = sorted(matches, key=lambda file: _natural_key(file.name))
    return ImageSequence(tuple(ordered), tuple(range(len(ordered))), "The pictures are taken in order of name.")


def _list_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise FacecapError(f"There is no folder {folder}.", "Check the path; it may have been moved or renamed.")
    try:
        return sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    except OSError as error:
        raise FacecapError(
            f"The folder {folder} cannot be read ({error.strerror}).", "Check its permissions."
        ) from error


def _group_key(name: str) -> tuple[str, str] | None:
    match = _LAST_NUMBER.fullmatch(Path(name).stem)
    return None if match is None else (match[1], match[3] + Path(name).suffix)


def _frame_number(path: Path) -> int:
    match = _LAST_NUMBER.fullmatch(path.stem)
    assert match is not None
    return int(match[2])


def _group_numbered(files: list[Path]) -> dict[tuple[str, str], list[Path]]:
    groups: dict[tuple[str, str], list[Path]] = {}
    for file in files:
        key = _group_key(file.name)
        if key is not None:
            groups.setdefault(key, []).append(file)
    return groups


def _order_by_number(files: list[Path], note: str = "") -> ImageSequence:
    by_number = {_frame_number(file): file for file in files}
    numbers = sorted(by_number)
    return ImageSequence(
        tuple(by_number[number] for number in numbers), tuple(number - numbers[0] for number in numbers), note
    )


def _natural_key(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name.lower())]
