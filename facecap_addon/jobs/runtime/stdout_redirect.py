"""Keep stdout clean for JSON lines, whatever else wants to print there."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TextIO


@contextlib.contextmanager
def redirect_stdout() -> Iterator[TextIO]:
    """What was stdout, as a stream of its own; meanwhile everything that prints, native code too, reaches stderr.

    Where stdout is no real file (a test, a console inside an application), it is given out as it is.
    """
    try:
        sys.stdout.flush()
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        yield sys.stdout
        return
    before, kept = sys.stdout, os.dup(descriptor)
    os.dup2(2, descriptor)
    sys.stdout = sys.stderr
    try:
        with os.fdopen(os.dup(kept), "w", encoding="ascii", newline="\n") as stream:
            yield stream
    finally:
        sys.stdout = before
        os.dup2(kept, descriptor)
        os.close(kept)
