"""The character of a solve: its rig, out of a .blend file if need be, and its landmarks; both are kept."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..errors import FacecapError
from ..fit.prior import poses_to_rehearse
from ..landmarks.protocol import Landmarker
from ..rig.blendshapes import BlendshapeRig, load_rig
from ..rig.embedding import LandmarkEmbedding, find_embedding, load_embedding, save_embedding
from ..rig.rehearsal import Rehearsal, load_rehearsal, rehearse, save_rehearsal
from ..takes.atomic import atomic_path
from .blender_process import BlenderHook, ask_blender, reporting
from .footage_key import content_key
from .progress import Progress
from .sample import CACHE, sample_head

Made = TypeVar("Made")
# Raise it when what is read from a .blend, or how landmarks are placed, changes.
FORMAT = 2
_BLEND = re.compile(r"(?P<path>.+\.blend)(?::(?P<object>.+))?", re.IGNORECASE | re.DOTALL)


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
    source: CharacterSource, *, blender: Path | None, hook: BlenderHook | None, folder: Path, bare: bool = False
) -> Generator[Progress, None, tuple[BlendshapeRig, list[str]]]:
    """The rig of a character, and what there is to say about it, reporting while Blender reads a .blend file.

    Args:
        blender, hook: see `ask_blender`.  folder: where rigs of .blend files are kept.
        bare: whether a mesh without shape keys will do.
    Raises FacecapError if the character cannot be animated or read.
    """
    if not source.is_blend:
        return load_rig(source.path), []
    facts: dict[str, Any] = {"object": source.object, "format": FORMAT}
    key = content_key((source.path,), facts)
    kept = _kept(f"rig-{key}.npz", folder)
    if kept is None and bare:  # one with keys would do, too
        key = content_key((source.path,), {**facts, "bare": True})
        kept = _kept(f"rig-{key}.npz", folder)
    if kept is not None:
        return load_rig(kept), []
    target = folder / f"rig-{key}.npz"
    folder.mkdir(parents=True, exist_ok=True)
    request: dict[str, Any] = {"do": "extract", "blend": str(source.path.resolve()), "out": str(target.resolve())}
    if source.object:
        request["object"] = source.object
    if bare:
        request["bare"] = True
    asking = ask_blender(request, blender=blender, hook=hook, folder=folder)
    reply = yield from reporting(asking, "character")
    return load_rig(target), [str(note) for note in reply.get("notes", ())]


def embedding_of(rig: BlendshapeRig, landmarker: Landmarker, folder: Path) -> LandmarkEmbedding:
    """The character's landmarks, found or as kept in `folder`. Raises FacecapError if no face can be seen on it."""
    name = _kept_name("landmarks", rig, landmarker.model_version)
    return _kept_or_made(name, folder, load_embedding, lambda: find_embedding(rig, landmarker), save_embedding)


def rehearsal_of(
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    landmarker: Landmarker,
    folder: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> Rehearsal:
    """What the landmark network sees of the character's keys, measured now or as kept in `folder`."""
    name = _kept_name("rehearsal", rig, landmarker.model_version)
    poses = poses_to_rehearse(rig.channels)
    return _kept_or_made(
        name,
        folder,
        load_rehearsal,
        lambda: rehearse(rig, embedding, landmarker, poses=poses, on_progress=on_progress),
        save_rehearsal,
    )


def kept_embedding(rig: BlendshapeRig, model_version: str, folder: Path) -> Path | None:
    """The file in which `embedding_of` keeps a character's landmarks, if it is there."""
    return _kept(_kept_name("landmarks", rig, model_version), folder)


def _kept_or_made(
    name: str, folder: Path, load: Callable[[Path], Made], make: Callable[[], Made], save: Callable[[Path, Made], None]
) -> Made:
    """What a kept file holds; made, and kept in `folder`, where there is none or it is damaged."""
    kept = _kept(name, folder)
    if kept is not None:
        try:
            return load(kept)
        except FacecapError:
            kept.unlink(missing_ok=True)
    made = make()
    with atomic_path(folder / name) as temporary:
        save(temporary, made)
    return made


def _kept_name(kind: str, rig: BlendshapeRig, model_version: str) -> str:
    return f"{kind}-{_rig_key(rig)}-{re.sub(r'[^a-z0-9.]+', '-', model_version.lower())}.npz"


def _kept(name: str, folder: Path) -> Path | None:
    return next((path for path in (CACHE / name, folder / name) if path.is_file()), None)


def _rig_key(rig: BlendshapeRig) -> str:
    digest = hashlib.sha256(f"{FORMAT} {rig.channels!r}".encode())
    for array in (rig.neutral, rig.triangles, rig.deltas, rig.colors):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).data)
    return digest.hexdigest()[:20]
