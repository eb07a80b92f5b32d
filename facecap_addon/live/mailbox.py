"""From the thread that captures to the one that solves: only the newest counts."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Room for one thing; what was not fetched when the next one comes is dropped, so that nothing ever lags.

    Attributes:
        put_count: things put in.  dropped: things never fetched.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._closed = False
        self._error: BaseException | None = None
        self.put_count = self.dropped = 0

    def put(self, item: Item) -> None:
        """Put the newest in."""
        with self._changed:
            self.dropped += self._item is not None
            self._item = item
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
            return self._closed and self._item is None and self._error is None

    def get(self, timeout_s: float) -> Item | None:
        """The newest, waiting for it; None if none comes in time or ever. Raises the capturing thread's error."""
        with self._changed:
            if self._item is None and not self._closed:
                self._changed.wait(timeout_s)
            item, self._item = self._item, None
            if item is None and self._error is not None:
                error, self._error = self._error, None
                raise error
            return item
