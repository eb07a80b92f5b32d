"""Decodes in the background: frames are made on a thread of their own while the landmark network runs."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

# Enough to even out a decoder that delivers in bursts, few enough that memory stays flat.
_BUFFERED = 4
_POLL_S = 0.1


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def prefetch(items: Iterable[Item], buffered: int = _BUFFERED) -> Generator[Item, None, None]:
    """Yield the items of an iterable that is run on a background thread.

    An error of the iterable is raised here, after the items before it. Closing the generator ends the thread; the
    iterable's own generator is then closed on that thread.

    Args:
        items: anything that yields.  buffered: items that may wait.
    """
    waiting: queue.Queue[Item | _End] = queue.Queue(maxsize=buffered)
    stopped = threading.Event()

    def offer(item: Item | _End) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(item, timeout=_POLL_S)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        error: BaseException | None = None
        iterator = iter(items)
        try:
            for item in iterator:
                if not offer(item):
                    break
        except BaseException as raised:  # it travels to the reader, whatever it is
            error = raised
        finally:
            close = getattr(iterator, "close", None)
            if close is not None:
                close()
        offer(_End(error))
        ended.set()

    ended = threading.Event()
    thread = threading.Thread(target=work, name="facecap-read-ahead", daemon=True)
    try:
        thread.start()  # inside: an interrupt may come while the thread is starting
        while True:
            item = waiting.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stopped.set()
        ended.wait(timeout=5.0)


class Upcoming(Iterator[Item]):
    """An iterator whose next items can be looked at before they are taken."""

    def __init__(self, items: Generator[Item, None, None]) -> None:
        self._items = items
        self._waiting: deque[Item] = deque()
        self._error: Exception | None = None

    def __next__(self) -> Item:
        if self._waiting:
            return self._waiting.popleft()
        if self._error is not None:
            error, self._error = self._error, None
            raise error
        return next(self._items)

    def peek(self, count: int) -> list[Item]:
        """Up to `count` of the items to come."""
        while len(self._waiting) < count and self._error is None:
            try:
                self._waiting.append(next(self._items))
            except StopIteration:
                break
            except Exception as error:  # raised when the item's turn comes
                self._error = error
                break
        return list(self._waiting)[:count]

    def close(self) -> None:
        """End the reading."""
        self._items.close()
