"""The export job: a take in, a file of another program out."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FacecapError
from ..json_types import Facts
from ..rig.blendshapes import BlendshapeRig
from ..rig.jaw_bone import pose_jaw
from ..rig.mapping.mapping import Mapping
from ..rig.mapping.mapping_file import load_mapping
from ..takes.between import find_between_rows, frame_rate, space_evenly
from ..takes.channel_map import map_by_names
from ..takes.formats.curves import mapped_take
from ..takes.formats.export_curves import export_curves
from ..takes.formats.performance import read_performance
from ..takes.formats.point_cache import write_point_cache
from ..takes.formats.recording import notes_of
from ..takes.npz import save_take
from ..takes.take import Take
from ..takes.versions import TAKE, home_of
from .runtime.blender_process import BlenderHook, ask_blender, await_blender
from .runtime.progress import Progress, Steps
from .settings.exchange import CACHE_FORMATS, FORMATS, MESH_FORMATS, ExportSettings
from .steps.character import CharacterSource, character_source, characters_in, read_rig


@dataclass(frozen=True)
class ExportResult:
    """A file for another program.

    Attributes:
        file: it.  lines: what there is to say.
    """

    file: Path
    lines: tuple[str, ...]

    def to_json(self) -> Facts:
        """JSON-able facts."""
        return {"file": str(self.file), "lines": list(self.lines)}


def run(settings: ExportSettings, *, blender_hook: BlenderHook | None = None) -> Steps[ExportResult]:
    """Export a take.

    Raises:
        FacecapError: take, mapping or character cannot be read, do not fit, or the file cannot be written.
    """
    yield Progress("open", 0, 1)
    take = read_performance(settings.take, fps=settings.fps)
    mapping = None if settings.mapping is None else load_mapping(settings.mapping)
    out = settings.out or _beside(settings.take, settings.format)
    if settings.take.exists() and out.exists() and out.samefile(settings.take):
        raise FacecapError(f"{out.name} is the take itself.", "Name another file with --out.")
    notes = [] if settings.take.suffix.lower() == ".npz" else notes_of(take)
    if settings.format in MESH_FORMATS:
        notes += yield from _export_mesh(settings, take, out, blender_hook)
    elif settings.format in CACHE_FORMATS:
        notes += yield from _export_cache(settings, take, mapping, out, blender_hook)
    else:
        yield Progress("files", 0, 1)
        notes += export_curves(take, settings.format, out, mapping=mapping, mesh=settings.mesh)
    yield Progress("files", 1, 1)
    return ExportResult(out, (*notes, str(out)))


def _beside(take: Path, form: str) -> Path:
    stem = take.name.removesuffix(TAKE) if take.name.endswith(TAKE) else take.stem
    return home_of(take) / f"{stem}{FORMATS[form][2]}"


def _source(settings: ExportSettings, take: Take) -> CharacterSource:
    solved = take.provenance.get("settings")
    known = solved.get("character") if isinstance(solved, dict) else None
    return character_source(settings.character or (str(known) if known else None))


def _export_mesh(settings: ExportSettings, take: Take, out: Path, hook: BlenderHook | None) -> Steps[list[str]]:
    """Have Blender bake the take on the character and write it."""
    source = _source(settings, take)
    if not source.is_blend:
        raise FacecapError(
            f"{FORMATS[settings.format][0]} is written by Blender, from a .blend file.",
            "Name the character's .blend with --character.",
        )
    endings = (".usd", ".usda", ".usdc") if settings.format == "usd" else (FORMATS[settings.format][2],)
    if out.suffix.lower() not in endings:
        raise FacecapError(f"{out.name} does not end in {' or '.join(endings)}.", "Give the file that ending.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="facecap-") as folder:
        kept = Path(folder) / f"export{TAKE}"
        save_take(kept, take)
        request: Facts = {"do": "export", "blend": str(source.path.resolve()), "take": str(kept)}
        request |= {"out": str(out.resolve()), "fps": settings.fps or frame_rate(take)}
        if source.object:
            request["object"] = source.object
        if settings.mapping is not None:
            request["mapping"] = str(settings.mapping.resolve())
        asking = ask_blender(request, blender=settings.blender, hook=hook, folder=Path(folder) / "blender")
        reply = yield from await_blender(asking, "files")
    return [str(note) for note in reply.get("notes", ())]


def _export_cache(
    settings: ExportSettings, take: Take, mapping: Mapping | None, out: Path, hook: BlenderHook | None
) -> Steps[list[str]]:
    """Write every vertex of the character's mesh, metres, Blender's axes about the object's origin."""
    rig, notes = yield from read_rig(
        _source(settings, take), blender=settings.blender, hook=hook, folder=characters_in(out.parent)
    )
    yield Progress("files", 0, 1)
    keyed = map_by_names(take, rig.channels)[0] if mapping is None else mapped_take(take, mapping)
    weights = weights_of(keyed, rig)
    fps = settings.fps or frame_rate(take)
    # An MDD says when each frame is; a PC2 counts them.
    at_s = take.time_s[take.solved] if settings.format == "mdd" else space_evenly(take.time_s, fps)
    facts = take.provenance.get("head_from_rig")
    axes = np.asarray(facts, np.float64).reshape(4, 4) if facts is not None else np.eye(4)
    frames = find_between_rows(take.time_s, take.solved, at_s).interpolate_meshes(
        lambda row: pose_jaw(rig, weights[row], take.jaw[row], axes)
    )
    count = write_point_cache(out, frames, at_s, rig.vertex_count, fps=fps)
    return [*notes, f"{count} frames of {rig.vertex_count} vertices"]


def weights_of(take: Take, rig: BlendshapeRig) -> NDArray[np.float32]:
    """(F, K) weights of a rig's keys that have the names of a take's channels. Raises FacecapError if none has."""
    weights = np.zeros((take.frame_count, len(rig.channels)), np.float32)
    place = {channel: k for k, channel in enumerate(take.channels)}
    found = [k for k, key in enumerate(rig.channels) if key in place]
    if not found:
        raise FacecapError(
            "No shape key of the character has the name of a channel of the take.",
            "Pick the character that was solved, or give a mapping.",
        )
    low, high = rig.ranges[found].T
    weights[:, found] = np.clip(take.weights[:, [place[rig.channels[k]] for k in found]], low, high)
    return weights
