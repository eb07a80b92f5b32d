"""How long a test waits for what must come. No promise of speed: it only turns a hang into a failure."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 900.0
"""Enough on any machine, however busy. How fast things are is measured in `benchmarks/`, never in a test."""


def wait_until(condition: Callable[[], object]) -> None:
    """Ask again and again until `condition()` is true. Raises TimeoutError when patience is at an end."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError
        time.sleep(0.02)
