"""What a job is asked to do that lets an actor learn from corrections."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting


@dataclass(frozen=True, kw_only=True)
class TeachActorSettings:
    """Settings of one lesson."""

    take: Path = setting(help="Take (.take.npz) whose frames were corrected; it stays as it is")
    corrections: Path | None = setting(
        None,
        help="What frames should look like, a .corrections.json; if not given: those in the take",
    )
    actor: Path | None = setting(None, help="Actor (.actor.json) who learns; if not given: the take's; the file stays")
    out: Path | None = setting(None, help="Actor's file to write; if not given: a new one beside the take")
    threads: int = setting(1, help="Threads", min=1, max=64)
