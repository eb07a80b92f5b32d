"""The import job: another program's performance in, a take out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import FacecapError
from ..json_types import Facts
from ..landmarks.registry import open_landmarker
from ..takes.formats.performance import VERTEX_FILES, read_performance
from ..takes.formats.point_cache import PointCache, read_point_cache
from ..takes.formats.recording import notes_of
from ..takes.npz import save_take
from ..takes.take import Take
from ..takes.versions import TAKE, add_id
from .runtime.blender_process import BlenderHook, ask_blender, await_blender
from .runtime.progress import Progress, Steps
from .settings.exchange import ImportSettings
from .steps.character import Character, character_source, characters_in, find_character
from .steps.results.derived_take import DerivedTake
from .steps.results.outputs import OutputFiles, write_live_link
from .steps.vertex_take import fit_vertices

ImportResult = DerivedTake
"""A take of another program's performance."""
_DEFAULT_FPS = 24.0


def run(settings: ImportSettings, *, blender_hook: BlenderHook | None = None) -> Steps[ImportResult]:
    """Import a performance.

    Raises:
        FacecapError: nobody knows what the file holds, it is damaged, or it moves another mesh than the character's.
    """
    yield Progress("open", 0, 1)
    out = settings.out or _beside(settings.file)
    if not out.name.endswith(TAKE):
        out = out.with_name(f"{out.name.removesuffix('.npz')}{TAKE}")
    if settings.file.suffix.lower() in VERTEX_FILES:
        take = yield from _read_vertices(settings, out, blender_hook)
    else:
        take = read_performance(settings.file, fps=settings.fps)
    yield Progress("files", 0, 1)
    files = OutputFiles(out.parent, out.name.removesuffix(TAKE))
    written = ("take.npz", "livelink.csv")
    earlier = files.keep(written)
    take = add_id(replace(take, provenance={**take.provenance, "imported": str(settings.file)}))
    save_take(out, take)
    if settings.live_link:
        write_live_link(files, take)
    files.keep(written)
    lines = [*notes_of(take), f"{int(take.solved.sum())} of {take.frame_count} frames, {len(take.channels)} channels"]
    lines.append(str(out))
    if earlier is not None:
        lines.append(f"The one that was there is kept: {earlier}")
    return DerivedTake(out, None, tuple(lines))


def _beside(file: Path) -> Path:
    stem = file.name if file.is_dir() else file.stem
    return file.parent / f"{stem}{TAKE}"


def _read_vertices(settings: ImportSettings, out: Path, hook: BlenderHook | None) -> Steps[Take]:
    """Weights of the character's keys that come nearest to moving vertices."""
    if settings.character is None:
        raise FacecapError(
            f"{settings.file.name} holds moving vertices; weights of which shape keys they are, it does not say.",
            "Name the character that moves in it with --character.",
        )
    folder = characters_in(out.parent)
    character = yield from find_character(
        character_source(settings.character),
        open_landmarker(threads=settings.threads),
        blender=settings.blender,
        hook=hook,
        folder=folder,
    )
    fps = settings.fps or _DEFAULT_FPS
    notes = list(character.notes)
    if settings.fps is None and settings.file.suffix.lower() != ".mdd":
        notes.append(f"its frames were taken as {fps:g} per second; --fps says otherwise.")
    if settings.file.suffix.lower() in (".pc2", ".mdd"):
        cache = read_point_cache(settings.file)
        return (yield from fit_vertices(settings.file, cache, character, fps, notes))
    with TemporaryDirectory(prefix="facecap-") as scratch:
        cache = yield from _ask_for_points(settings, character, fps, Path(scratch), hook)
        take = yield from fit_vertices(settings.file, cache, character, fps, notes)
        del cache  # its file is mapped, and Windows does not remove such
    return take


def _ask_for_points(
    settings: ImportSettings, character: Character, fps: float, scratch: Path, hook: BlenderHook | None
) -> Steps[PointCache]:
    """Have Blender write the mesh of an Alembic or USD file to a point cache."""
    points = scratch / "points.mdd"
    request: Facts = {"do": "read_mesh", "file": str(settings.file.resolve()), "out": str(points)}
    request |= {"vertices": character.rig.vertex_count, "fps": fps}
    asking = ask_blender(request, blender=settings.blender, hook=hook, folder=scratch / "blender")
    yield from await_blender(asking, "alembic")
    return read_point_cache(points)
