"""Stacks of edits as JSON: `{"facecap_edits": 1, "edits": [{"edit": "gain", "region": "mouth", "factor": 1.2}, …]}`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from ...atomic_file import atomic_path
from ...errors import FacecapError
from ...json_types import Facts
from ...settings_schema import fields_of, from_json, to_float
from .kinds import KIND_OF, Edit, Stack

VERSION = 1
MOST_EDITS, MOST_ENTRIES, MOST_BYTES = 200, 1000, 4_000_000
ENDING = ".edits.json"
"""What a stack's file is usually called."""
_VERSION, _EDITS, _KIND = "facecap_edits", "edits", "edit"
_PRESETS = Path(__file__).with_name("presets")


def facts_of(edit: Edit) -> Facts:
    """An edit as JSON-able facts; what is as usual is left out."""
    usual = type(edit)()
    facts: Facts = {_KIND: edit.kind}
    for item in fields(edit):
        value = getattr(edit, item.name)
        if value != getattr(usual, item.name):
            facts[item.name] = (
                [list(one) if isinstance(one, tuple) else one for one in value] if isinstance(value, tuple) else value
            )
    return facts


def edit_from(facts: object) -> Edit:
    """An edit from JSON facts. Raises FacecapError for an unknown kind or setting, or a value that does not fit."""
    if not isinstance(facts, Mapping):
        raise FacecapError("An edit is not a JSON object.", 'Write it as {"edit": "gain", "factor": 1.2}.')
    given = {str(name): value for name, value in cast("Mapping[object, object]", facts).items()}
    kind = given.pop(_KIND, None)
    cls = KIND_OF.get(kind) if isinstance(kind, str) else None
    if cls is None:
        raise FacecapError(
            f"There is no edit of the kind {kind!r}.",
            f"Kinds are {', '.join(KIND_OF)}. Is the stack of a newer FaceCap?",
        )
    lists = {item.name for item in fields(cls)} - {item.name for item in fields_of(cls)}
    read: dict[str, Any] = {name: _read_list(name, given.pop(name)) for name in lists & set(given)}
    single = from_json(cls, given)
    return cls(**{item.name: getattr(single, item.name) for item in fields_of(cls)}, **read)


def stack_facts(stack: Sequence[Edit]) -> Facts:
    """A stack as JSON-able facts; `stack_from` turns it back."""
    return {_VERSION: VERSION, _EDITS: [facts_of(edit) for edit in stack]}


def stack_from(facts: object) -> Stack:
    """A stack from JSON facts. Raises FacecapError for what is none, is of a later version, or does not fit."""
    if not isinstance(facts, Mapping) or _VERSION not in facts:
        raise FacecapError(
            "This is no stack of edits.", f'A stack begins with {{"{_VERSION}": {VERSION}, "edits": […]}}.'
        )
    data = cast("Mapping[str, object]", facts)
    version, edits = data[_VERSION], data.get(_EDITS)
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= VERSION:
        raise FacecapError(
            f"The stack of edits is of version {version!r}; this FaceCap reads {VERSION}.", "Update FaceCap."
        )
    if not isinstance(edits, list) or len(edits) > MOST_EDITS:
        raise FacecapError(f"The stack holds no list of at most {MOST_EDITS} edits.", "Correct the file.")
    return tuple(edit_from(one) for one in edits)


def read_stack(path: Path) -> Stack:
    """The stack in a file. Raises FacecapError if it cannot be read or holds none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise FacecapError(f"“{path.name}” is too large for a stack of edits.", "Choose another file.")
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FacecapError(f"“{path}” cannot be read: {error.strerror}.", "Choose another file.") from error
    except (ValueError, RecursionError) as error:
        raise FacecapError(f"“{path.name}” is not JSON.", "Choose a stack that FaceCap wrote.") from error
    return stack_from(facts)


def write_stack(path: Path, stack: Sequence[Edit]) -> None:
    """Write a stack. Raises FacecapError if the folder cannot be written."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(stack_facts(stack), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def shipped_presets() -> dict[str, Path]:
    """The stacks that come with FaceCap, by their names."""
    return {path.name.removesuffix(ENDING): path for path in sorted(_PRESETS.glob(f"*{ENDING}"))}


def _read_list(name: str, value: object) -> tuple[Any, ...]:
    """Channels, points or levels. Raises FacecapError for anything else."""
    if not isinstance(value, list) or len(value) > MOST_ENTRIES:
        raise FacecapError(f"{name!r} is not a list of at most {MOST_ENTRIES} entries.", "Correct the stack.")
    types = {"channels": (), "points": (float, float), "levels": (str, float)}[name]
    read: list[Any] = []
    for one in value:
        parts = one if isinstance(one, list) else [one]
        wanted = types or (str,)
        fits = isinstance(one, list) == bool(types) and len(parts) == len(wanted)
        if not fits or not all(_fits(part, kind) for part, kind in zip(parts, wanted, strict=True)):
            said = {"channels": "names", "points": "pairs of numbers", "levels": "pairs of a name and a number"}[name]
            raise FacecapError(f"{name!r} cannot hold {one!r}.", f"It holds {said}.")
        numbers = tuple(part if kind is str else float(part) for part, kind in zip(parts, wanted, strict=True))
        read.append(numbers if types else numbers[0])
    return tuple(read)


def _fits(value: object, kind: type) -> bool:
    if kind is str:
        return isinstance(value, str)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(to_float(value))
