"""Pieces of work side by side: all of them, or word of what went wrong, and nobody left working."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

pytest.importorskip("torch")

from facecap_addon.errors import CancelledError
from facecap_addon.fit.deep.side_by_side import side_by_side

Poll = Callable[[], None]


def busy(poll: Poll, seconds: float = 5.0) -> None:
    """Work that looks up now and then."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        poll()
        time.sleep(0.01)


def test_every_piece_is_done_once() -> None:
    found = dict(side_by_side(lambda item, _poll: item * item, range(20)))
    assert found == {item: item * item for item in range(20)}


def test_a_failure_stops_the_others_and_is_told() -> None:
    def work(item: int, poll: Poll) -> None:
        if item == 1:
            raise ValueError("broken")
        busy(poll)

    began = time.perf_counter()
    with pytest.raises(ValueError, match="broken"):
        list(side_by_side(work, range(2), at_once=2))
    assert time.perf_counter() - began < 3.0


def test_a_cancel_comes_through_while_pieces_run() -> None:
    running = threading.Event()

    def work(item: int, poll: Poll) -> None:
        running.set()
        busy(poll)

    def cancel() -> None:
        if running.is_set():
            raise CancelledError

    began = time.perf_counter()
    with pytest.raises(CancelledError):
        list(side_by_side(work, range(3), cancel))
    assert time.perf_counter() - began < 3.0
