"""The shape-keys job: a bare head in, the same head with ARKit's keys out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..atomic_file import atomic_path
from ..errors import FacecapError
from ..images.encode import write_image
from ..json_types import Facts
from ..landmarks.registry import open_landmarker
from ..reports.shape_key_sheet import draw_key_sheet
from ..retarget.close_contacts import close_lids_and_lips
from ..retarget.shape_transfer.transfer_keys import symmetrise, transfer_shape_keys
from ..rig.blendshapes import BlendshapeRig, save_rig
from ..rig.channels import arkit_name
from ..rig.embedding import find_embedding
from ..takes.names import make_stem
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .runtime.threaded_progress import run_threaded
from .settings.shape_keys import ShapeKeysSettings
from .steps.character import character_source, characters_in, find_character, rig_key
from .steps.results.outputs import ask_for_blend

_WRITTEN = ("keys.npz", "keys.png", "keys.blend")


@dataclass(frozen=True)
class ShapeKeysResult:
    """A head with keys.

    Attributes:
        rig: the rig `.npz`.  sheet: a picture of every key.  blend: the copy of the .blend, or None.
        lines: what there is to say.
    """

    rig: Path
    sheet: Path
    blend: Path | None
    lines: tuple[str, ...]

    def to_json(self) -> Facts:
        """JSON-able facts."""
        blend = None if self.blend is None else str(self.blend)
        return {"rig": str(self.rig), "sheet": str(self.sheet), "blend": blend, "lines": list(self.lines)}


def run(settings: ShapeKeysSettings, *, blender_hook: BlenderHook | None = None) -> Steps[ShapeKeysResult]:
    """Make the shape keys of a head.

    Raises:
        FacecapError: a head cannot be read, no face can be seen on it, or it is not symmetric where it should be.
    """
    yield Progress("open", 0, 1)
    out = settings.out
    out.mkdir(parents=True, exist_ok=True)
    characters = characters_in(out)
    target_source = character_source(settings.character)
    blender, hook = settings.blender, blender_hook
    landmarker = open_landmarker(threads=settings.threads)
    target_head = yield from find_character(
        target_source, landmarker, blender=blender, hook=hook, folder=characters, bare=True
    )
    bare, ours = _drop_keys(target_head.rig), target_head.embedding
    # Placed on the head with all its keys: they help to find its face, and its landmarks may be kept already.
    source_head = yield from find_character(
        character_source(settings.source), landmarker, blender=blender, hook=hook, folder=characters
    )
    source, theirs = _choose_keys(source_head.rig, settings.only), source_head.embedding
    factors = settings.strength * _parse_factors(source.channels, settings.strengths)
    made = yield from run_threaded(
        "keys", lambda on_progress: transfer_shape_keys(source, theirs, bare, ours, on_progress)
    )
    lines = [
        *target_head.notes,
        *source_head.notes,
        f"{len(made.channels)} shape keys for {bare.vertex_count} vertices",
    ]
    if settings.contact:

        def mend(on_progress: Callable[[int, int], None]) -> tuple[BlendshapeRig, list[str]]:
            # Now that the mouth can open, the landmarks of the inner lips find their own sides.
            embedding = find_embedding(made, landmarker, lambda done, total: on_progress(done, 2 * total))
            deltas, said = close_lids_and_lips(made, embedding, source, theirs)
            return replace(made, deltas=deltas), said

        made, said = yield from run_threaded("contact", mend)
        lines += said
    if settings.symmetric:
        made = symmetrise(made, ours)
    made = replace(made, deltas=made.deltas * factors[:, None, None])
    # An object may be called anything; a file may not.
    name = re.sub(r'[\\/:*?"<>|\x00-\x1f]', "_", bare.name or target_source.path.stem)[:80].strip(". ") or "head"
    stem = make_stem(out, name, rig_key(made), _WRITTEN, lines)
    target = out / f"{stem}.keys.npz"
    with atomic_path(target) as temporary:
        save_rig(temporary, made)
    sheet = out / f"{stem}.keys.png"
    with atomic_path(sheet) as temporary:
        write_image(temporary, draw_key_sheet(made, ours))
    blend = None
    if settings.blend and target_source.is_blend:
        request: Facts = {"do": "add_keys", "blend": str(target_source.path.resolve()), "rig": str(target.resolve())}
        request["object"] = target_head.source.object or bare.name
        copy = out / f"{stem}.keys.blend"
        blend = yield from ask_for_blend(request, copy, blender=blender, hook=hook, folder=characters, notes=lines)
    lines += [str(path) for path in (target, sheet, blend) if path is not None]
    return ShapeKeysResult(target, sheet, blend, tuple(lines))


def _drop_keys(rig: BlendshapeRig) -> BlendshapeRig:
    """The mesh alone: what keys it has are neither used nor changed."""
    none = np.zeros((0, rig.vertex_count, 3), np.float32)
    return replace(rig, deltas=none, channels=(), ranges=np.zeros((0, 2), np.float32), jaw=None)


def _parse_factors(channels: tuple[str, ...], text: str | None) -> NDArray[np.float32]:
    """(K,) factors on single keys out of `name=1.2, other=0.8`. Raises FacecapError if it is none, or names no key."""
    out = np.ones(len(channels), np.float32)
    for part in (text or "").split(","):
        name, _, value = (piece.strip() for piece in part.partition("="))
        if not part.strip():
            continue
        try:
            factor = float(value)
        except ValueError:
            factor = -1.0
        if name not in channels or not 0.0 <= factor <= 10.0:
            raise FacecapError(
                f"{part.strip()!r} is no strength of a key.", "Write them as jawOpen=1.2, mouthFunnel=0.8."
            )
        out[channels.index(name)] = factor
    return out


def _choose_keys(rig: BlendshapeRig, only: str | None) -> BlendshapeRig:
    """The rig with the keys that are asked for, under ARKit's names."""
    names = [arkit_name(channel) or channel for channel in rig.channels]
    keep = list(range(len(names)))
    if only is not None:
        wanted = [name.strip() for name in only.split(",") if name.strip()]
        unknown = [name for name in wanted if name not in names]
        if unknown or not wanted:
            raise FacecapError(
                f"There is no key called {', '.join(unknown) or 'nothing'} to carry over.",
                f"Choose among {', '.join(names[:6])}, …",
            )
        keep = [names.index(name) for name in wanted]
    return replace(rig, deltas=rig.deltas[keep], channels=tuple(names[k] for k in keep), ranges=rig.ranges[keep])
