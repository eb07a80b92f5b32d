"""What a take says of how it was made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ....errors import FacecapError
from ....footage.footage import Footage
from ....rig.embedding import LandmarkEmbedding
from ....settings_schema import from_json, to_json
from ....takes.names import Origin
from ....takes.take import Take
from ....takes.versions import home_of
from ...runtime.crash_report import versions
from ...settings.solve import SolveSettings

CLIP = "clip"
"""In a take's provenance: path and key of the clip's content."""


def add_provenance(
    take: Take, settings: SolveSettings, footage: Footage, embedding: LandmarkEmbedding, origin: Origin
) -> Take:
    """The take with what it was solved from and how."""
    facts: dict[str, object] = {
        **take.provenance,
        "source": str(settings.video),
        CLIP: {"path": origin.path, "key": origin.key},
        "fps": str(footage.frame_rate),
        "upside_down": footage.upside_down,
        "head_from_rig": embedding.head_from_rig.tolist(),
        "settings": to_json(settings),
        "versions": versions(),
    }
    return replace(take, provenance=facts)


def settings_of(take: Take, path: Path) -> SolveSettings:
    """The settings a take was solved with. Raises FacecapError if it does not say."""
    facts = take.provenance.get("settings")
    if not isinstance(facts, dict) or "video" not in facts:
        raise FacecapError(
            f"{path.name} does not say what it was solved from.", "Solve the footage with FaceCap first."
        )
    return from_json(SolveSettings, {**facts, "out": str(home_of(path))})


def origin_in(take: Take) -> Origin | None:
    """The clip that a take says it was solved from; takes of earlier versions know its path alone."""
    facts = take.provenance.get(CLIP)
    if isinstance(facts, dict):
        return Origin(str(facts.get("path", "")), str(facts.get("key", "")))
    source = take.provenance.get("source")
    return Origin(str(source), "") if source else None
