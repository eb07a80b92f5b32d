"""The jobs there are, by name. A job's module is imported only when the job is opened."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

from .progress import Progress

_JOBS = {
    "solve": (".solve", "SolveSettings"),
    "refine": (".refine", "RefineSettings"),
    "dataset": (".dataset", "DatasetSettings"),
    "train": (".train", "TrainSettings"),
}


@dataclass(frozen=True)
class Job:
    """A job that can be run.

    Attributes:
        name: "solve", …
        settings_type: its settings dataclass.
        run: generator function of the settings; yields Progress, returns an object with `to_json()`.
    """

    name: str
    settings_type: type[Any]
    run: Callable[..., Generator[Progress, None, Any]]


def open_job(name: str) -> Job:
    """The job of that name. Raises KeyError if there is none: names come from our own code."""
    module_name, settings_name = _JOBS[name]
    module = importlib.import_module(module_name, __package__)
    return Job(name, getattr(module, settings_name), module.run)
