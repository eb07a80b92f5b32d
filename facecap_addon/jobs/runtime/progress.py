"""What a running job says while it works."""

from __future__ import annotations

from dataclasses import dataclass


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
