"""The jobs there are, by name. A job's module is imported only when the job is opened."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

_WITH_CONTROLS = ("live",)
_JOBS = {
    "solve": (".solve", "SolveSettings"),
    "refine": (".refine", "RefineSettings"),
    "dataset": (".dataset", "DatasetSettings"),
    "train": (".train", "TrainSettings"),
    "filter": (".filter", "FilterSettings"),
    "live": (".live", "LiveSettings"),
    "retarget": (".retarget", "RetargetSettings"),
    "shape-keys": (".shape_keys", "ShapeKeysSettings"),
    "generate": (".generate", "GenerateSettings"),
    "proxy": (".proxy", "ProxySettings"),
    "train-generator": (".train_generator", "TrainGeneratorSettings"),
}


@dataclass(frozen=True)
class Job:
    """A job that can be run.

    Attributes:
        name: "solve", …
        settings_type: its settings dataclass.
        run: generator function of the settings; yields Progress, returns an object with `to_json()`.
        has_controls: whether `run` takes `controls`, bytes that tell it things while it runs.
    """

    name: str
    settings_type: type[Any]
    run: Callable[..., Generator[Any, None, Any]]
    has_controls: bool = False


def open_job(name: str) -> Job:
    """The job of that name. Raises KeyError if there is none: names come from our own code."""
    module_name, settings_name = _JOBS[name]
    module = importlib.import_module(module_name, __package__)
    return Job(name, getattr(module, settings_name), module.run, name in _WITH_CONTROLS)
