"""Pieces of work side by side: all of them, or word of what went wrong, and nobody left working."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

pytest.importorskip("torch")

from facecap_addon.errors import CancelledError
from facecap_addon.refine.parallel import cores, run_parallel
from tests.patience import PATIENCE_S, wait_until

Poll = Callable[[], None]


def busy(poll: Poll) -> None:
    """Work that never ends, but looks up now and then: `poll` raises when nobody waits for it any more."""

    def asked() -> bool:
        poll()
        return False

    wait_until(asked)


def test_every_piece_is_done_once() -> None:
    found = dict(run_parallel(lambda item, _poll: item * item, range(20)))
    assert found == {item: item * item for item in range(20)}


def test_a_failure_stops_the_others_and_is_told() -> None:
    running = threading.Event()

    def work(item: int, poll: Poll) -> None:
        if item == 0:
            # On one core there is nobody to wait for.
            assert cores() == 1 or running.wait(PATIENCE_S)
            raise ValueError("broken")
        running.set()
        busy(poll)

    with pytest.raises(ValueError, match="broken"):
        list(run_parallel(work, range(2), workers=2))


def test_a_cancel_comes_through_while_pieces_run() -> None:
    running = threading.Event()

    def work(item: int, poll: Poll) -> None:
        running.set()
        busy(poll)

    def cancel() -> None:
        if running.is_set():
            raise CancelledError

    with pytest.raises(CancelledError):
        list(run_parallel(work, range(3), cancel))
