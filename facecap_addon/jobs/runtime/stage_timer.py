"""How long each stage of a job takes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class StageTimer:
    """Runs from its making; adds up seconds per stage."""

    def __init__(self) -> None:
        self._start_s = time.perf_counter()
        self._stages: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time of a `with` block to a stage."""
        start_s = time.perf_counter()
        try:
            yield
        finally:
            self._stages[name] = self._stages.get(name, 0.0) + time.perf_counter() - start_s

    def seconds(self) -> dict[str, float]:
        """Seconds per stage so far, and in all under "total"."""
        stages = {name: round(seconds, 4) for name, seconds in self._stages.items()}
        return {**stages, "total": time.perf_counter() - self._start_s}
