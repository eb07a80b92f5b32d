"""What a worker process tells its owner: JSON lines.

    {"event": "progress", "stage": "landmarks", "done": 128, "total": 900, "message": ""}
    {"event": "face", "time_s": 1.2, "weights": […], "head_wxyz": […], "head_m": […], …}
    {"event": "result", "result": {…}}
    {"event": "error", "what": "…", "way_out": "…", "exit_code": 2, "report": "/path/or/null"}

A job ends with exactly one result or one error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ...json_types import Decoded
from .progress import Progress


@dataclass(frozen=True)
class JobResult:
    """The job is done.

    Attributes:
        result: JSON-able facts; for a solve, what `SolveResult.from_json` reads.
    """

    result: Decoded


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


@dataclass(frozen=True)
class FaceEvent:
    """A frame of live capture.

    Attributes:
        time_s: since the start.  captured_s: when it was captured, by the monotonic clock of this machine.
        weights: of the character's channels.  head_wxyz, head_m: see `Take`.  confidence: 0..1; 0: no face is seen.
        known: 0..1, how far the performer is known; below 1 no face is given, however well it is seen.
        fps: solved per second.  latency_ms: from capture to here.  dropped: pictures left out so far.
        recording: whether this is being recorded.  note: what there is to say, or "".
        neutral: whether the face has just been called neutral.  take: the recording that has just been written, or "".
        head_from_rig: (16,) head space from rig space by rows, with the first face only, where they differ.
    """

    time_s: float
    captured_s: float
    weights: tuple[float, ...]
    head_wxyz: tuple[float, ...]
    head_m: tuple[float, ...]
    confidence: float
    fps: float
    latency_ms: float
    dropped: int
    recording: bool
    note: str = ""
    neutral: bool = False
    take: str = ""
    head_from_rig: tuple[float, ...] = ()
    known: float = 1.0


Event = Progress | FaceEvent | JobResult | JobError


def encode_event(event: Event) -> str:
    """One event as one line of ASCII JSON, without the line break."""
    if isinstance(event, Progress):
        facts: dict[str, object] = {
            "event": "progress",
            "stage": event.stage,
            "done": event.done,
            "total": event.total,
            "message": event.message,
        }
    elif isinstance(event, FaceEvent):
        facts = {"event": "face", **vars(event)}
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
        if kind == "face":
            return _face_of(facts)
        if kind == "result":
            return JobResult(dict(facts["result"]))
        if kind == "error":
            return JobError(str(facts["what"]), str(facts["way_out"]), int(facts["exit_code"]), facts["report"])
    except (ValueError, KeyError, TypeError):
        return None
    return None


def _face_of(facts: Decoded) -> FaceEvent:
    def row(name: str) -> tuple[float, ...]:
        return tuple(float(value) for value in facts[name])

    return FaceEvent(
        time_s=float(facts["time_s"]),
        captured_s=float(facts["captured_s"]),
        weights=row("weights"),
        head_wxyz=row("head_wxyz"),
        head_m=row("head_m"),
        head_from_rig=row("head_from_rig"),
        confidence=float(facts["confidence"]),
        fps=float(facts["fps"]),
        latency_ms=float(facts["latency_ms"]),
        dropped=int(facts["dropped"]),
        recording=bool(facts["recording"]),
        note=str(facts["note"]),
        neutral=bool(facts["neutral"]),
        take=str(facts["take"]),
        known=float(facts["known"]),
    )
