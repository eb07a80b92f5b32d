"""The map job: which channels move a character's keys, as a file to edit; a take's values under the keys' names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..atomic_file import atomic_path
from ..errors import FacecapError
from ..json_types import Facts
from ..landmarks.registry import open_landmarker
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import ARKIT_CHANNELS, arkit_name
from ..rig.mapping.evaluate import evaluate
from ..rig.mapping.guess import Guess, KnownHead, guess_mapping
from ..rig.mapping.mapping import Link, Mapping, Target
from ..rig.mapping.mapping_file import save_mapping
from ..rig.mapping.motion import measure_motion
from ..rig.mapping.presets import find_mapping, keep_present
from ..takes.formats.mapped_values import name_column, write_mapped_csv, write_mapped_json
from ..takes.formats.performance import read_performance
from ..takes.versions import TAKE
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .settings.map import ENDING, MapSettings
from .steps.character import CharacterSource, character_source, characters_in, find_character, read_rig

_FOLDER = Path("facecap_out")


@dataclass(frozen=True)
class MapResult:
    """A character's mapping.

    Attributes:
        mapping: its file.  table: the same for people.  values: of the take, or None.  lines: what there is to say.
    """

    mapping: Path
    table: Path
    values: Path | None
    lines: tuple[str, ...]

    def to_json(self) -> Facts:
        """JSON-able facts."""
        values = None if self.values is None else str(self.values)
        return {"mapping": str(self.mapping), "table": str(self.table), "values": values, "lines": list(self.lines)}


def run(settings: MapSettings, *, blender_hook: BlenderHook | None = None) -> Steps[MapResult]:
    """Map a character's keys.

    Raises:
        FacecapError: the character, the preset or the take cannot be read, or none of a preset's targets is there.
    """
    yield Progress("open", 0, 1)
    take = None if settings.take is None else read_performance(settings.take)
    chosen = None if settings.preset is None else find_mapping(settings.preset)
    source = character_source(settings.character)
    stem = source.path.stem
    out = settings.out or _FOLDER / f"{stem}{ENDING}"
    rig, notes = yield from read_rig(
        source, blender=settings.blender, hook=blender_hook, folder=characters_in(out.parent)
    )
    targets = [Target("key", channel) for channel in rig.channels]
    if chosen is None:
        found = guess_mapping(stem, targets, ranges=rig.usual_ranges)
        if settings.motion and found.missing and found.left_out:
            found = yield from _guess_by_motion(settings, source, targets, blender_hook, out.parent)
    else:
        found = _apply_preset(chosen, targets)
    yield Progress("files", 0, 1)
    save_mapping(out, found.mapping)
    table = out.with_name(out.name.removesuffix(".json") + ".txt")
    with atomic_path(table) as temporary:
        temporary.write_text(describe_mapping(found), encoding="utf-8")
    values = None
    if take is not None and settings.take is not None:
        moved, mapped = evaluate(found.mapping, take.channels, take.weights)
        name = settings.take.name.removesuffix(TAKE).removesuffix(settings.take.suffix)
        values = out.parent / f"{name}.mapped.{'json' if settings.json_values else 'csv'}"
        write = write_mapped_json if settings.json_values else write_mapped_csv
        write(values, take.time_s, moved, mapped, take.solved)
    yield Progress("files", 1, 1)
    lines = [*notes, *_summarise(found, rig), *(str(path) for path in (out, table, values) if path is not None)]
    return MapResult(out, table, values, tuple(lines))


def describe_mapping(found: Guess) -> str:
    """The mapping as a table for people: what moves what, what is not certain, what is missing."""
    rows = [_row(link) for link in found.mapping.links]
    width = max((len(channel) for channel, _ in rows), default=0)
    lines = [f"{channel:<{width}}  {what}" for channel, what in rows]
    lines += ["", f"move nothing: {', '.join(found.missing) or 'none'}"]
    lines += [f"moved by nothing: {', '.join(name_column(target) for target in found.left_out) or 'none'}"]
    return "\n".join([*lines, *found.notes]) + "\n"


def _row(link: Link) -> tuple[str, str]:
    factor = "" if link.factor == 1.0 else f" × {link.factor:g}"
    offset = "" if link.offset == 0.0 else f" {link.offset:+g}"
    curve = " (curve)" if link.curve else ""
    return link.channel, f"{name_column(link.target)}{factor}{offset}{curve}{'' if link.sure else '   not sure'}"


def _summarise(found: Guess, rig: BlendshapeRig) -> list[str]:
    unsure = [link for link in found.mapping.links if not link.sure]
    said = [
        f"{len(ARKIT_CHANNELS) - len(found.missing)} of {len(ARKIT_CHANNELS)} channels move "
        f"{len(found.mapping.targets)} of {len(rig.channels)} keys"
    ]
    if unsure:
        said.append(f"{len(unsure)} links are not sure; look them over in the table")
    return [*said, *found.notes]


def _apply_preset(preset: Mapping, targets: list[Target]) -> Guess:
    """What of a preset the character can be moved by. Raises FacecapError if it is nothing."""
    kept, gone = keep_present(preset, targets)
    if not kept.links:
        raise FacecapError(
            f"The character has none of the targets of “{preset.name}”, as {name_column(preset.targets[0])}."
            if preset.targets
            else f"The mapping “{preset.name}” is empty.",
            "Choose another preset, or let it be guessed.",
        )
    used, moved = {link.channel for link in kept.links}, set(kept.targets)
    notes = [f"the character lacks {', '.join(name_column(target) for target in gone)}"] if gone else []
    missing = tuple(channel for channel in ARKIT_CHANNELS if channel not in used)
    return Guess(kept, missing, tuple(one for one in targets if one not in moved), tuple(notes))


def _guess_by_motion(
    settings: MapSettings, source: CharacterSource, targets: list[Target], hook: BlenderHook | None, folder: Path
) -> Steps[Guess]:
    """Guess by names and by what moves, beside the sample head."""
    landmarker = open_landmarker(threads=settings.threads)
    kept = characters_in(folder)
    character = yield from find_character(source, landmarker, blender=settings.blender, hook=hook, folder=kept)
    sample = yield from find_character(
        character_source(None), landmarker, blender=settings.blender, hook=hook, folder=kept
    )
    names = tuple(arkit_name(channel) or channel for channel in sample.rig.channels)
    return guess_mapping(
        source.path.stem,
        [Target("key", channel) for channel in character.rig.channels] if character.rig.channels else targets,
        measure_motion(character.rig, character.embedding),
        KnownHead(measure_motion(sample.rig, sample.embedding), names),
        character.rig.usual_ranges,
    )
