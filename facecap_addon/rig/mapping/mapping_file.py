"""Mappings as JSON: `{"facecap_mapping": 1, "name": "Mine", "links": [{"channel": "jawOpen", "target": {…}}, …]}`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping as Facts_
from itertools import pairwise
from pathlib import Path
from typing import cast, get_args

from ...atomic_file import atomic_path
from ...errors import FacecapError
from ...json_types import Facts
from .mapping import BONE_AXES, Link, Mapping, Target, TargetKind

VERSION = 1
MOST_LINKS, MOST_POINTS, MOST_LETTERS, MOST_BYTES = 20_000, 200, 256, 16_000_000
LARGEST = 1e6
"""No factor, offset or point of a curve is larger: what is so is a damaged file."""
_VERSION = "facecap_mapping"


def mapping_facts(mapping: Mapping) -> Facts:
    """A mapping as JSON-able facts; what is as usual is left out. `mapping_from` turns it back."""
    facts: Facts = {_VERSION: VERSION, "name": mapping.name}
    if mapping.face_size_m:
        facts["face_size_m"] = mapping.face_size_m
    if mapping.size_bones:
        facts["size_bones"] = list(mapping.size_bones)
    return {**facts, "links": [_link_facts(link) for link in mapping.links]}


def mapping_from(facts: object) -> Mapping:
    """A mapping from JSON facts. Raises FacecapError for what is none, is of a later version, or does not fit."""
    if not isinstance(facts, Facts_) or _VERSION not in facts:
        raise FacecapError("This is no mapping.", f'A mapping begins with {{"{_VERSION}": {VERSION}, "links": […]}}.')
    data = _only(facts, (_VERSION, "name", "face_size_m", "size_bones", "links"))
    version = data[_VERSION]
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= VERSION:
        raise FacecapError(f"The mapping is of version {version!r}; this FaceCap reads {VERSION}.", "Update FaceCap.")
    links = data.get("links")
    if not isinstance(links, list) or len(links) > MOST_LINKS:
        raise FacecapError(f"The mapping holds no list of at most {MOST_LINKS} links.", "Correct the file.")
    size = _number(data, "face_size_m", 0.0)
    if size < 0:
        raise FacecapError(f"'face_size_m' is {size:g}.", "It is a distance in metres, or 0 where it is not known.")
    return Mapping(_text(data, "name", ""), tuple(_link_from(one) for one in links), size, _size_bones(data))


def save_mapping(path: Path, mapping: Mapping) -> None:
    """Write a mapping. Raises FacecapError if the folder cannot be written."""
    head, *links = (
        json.dumps(facts, ensure_ascii=False, allow_nan=False)
        for facts in ({**mapping_facts(mapping), "links": []}, *(_link_facts(link) for link in mapping.links))
    )
    # A link a line: such files are read and compared by people.
    text = head.removesuffix("]}") + ",".join(f"\n {link}" for link in links) + "\n]}\n"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def load_mapping(path: Path) -> Mapping:
    """The mapping in a file. Raises FacecapError if it cannot be read or holds none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FacecapError(f"“{path.name}” is too large for a mapping.", "Choose another file.")
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FacecapError(f"“{path}” cannot be read: {error.strerror}.", "Choose another file.") from error
    except (ValueError, RecursionError) as error:
        raise FacecapError(f"“{path.name}” is not JSON.", "Choose a mapping that FaceCap wrote.") from error
    try:
        return mapping_from(facts)
    except FacecapError as error:
        raise FacecapError(f"“{path.name}”: {error.what}", error.way_out) from error


def _size_bones(data: dict[str, object]) -> tuple[str, str] | tuple[()]:
    names = data.get("size_bones", [])
    if not isinstance(names, list) or len(names) not in (0, 2):
        raise FacecapError(f"'size_bones' is {str(names)[:60]!r}.", "It names two bones.")
    if not names:
        return ()
    first, second = (_text({"size_bones": name}, "size_bones") for name in cast("list[object]", names))
    return first, second


def _link_facts(link: Link) -> Facts:
    target: Facts = {"kind": link.target.kind, "name": link.target.name}
    target |= {"axis": link.target.axis} if link.target.axis else {}
    target |= {"owner": link.target.owner} if link.target.owner else {}
    facts: Facts = {"channel": link.channel, "target": target}
    facts |= {"factor": link.factor} if link.factor != 1.0 else {}
    facts |= {"offset": link.offset} if link.offset else {}
    facts |= {"curve": [list(point) for point in link.curve]} if link.curve else {}
    return facts | ({} if link.sure else {"sure": False})


def _link_from(facts: object) -> Link:
    data = _only(facts, ("channel", "target", "factor", "offset", "curve", "sure"))
    sure = data.get("sure", True)
    if not isinstance(sure, bool):
        raise FacecapError(f"'sure' is {sure!r}.", "It is true or false.")
    return Link(
        _text(data, "channel"),
        _target_from(data.get("target")),
        _number(data, "factor", 1.0),
        _number(data, "offset", 0.0),
        _curve(data.get("curve", [])),
        sure,
    )


def _target_from(facts: object) -> Target:
    data = _only(facts, ("kind", "name", "axis", "owner"))
    kind, axis = data.get("kind"), _text(data, "axis", "")
    if kind not in get_args(TargetKind):
        raise FacecapError(
            f"A target is of the kind {kind!r}.",
            f"Kinds are {', '.join(get_args(TargetKind))}. Is it of a newer FaceCap?",
        )
    if (kind == "bone" and axis not in BONE_AXES) or (kind == "key" and axis):
        raise FacecapError(
            f"A {kind} has no axis {axis!r}.", f"A bone has one of {', '.join(BONE_AXES)}; a key has none."
        )
    return Target(cast("TargetKind", kind), _text(data, "name"), axis, _text(data, "owner", ""))


def _curve(points: object) -> tuple[tuple[float, float], ...]:
    if not isinstance(points, list) or len(points) > MOST_POINTS or len(points) == 1:
        raise FacecapError("'curve' is no list of points.", f"It holds none, or 2 to {MOST_POINTS} pairs of numbers.")
    read: list[tuple[float, float]] = []
    for point in cast("list[object]", points):
        if not isinstance(point, list) or len(point) != 2 or not all(_is_number(part) for part in point):
            raise FacecapError(f"'curve' cannot hold {point!r}.", "It holds pairs of numbers.")
        read.append((float(point[0]), float(point[1])))
    if any(after[0] <= before[0] for before, after in pairwise(read)):
        raise FacecapError("The points of 'curve' do not ascend.", "Each has a larger weight than the one before.")
    return tuple(read)


def _only(facts: object, names: tuple[str, ...]) -> dict[str, object]:
    if not isinstance(facts, Facts_):
        raise FacecapError(f"{str(facts)[:60]!r} is not a JSON object.", f"It has {', '.join(names)}.")
    data = {str(name): value for name, value in cast("Facts_[object, object]", facts).items()}
    unknown = [name for name in data if name not in names]
    if unknown:
        raise FacecapError(f"There is no {unknown[0]!r} in a mapping.", f"There are {', '.join(names)}.")
    return data


def _text(data: dict[str, object], name: str, usual: str | None = None) -> str:
    value = data.get(name, usual)
    if not isinstance(value, str) or len(value) > MOST_LETTERS or (usual is None and not value):
        raise FacecapError(f"{name!r} is {str(value)[:60]!r}.", f"It is a text of at most {MOST_LETTERS} letters.")
    return value


def _number(data: dict[str, object], name: str, usual: float) -> float:
    value = data.get(name, usual)
    if not _is_number(value):
        raise FacecapError(f"{name!r} is {str(value)[:60]!r}.", f"It is a number of at most {LARGEST:g}.")
    return float(cast("float", value))


def _is_number(value: object) -> bool:
    """Whether it is a number that a control can take; NaN and what overflows are none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return -LARGEST <= value <= LARGEST and math.isfinite(value)
