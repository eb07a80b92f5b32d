"""Turn a function that reports progress by a callback into a generator that yields it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

from ...errors import CancelledError
from .progress import Progress, Steps

Result = TypeVar("Result")
OnProgress = Callable[[str, int, int], None]
"""Told (stage, done, total); it may raise to cancel."""
_WAIT_S = 0.1


def run_threaded(stage: str, function: Callable[[Callable[[int, int], None]], Result]) -> Steps[Result]:
    """Run `function(on_progress)` and yield each of its reports; see `run_threaded_stages`.

    That the stage has begun is said in any case: not every function reports.
    """
    yield Progress(stage, 0, 1)
    return (
        yield from run_threaded_stages(
            lambda on_stage_progress: function(lambda done, total: on_stage_progress(stage, done, total))
        )
    )


def run_threaded_stages(function: Callable[[OnProgress], Result]) -> Steps[Result]:
    """Run `function(on_progress)`, whose reports name their stage, and yield each of them.

    Returns the function's result, raises what it raises.

    The function works in a thread of its own, which touches nothing of Blender's. When the generator is closed or
    interrupted, the function's next report raises CancelledError inside it, and its end is awaited.
    """
    reports: queue.SimpleQueue[Progress | None] = queue.SimpleQueue()
    stopped = threading.Event()
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def on_progress(stage: str, done: int, total: int) -> None:
        if stopped.is_set():
            raise CancelledError
        reports.put(Progress(stage, done, total))

    def work() -> None:
        try:
            outcome.append(function(on_progress))
        except BaseException as error:
            failure.append(error)
        finally:
            reports.put(None)

    thread = threading.Thread(target=work, name="facecap-job")
    thread.start()
    try:
        while True:
            try:
                report = reports.get(timeout=_WAIT_S)  # with a timeout an interrupt gets through on Windows, too
            except queue.Empty:
                continue
            if report is None:
                break
            yield report
    finally:
        stopped.set()
        thread.join()
    if failure:
        raise failure[0]
    return outcome[0]
