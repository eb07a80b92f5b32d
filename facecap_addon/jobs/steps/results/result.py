"""What a solve leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from ....json_types import Decoded, Facts


@dataclass(frozen=True)
class SolveResult:
    """The files of a finished solve.

    Attributes:
        take: `<stem>.take.npz`.
        version: the same take under its identity, where it stays when the clip is solved again.
        before: that of the take that had this one's name before; None where there was none.
        summary_path: `<stem>.summary.json`; `summary.json` beside it is the folder's latest.
        live_link, report, preview, blend: the other files; None where not asked for or, for the .blend, not possible.
        summary: what `summary.json` holds: frames_decoded, frames_solved, frames_missing, fps, seconds, residual_px,
            versions, warnings.
    """

    take: Path
    summary_path: Path
    live_link: Path | None
    report: Path | None
    preview: Path | None
    blend: Path | None
    summary: Decoded
    version: Path | None = None
    before: Path | None = None

    def to_json(self) -> Facts:
        """JSON-able facts; paths become text."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, facts: Decoded) -> SolveResult:
        """Turn `to_json`'s facts back."""

        def path(name: str) -> Path | None:
            return None if facts.get(name) is None else Path(facts[name])

        return cls(
            take=Path(facts["take"]),
            summary_path=Path(facts["summary_path"]),
            live_link=path("live_link"),
            report=path("report"),
            preview=path("preview"),
            blend=path("blend"),
            summary=dict(facts["summary"]),
            version=path("version"),
            before=path("before"),
        )
