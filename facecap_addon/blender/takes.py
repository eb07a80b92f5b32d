"""The takes of a scene: everything that was solved, generated or recorded for it, and which of them is baked.

`scene.facecap.result` is the take that Bake Again, Filter, Refine and the exports work on; `scene.facecap.takes` lists
all there are. Both hold paths of kept versions, so that undo brings back takes that are still there, as they were.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from ..errors import FacecapError
from .check import list_again, list_bad_frames
from .present import scene_with, settings_of
from .translations import phrase

if TYPE_CHECKING:
    from ..takes.take import Take
    from .properties.settings import FACECAP_PG_scene
    from .properties.take import FACECAP_PG_take

KINDS = ("solved", "refined", "filtered", "generated", "recorded", "loaded")
"""What may have been done to get a take."""


def add_take(scene: bpy.types.Scene, path: Path, take: Take, kind: str, *, choose: bool, **facts: Any) -> None:
    """Add a take to a scene's.

    Args:
        path: of the version that is kept.  kind: one of KINDS.
        choose: whether it becomes the one that is baked; the first one does in any case.
        facts: of `FACECAP_PG_take`, as far as they are known.
    """
    settings = settings_of(scene)
    _list_present(settings)
    given = {**facts_of(path, take, kind), **facts}
    entry = next((one for one in settings.takes if _is_same(one.take, given["take"])), None)
    if entry is None:
        entry = settings.takes.add()
        _fill(entry, given)
        entry.name = _distinct_name(entry, settings)
    else:
        _fill(entry, {**given, "name": entry.name})
    if choose or not settings.result.take:
        _copy(entry, settings.result)
        list_bad_frames(scene, take)


def choose_take(scene: bpy.types.Scene, index: int) -> None:
    """Make one of the scene's takes the one that is baked. Raises FacecapError if its file is gone."""
    settings = settings_of(scene)
    from ..takes.npz import load_take

    take = load_take(take_file(settings.takes[index]))
    _list_present(settings)
    _copy(settings.takes[index], settings.result)
    list_bad_frames(scene, take)


def chosen_index(settings: FACECAP_PG_scene) -> int:
    """Where the chosen take is on the list; -1 where it is not."""
    path = settings.result.take
    return next((number for number, one in enumerate(settings.takes) if path and _is_same(one.take, path)), -1)


def remove_take(settings: FACECAP_PG_scene, index: int) -> None:
    """Take a take off the list; if it was the chosen one, the one before it is, if there is any."""
    if index < 0:
        return
    was_chosen = index == chosen_index(settings)
    settings.takes.remove(index)
    if not was_chosen:
        return
    if settings.takes:
        _copy(settings.takes[max(0, index - 1)], settings.result)
    else:
        for name in _names(settings.result):
            settings.result.property_unset(name)
    list_again(scene_with(settings))


def is_baked(entry: FACECAP_PG_take, character: bpy.types.Object | None) -> bool:
    """Whether a character's shape keys play a take now, by its action or in a strip."""
    from .scene.animation.own_action import TAKE
    from .scene.objects import keys_of

    keys = None if character is None else keys_of(character)
    animation = None if keys is None else keys.animation_data
    if animation is None or not entry.identity:
        return False
    strips = [strip.action for track in animation.nla_tracks if not track.mute for strip in track.strips]
    return any(action is not None and action.get(TAKE) == entry.identity for action in (animation.action, *strips))


def take_file(entry: FACECAP_PG_take) -> Path:
    """Where the file of a take is. Raises FacecapError if there is none, or it is gone."""
    from ..takes.versions import find_take

    if not entry.take:
        raise FacecapError("There is no take.", "Solve first.")
    return find_take(Path(bpy.path.abspath(entry.take)))


def made_from(path: Path, ending: str, made: str) -> Path:
    """The take that a filtered or refined one was made from; any other is given back.

    Args:
        ending: of such a take's name.  made: "filtered" or "refined", under which its provenance says from what.
    """
    from ..takes.npz import load_take
    from ..takes.versions import TAKE, home_of, version

    if not path.name.endswith(f"{ending}{TAKE}"):
        return path
    stem = path.name.removesuffix(f"{ending}{TAKE}")
    facts = load_take(path).provenance.get(made)
    kept = version(home_of(path), stem, str(facts.get("id"))) if isinstance(facts, dict) and facts.get("id") else None
    return kept or home_of(path) / f"{stem}{TAKE}"


def home_folder(entry: FACECAP_PG_take) -> Path:
    """The folder with the named results of a take, in which what is made of it goes."""
    from ..takes.versions import home_of

    return home_of(Path(bpy.path.abspath(entry.take)))


def label_of(entry: FACECAP_PG_take) -> str:
    """What a take is, in a line: its clip, what was done, and when."""
    if not entry.name:
        return Path(bpy.path.abspath(entry.take)).name.removesuffix(".take.npz")
    day, _, clock = entry.made.partition(" ")
    when = f" · {day[5:]} {clock[:5]}" if clock else ""
    return f"{entry.name} · {kind_text(entry.kind)}{when}"


def kind_text(kind: str) -> str:
    """A kind of take, or "edited", in the interface's language."""
    words = {
        "solved": phrase("solved"),
        "refined": phrase("refined"),
        "filtered": phrase("filtered"),
        "generated": phrase("generated"),
        "recorded": phrase("recorded"),
        "loaded": phrase("loaded"),
    }
    return words.get(kind, kind)


def action_name(settings: FACECAP_PG_scene, take: Take) -> str:
    """A name for a take's action: that of the take on the list; "" for one that is not there."""
    entry = next((one for one in settings.takes if one.identity and one.identity == take.provenance.get("id")), None)
    return "" if entry is None else base_name(entry)


def base_name(entry: FACECAP_PG_take) -> str:
    """What a take is called: the name it was given, or that of its clip and what was done to it."""
    if entry.name != Path(entry.clip).name:
        return entry.name
    return Path(entry.name).stem + (f" {entry.kind}" if entry.kind in ("filtered", "refined") else "")


def rename_action(entry: FACECAP_PG_take) -> None:
    """Let the action of a take on the list, and what is said of it, go by the take's new name."""
    from .scene.animation.own_action import rename_actions

    settings = settings_of(scene_with(entry))
    if entry.path_from_id() == settings.result.path_from_id():
        return
    if settings.result.take and _is_same(settings.result.take, entry.take):
        settings.result.name = entry.name
    if entry.identity:
        rename_actions(entry.identity, base_name(entry))


def still_baked(scene: bpy.types.Scene, path: object) -> list[str]:
    """A line that says which take is baked again, where it is not the one at a path that was just put on."""
    result = settings_of(scene).result
    if path is None or not result.take or _is_same(result.take, str(path)):
        return []
    return [f"Bake Again bakes {label_of(result)}; Result has the others"]


def lines_about(entry: FACECAP_PG_take) -> list[str]:
    """What else there is to say about a take: its length, its range, what it was made of."""
    lines = []
    if entry.frames:
        lines.append(length_text(entry))
    if entry.detail:
        lines.append(entry.detail)
    return lines


def length_text(entry: FACECAP_PG_take) -> str:
    """How long a take is, and from when to when."""
    start, end = entry.first_s, entry.last_s
    return phrase("{count} frames, {start:.2f} to {end:.2f} s", count=entry.frames, start=start, end=end)


def facts_of(path: Path, take: Take, kind: str) -> dict[str, Any]:
    """What a scene remembers of a take."""
    from ..takes.measures.average_error import average_error
    from ..takes.measures.calmest import calmest_time_s
    from ..takes.merge import solved_range
    from ..takes.versions import ID, MADE

    provenance = take.provenance
    source = str(provenance.get("source") or path.name.removesuffix(".take.npz"))
    name = path.name.removesuffix(".take.npz") if kind in ("generated", "recorded") else Path(source).name
    anew = solved_range(take)
    error = average_error(take)
    detail = "" if anew is None else f"Solved again from {anew[0]:.2f} to {anew[1]:.2f} s"
    return {
        "take": kept_path(path),
        "kind": kind,
        "name": name,
        "clip": source,
        "made": str(provenance.get(MADE, "")),
        "identity": str(provenance.get(ID) or ""),
        "detail": detail,
        "frames": take.frame_count,
        "frames_solved": int(take.solved.sum()),
        "frames_missing": int((~take.solved).sum()),
        "first_s": float(take.time_s[0]),
        "last_s": float(take.time_s[-1]),
        "residual_px": 0.0 if error is None else error.px,
        "error_of_eyes": 0.0 if error is None else error.of_eyes,
        "not_observed": "\n".join(take.not_observed),
        "calmest_s": calmest_time_s(take),
        "actor": "" if take.actor is None else json.dumps(take.actor.facts()["scales"]),
    }


def found_scales(entry: FACECAP_PG_take) -> dict[str, float]:
    """How large a take's actor was found to be against the character, by region; empty where it does not say."""
    scales = json.loads(entry.actor) if entry.actor else {}
    return {str(region): float(facts["found"]) for region, facts in scales.items()}


def kept_path(path: Path) -> str:
    """Relative to the .blend where it is saved, so that the folder can be moved."""
    try:
        return bpy.path.relpath(str(path)) if bpy.data.filepath else str(path)
    except ValueError:  # another drive
        return str(path)


def _distinct_name(entry: FACECAP_PG_take, settings: FACECAP_PG_scene) -> str:
    """A new take's name, with a number where another on the list goes by the same."""
    base = base_name(entry)
    taken = {base_name(one) for one in settings.takes if one.path_from_id() != entry.path_from_id()}
    if base not in taken:
        return entry.name
    return next(name for number in range(2, len(taken) + 3) if (name := f"{base} {number}") not in taken)


def _list_present(settings: FACECAP_PG_scene) -> None:
    """See that the take that is baked is on the list: files of earlier versions know no other."""
    if settings.result.take and not any(_is_same(one.take, settings.result.take) for one in settings.takes):
        _copy(settings.result, settings.takes.add())


def _is_same(one: str, other: str) -> bool:
    return bpy.path.abspath(one) == bpy.path.abspath(other)


def _fill(entry: FACECAP_PG_take, facts: dict[str, Any]) -> None:
    for name in _names(entry):
        entry.property_unset(name)
    for name, value in facts.items():
        setattr(entry, name, value)


def _copy(source: FACECAP_PG_take, target: FACECAP_PG_take) -> None:
    for name in _names(source):
        setattr(target, name, getattr(source, name))


def _names(entry: FACECAP_PG_take) -> list[str]:
    return [
        item.identifier for item in entry.bl_rna.properties if not item.is_readonly and item.identifier != "rna_type"
    ]
