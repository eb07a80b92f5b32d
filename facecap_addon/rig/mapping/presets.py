"""The mappings that come with FaceCap: one for each kind of rig whose controls have documented names."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from ...errors import FacecapError
from .mapping import Mapping, Target
from .mapping_file import load_mapping

_PRESETS = Path(__file__).with_name("presets")


def shipped_presets() -> dict[str, Path]:
    """The files of the presets, by their names."""
    return {path.stem: path for path in sorted(_PRESETS.glob("*.json"))}


def find_mapping(name: str) -> Mapping:
    """A preset by its name, else the mapping in a file. Raises FacecapError if there is neither."""
    path = shipped_presets().get(name)
    if path is None and not Path(name).is_file():
        raise FacecapError(f"There is no preset and no file “{name}”.", f"Presets are {', '.join(shipped_presets())}.")
    return load_mapping(path or Path(name))


def keep_present(mapping: Mapping, targets: Collection[Target]) -> tuple[Mapping, tuple[Target, ...]]:
    """What of a mapping a character can be moved by, and which targets it lacks.

    Args:
        targets: all that the character has. A target without an owner is there if any object has it.
    """
    there = {*targets, *(replace(target, owner="") for target in targets)}
    links = tuple(link for link in mapping.links if link.target in there)
    return replace(mapping, links=links), tuple(target for target in mapping.targets if target not in there)
