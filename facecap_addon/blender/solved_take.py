"""A solve's outcome, remembered by a scene, so that it can be baked again later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy

from ..errors import FacecapError
from ..jobs.steps.results.result import SolveResult
from .takes import add_take, kept_path

if TYPE_CHECKING:
    from ..takes.take import Take


def remember(scene: bpy.types.Scene, result: SolveResult, kind: str = "solved", *, choose: bool = True) -> None:
    """Keep a solve's outcome with the scene; with `choose` it is the one that is baked."""
    from ..takes.npz import load_take

    summary = result.summary
    path = result.version or result.take
    report = result.report
    if report is not None and path.with_name(report.name).is_file():
        report = path.with_name(report.name)
    take = load_take(path)
    add_take(
        scene,
        path,
        take,
        kind,
        choose=choose,
        report=kept_path(report) if report else "",
        embedding=_embedding_of(take, path),
        fps=float(summary.get("fps") or 0.0),
        warnings="\n".join(str(warning) for warning in summary.get("warnings", ())),
    )


def _embedding_of(take: Take, path: Path) -> str:
    """Where the solve keeps the character's landmarks, for the overlay; "" if they are not there."""
    from ..jobs.steps.character import characters_in, find_stored_embedding
    from ..rig.blendshapes import load_rig
    from ..takes.versions import home_of

    settings = take.provenance.get("settings")
    character = settings.get("character") if isinstance(settings, dict) else None
    try:
        rig = load_rig(Path(str(character))) if character else None
    except FacecapError:
        rig = None
    if rig is None:
        return ""
    found = find_stored_embedding(rig, str(take.provenance.get("landmarks")), characters_in(home_of(path)))
    return "" if found is None else kept_path(found)
