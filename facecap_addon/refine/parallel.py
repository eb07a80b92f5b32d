"""Independent pieces of work on the machine's cores: faster than many cores on every small operation of one piece."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import lru_cache
from threading import Event
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")
_MOST = 16
_POLL_S = 0.2


class _Stopped(Exception):
    """Another piece has failed, or the caller has stopped: the result of this one is not needed."""


def run_parallel(
    work: Callable[[Item, Callable[[], None]], Result],
    items: Sequence[Item],
    on_wait: Callable[[], None] | None = None,
    workers: int | None = None,
) -> Iterator[tuple[Item, Result]]:
    """Items and their results, in the order in which they are done.

    For work that spends its time in numpy, numba and torch, which let go of Python's lock.

    Args:
        work: called with an item and a function that it should call now and then: it raises when others have failed.
        on_wait: called a few times a second in the caller's thread; it may raise to cancel.
        workers: how many pieces at once; None: one per core.
    """
    stop = Event()

    def poll() -> None:
        if stop.is_set():
            raise _Stopped

    waiting = list(reversed(items))
    running: dict[Future[Result], Item] = {}
    try:
        while waiting or running:
            while waiting and len(running) < (workers or cores()):
                item = waiting.pop()
                running[_pool().submit(work, item, poll)] = item
            done, _ = wait(running, _POLL_S, FIRST_COMPLETED)
            if on_wait is not None:
                on_wait()
            for future in done:
                yield running.pop(future), future.result()
    finally:
        stop.set()
        wait(running)


def cores() -> int:
    """How many pieces are worked on at once."""
    return min(_MOST, os.cpu_count() or 1)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    # One core each: torch would start threads of its own in every one of them.
    return ThreadPoolExecutor(cores(), "deep", lambda: torch.set_num_threads(1))
