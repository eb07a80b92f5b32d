"""What a running job says while it works."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")

REPORT_EVERY = 8
"""Frames between two reports of what looks at every frame."""


@dataclass(frozen=True)
class Progress:
    """One step of a job.

    Attributes:
        stage: what is being done, for people: "landmarks", "fit", ...
        done, total: units finished and to do in this stage; total 0 where it is not known.
        message: a remark worth showing, or "".
    """

    stage: str
    done: int
    total: int
    message: str = ""


Steps = Generator[Progress, None, Result]
"""A job, or a part of one: it yields Progress as it goes and returns a result."""
