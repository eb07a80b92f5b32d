"""The character of a solve: its rig, out of a .blend file if need be, and its landmarks; both are stored."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...atomic_file import atomic_path
from ...errors import CancelledError, FacecapError
from ...fit.energies.expression_prior import poses_for_response
from ...json_types import Decoded, Facts, Json
from ...landmarks.protocol import Landmarker
from ...rig.blendshapes import BlendshapeRig, load_rig
from ...rig.duplicate_keys import find_distinct_keys
from ...rig.embedding import (
    LandmarkEmbedding,
    edit_embedding,
    find_embedding,
    landmark_geometry,
    load_embedding,
    save_embedding,
)
from ...rig.network_response import NetworkResponse, adapt_response, load_response, measure_response, save_response
from ..runtime.blender_process import BlenderHook, ask_blender, await_blender
from ..runtime.progress import Steps
from ..runtime.threaded_progress import run_threaded
from ..settings.solve import SolveSettings
from .content_hash import content_key
from .sample_head import CACHE, sample_head

Made = TypeVar("Made")
# Raise it when what is read from a .blend, or how landmarks are placed, changes.
FORMAT = 5
_FOLDER = ".characters.facecap"
_BLEND = re.compile(r"(?P<path>.+\.blend)(?::(?P<object>.+))?", re.IGNORECASE | re.DOTALL)


def characters_in(out: Path) -> Path:
    """Where rigs read for results in a folder are kept, with their landmarks; it may be deleted at any time."""
    return out / _FOLDER


@dataclass(frozen=True)
class CharacterSource:
    """Where a character comes from.

    Attributes:
        path: a .blend, or a rig `.npz`.
        object: name of the mesh in the .blend; None: the likeliest.
    """

    path: Path
    object: str | None

    @property
    def is_blend(self) -> bool:
        return self.path.suffix.lower() == ".blend"


@dataclass(frozen=True)
class Character:
    """A character that can be solved.

    Attributes:
        source: where it comes from, with the object that was chosen.  rig: its mesh and keys.
        embedding: where its landmarks lie.  notes: what there is to say about it.
    """

    source: CharacterSource
    rig: BlendshapeRig
    embedding: LandmarkEmbedding
    notes: tuple[str, ...]


def character_source(text: str | None) -> CharacterSource:
    """Read `FILE.blend`, `FILE.blend:OBJECT` or `RIG.npz`; None is the sample head.

    Raises FacecapError if there is no such file, or it is neither.
    """
    if text is None:
        return CharacterSource(sample_head(), None)
    match = _BLEND.fullmatch(text)
    # A file whose own name holds a colon wins over FILE:OBJECT.
    source = CharacterSource(Path(text), None)
    if match and not source.path.is_file():
        source = CharacterSource(Path(match["path"]), match["object"])
    if not source.path.is_file():
        raise FacecapError(f"There is no character file {source.path}.", "Check the path.")
    if not source.is_blend and source.path.suffix.lower() != ".npz":
        raise FacecapError(
            f"{source.path.name} is not a character FaceCap can read.", "Choose a .blend file or a rig .npz."
        )
    return source


def read_rig(
    source: CharacterSource,
    *,
    blender: Path | None,
    hook: BlenderHook | None,
    folder: Path,
    bare: bool = False,
    to_key: Mapping[str, Json] | None = None,
) -> Steps[tuple[BlendshapeRig, list[str]]]:
    """The rig of a character, and what there is to say about it, reporting while Blender reads a .blend file.

    Args:
        blender, hook: see `ask_blender`.  folder: where rigs of .blend files are stored.
        bare: whether a mesh without shape keys will do.
        to_key: how it will be keyed in a copy of its .blend (see `OutputSettings.keying`); what cannot be is refused.
    Raises FacecapError if the character cannot be animated or read.
    """
    if not source.is_blend:
        return load_rig(source.path), []
    options = _request_options(bare, to_key)
    for stored in _find_rig_places(source, folder, options):
        if stored.is_file() and (notes := _read_notes(stored)) is not None:
            return load_rig(stored), notes
    target = folder / _name_rig(source, options)
    folder.mkdir(parents=True, exist_ok=True)
    request: Facts = {"do": "extract", "blend": str(source.path.resolve()), "out": str(target.resolve())}
    if source.object:
        request["object"] = source.object
    asking = ask_blender({**request, **options}, blender=blender, hook=hook, folder=folder)
    reply = yield from await_blender(asking, "character")
    notes = [str(note) for note in reply.get("notes", ())]
    _keep_facts(target, notes, reply)
    return load_rig(target), notes


def _request_options(bare: bool, to_key: Mapping[str, Json] | None) -> Facts:
    """What a request to read a rig says besides where it is."""
    options: Facts = {"bare": True} if bare else {}
    return options if to_key is None else options | {"to_key": True, **to_key}


def _find_rig_places(source: CharacterSource, folder: Path, options: Mapping[str, Json]) -> list[Path]:
    """Where a rig may be kept, the best place first.

    One with keys would do for a bare one, too; and the sample head, which comes with FaceCap, for everything.
    """
    name, plain = _name_rig(source, options), _name_rig(source, {})
    return [CACHE / plain, folder / name, *([folder / plain] if "bare" in options else [])]


def _name_rig(source: CharacterSource, options: Mapping[str, Json]) -> str:
    return f"rig-{content_key((source.path,), {'object': source.object, 'format': FORMAT, **options})}.npz"


def find_character(
    source: CharacterSource,
    landmarker: Landmarker,
    *,
    blender: Path | None,
    hook: BlenderHook | None,
    folder: Path,
    bare: bool = False,
    to_key: Mapping[str, Json] | None = None,
) -> Steps[Character]:
    """A character's rig and landmarks; of a file with several meshes, the likeliest on which a face is seen when drawn.

    Args and errors: as `read_rig`; FacecapError if a face is seen on none.
    """

    def read(one: CharacterSource) -> Steps[tuple[BlendshapeRig, list[str]]]:
        return read_rig(one, blender=blender, hook=hook, folder=folder, bare=bare, to_key=to_key)

    rig, notes = yield from read(source)
    chosen = replace(source, object=source.object or rig.name or None) if source.is_blend else source
    try:
        embedding = yield from _place_landmarks(rig, landmarker, folder)
    except CancelledError:
        raise
    except FacecapError as refused:
        options = _request_options(bare, to_key)
        for name in [] if source.object or not source.is_blend else _read_other_names(source, folder, options):
            try:
                other = replace(source, object=name)
                rig, more = yield from read(other)
                embedding = yield from _place_landmarks(rig, landmarker, folder)
            except CancelledError:
                raise
            except FacecapError:
                continue
            note = f"Chose the mesh “{name}”: no face is seen on “{chosen.object}”, which has more of a face's keys"
            return Character(other, rig, embedding, (note, *more))
        raise refused
    return Character(chosen, rig, embedding, tuple(notes))


def read_character(
    source: CharacterSource,
    settings: SolveSettings,
    landmarker: Landmarker,
    hook: BlenderHook | None,
    folder: Path,
) -> Steps[Character]:
    """The character, reporting while Blender reads a .blend and while its landmarks are placed."""
    return (
        yield from find_character(
            source,
            landmarker,
            blender=settings.blender,
            hook=hook,
            folder=folder,
            to_key=settings.keying() if settings.blend else None,
        )
    )


def _place_landmarks(rig: BlendshapeRig, landmarker: Landmarker, folder: Path) -> Steps[LandmarkEmbedding]:
    return (
        yield from run_threaded("character", lambda on_progress: embedding_of(rig, landmarker, folder, on_progress))
    )


def _read_other_names(source: CharacterSource, folder: Path, options: Mapping[str, Json]) -> list[str]:
    """Names of other meshes of a file that might be the head, as Blender said when it was read."""
    for stored in _find_rig_places(source, folder, options):
        beside = stored.with_suffix(".json")
        if stored.is_file() and beside.is_file():
            return [str(name) for name in json.loads(beside.read_text(encoding="utf-8")).get("others", ())]
    return []


def _keep_facts(rig: Path, notes: list[str], reply: Decoded) -> None:
    """Keep beside a rig what there is to say about it, and which other files it was read from."""
    libraries = {str(path): content_key((Path(path),), {}) for path in reply.get("libraries", ())}
    facts = {"notes": notes, "libraries": libraries, "others": list(reply.get("others", ()))}
    with atomic_path(rig.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")


def _read_notes(rig: Path) -> list[str] | None:
    """What there is to say about a kept rig; None if it must be read again: a library it came from has changed."""
    beside = rig.with_suffix(".json")
    if not beside.is_file():
        return [] if rig.parent == CACHE else None
    try:
        facts = json.loads(beside.read_text(encoding="utf-8"))
        if any(content_key((Path(path),), {}) != key for path, key in facts["libraries"].items()):
            return None
        return [str(note) for note in facts["notes"]]
    except (OSError, ValueError, KeyError, FacecapError):
        return None


def embedding_of(
    rig: BlendshapeRig, landmarker: Landmarker, folder: Path, on_progress: Callable[[int, int], None] | None = None
) -> LandmarkEmbedding:
    """The character's landmarks, found or as kept in `folder`, and moved as its rig says.

    Raises FacecapError if no face can be seen on it.
    """
    return edit_embedding(_found_embedding(rig, landmarker, folder, on_progress), rig.edits, rig.triangles)


def _found_embedding(
    rig: BlendshapeRig, landmarker: Landmarker, folder: Path, on_progress: Callable[[int, int], None] | None = None
) -> LandmarkEmbedding:
    rig = find_distinct_keys(rig).rig
    name = _name_stored("landmarks", rig, landmarker.model_version)
    return _load_or_make(
        name, folder, load_embedding, lambda: find_embedding(rig, landmarker, on_progress), save_embedding
    )


def response_of(
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    landmarker: Landmarker,
    folder: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> NetworkResponse:
    """What the landmark network sees of the character's keys, measured now or as kept in `folder`.

    It is measured with the landmarks as they were found; where they were moved it is adapted.
    """
    name = _name_stored("response", rig, landmarker.model_version)
    poses = poses_for_response(rig.channels)
    edited = rig.edits is not None and rig.edits.fits(embedding.scheme, len(embedding.triangle), rig.triangles)
    found = _found_embedding(rig, landmarker, folder) if edited else embedding
    response = _load_or_make(
        name,
        folder,
        load_response,
        lambda: measure_response(rig, found, landmarker, poses=poses, on_progress=on_progress),
        save_response,
    )
    if rig.edits is None or not edited:
        return response
    before, after = landmark_geometry(rig, found), landmark_geometry(rig, embedding)
    return adapt_response(response, before, after, rig.edits.landmark)


def find_stored_embedding(rig: BlendshapeRig, model_version: str, folder: Path) -> Path | None:
    """The file in which `embedding_of` keeps a character's landmarks, if it is there."""
    return _find_stored(_name_stored("landmarks", find_distinct_keys(rig).rig, model_version), folder)


def _load_or_make(
    name: str, folder: Path, load: Callable[[Path], Made], make: Callable[[], Made], save: Callable[[Path, Made], None]
) -> Made:
    """What a kept file holds; made, and kept in `folder`, where there is none or it is damaged."""
    stored = _find_stored(name, folder)
    if stored is not None:
        try:
            return load(stored)
        except FacecapError:
            stored.unlink(missing_ok=True)
    made = make()
    with atomic_path(folder / name) as temporary:
        save(temporary, made)
    return made


def _name_stored(kind: str, rig: BlendshapeRig, model_version: str) -> str:
    return f"{kind}-{rig_key(rig)}-{re.sub(r'[^a-z0-9.]+', '-', model_version.lower())}.npz"


def _find_stored(name: str, folder: Path) -> Path | None:
    return next((path for path in (CACHE / name, folder / name) if path.is_file()), None)


def rig_key(rig: BlendshapeRig) -> str:
    """20 hexadecimal digits of a mesh, its keys and colours."""
    digest = hashlib.sha256(f"{FORMAT} {rig.channels!r}".encode())
    for array in (rig.neutral, rig.triangles, rig.deltas, rig.colors):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
    if not np.array_equal(rig.ranges, np.tile([0.0, 1.0], (len(rig.ranges), 1))):  # how far lips are parted
        digest.update(np.ascontiguousarray(rig.ranges).data)
    return digest.hexdigest()[:20]
