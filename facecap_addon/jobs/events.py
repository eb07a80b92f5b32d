"""What a worker process tells its owner: JSON lines.

    {"event": "progress", "stage": "landmarks", "done": 128, "total": 900, "message": ""}
    {"event": "result", "result": {…}}
    {"event": "error", "what": "…", "way_out": "…", "exit_code": 2, "report": "/path/or/null"}

A job ends with exactly one result or one error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .progress import Progress


@dataclass(frozen=True)
class JobResult:
    """The job is done.

    Attributes:
        result: JSON-able facts; for a solve, what `SolveResult.from_json` reads.
    """

    result: dict[str, Any]


@dataclass(frozen=True)
class JobError:
    """The job ended without a result.

    Attributes:
        what: what happened.
        way_out: what the user can do about it.
        exit_code: 2 bad input, 3 no face found, 130 cancelled, 1 a fault of FaceCap's own.
        report: path of the report file about a fault of FaceCap's own, or None.
    """

    what: str
    way_out: str
    exit_code: int
    report: str | None = None

    @property
    def cancelled(self) -> bool:
        return self.exit_code == 130


Event = Progress | JobResult | JobError


def encode_event(event: Event) -> str:
    """One event as one line of ASCII JSON, without the line break."""
    if isinstance(event, Progress):
        facts: dict[str, Any] = {
            "event": "progress",
            "stage": event.stage,
            "done": event.done,
            "total": event.total,
            "message": event.message,
        }
    elif isinstance(event, JobResult):
        facts = {"event": "result", "result": event.result}
    else:
        facts = {
            "event": "error",
            "what": event.what,
            "way_out": event.way_out,
            "exit_code": event.exit_code,
            "report": event.report,
        }
    return json.dumps(facts)


def decode_event(line: str) -> Event | None:
    """The event in one line, or None if the line is not one."""
    try:
        facts = json.loads(line)
        kind = facts["event"]
        if kind == "progress":
            return Progress(str(facts["stage"]), int(facts["done"]), int(facts["total"]), str(facts["message"]))
        if kind == "result":
            return JobResult(dict(facts["result"]))
        if kind == "error":
            return JobError(str(facts["what"]), str(facts["way_out"]), int(facts["exit_code"]), facts["report"])
    except (ValueError, KeyError, TypeError):
        return None
    return None
