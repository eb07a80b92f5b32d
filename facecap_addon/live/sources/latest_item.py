"""From the thread that captures to the one that solves: only the newest counts."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Room for the newest; what was not fetched when there is no room is dropped, so that nothing ever lags.

    Args:
        room: things that may wait: one, where each takes long to solve; more, where a burst is worked off at once and
            a recording should miss none.

    Attributes:
        put_count: things put in.  dropped: things never fetched.
    """

    def __init__(self, room: int = 1) -> None:
        self._changed = threading.Condition()
        self._items: deque[Item] = deque(maxlen=room)
        self._closed = False
        self._error: BaseException | None = None
        self.put_count = self.dropped = 0

    def put(self, item: Item) -> None:
        """Put the newest in."""
        with self._changed:
            self.dropped += len(self._items) == self._items.maxlen
            self._items.append(item)
            self.put_count += 1
            self._changed.notify()

    def skip(self) -> None:
        """Count a thing that came too late to be put in."""
        with self._changed:
            self.put_count += 1
            self.dropped += 1

    def close(self, error: BaseException | None = None) -> None:
        """Nothing more will come; the error, if any, is raised where things are fetched."""
        with self._changed:
            self._closed, self._error = True, error
            self._changed.notify()

    @property
    def ended(self) -> bool:
        """Whether nothing is left and nothing more will come; an error that was not fetched yet is left."""
        with self._changed:
            return self._closed and not self._items and self._error is None

    def get(self, timeout_s: float) -> Item | None:
        """The next, waiting for it; None if none comes in time or ever. Raises the capturing thread's error."""
        with self._changed:
            if not self._items and not self._closed:
                self._changed.wait(timeout_s)
            if self._items:
                return self._items.popleft()
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return None
