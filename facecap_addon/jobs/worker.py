"""The worker process: one job in a Python of its own, started as `python -I …/jobs/worker.py`.

The request is one line of JSON on stdin: {"job": "solve", "settings": {…}, "sys_path": ["…"]}. Events leave as JSON
lines on what was stdout when the process started (see `events.py`). Whatever else prints there, native libraries
included, is sent to stderr instead. Stdin stays open: when it closes, the owner has gone or wants no more, and the job
stops.

This file is run as a script, so that it can set up `sys.path` before it imports anything of the package.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

STOP_GRACE_S = 5.0


def _claim_stdout() -> Any:
    """Take stdout's file for the protocol; everything that writes to stdout afterwards reaches stderr."""
    protocol = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return protocol


def _stop(*_: object) -> None:
    """Stop the job from the main thread, and no second time: clean-up must not be interrupted."""
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise KeyboardInterrupt


def _watch_owner() -> None:
    """Stop the job when stdin closes; leave at once if it does not stop by itself (a long native call)."""
    while sys.stdin.buffer.read(1):
        pass
    signal.raise_signal(signal.SIGTERM) if os.name == "nt" else os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_GRACE_S)
    os._exit(130)


def main() -> int:
    """Run the job that the request names; returns the exit code."""
    protocol = _claim_stdout()
    request = json.loads(sys.stdin.buffer.readline())
    for entry in reversed(request["sys_path"]):
        if entry not in sys.path:
            sys.path.insert(0, entry)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    threading.Thread(target=_watch_owner, daemon=True).start()

    package = str(Path(__file__).resolve().parent.parent.parent)
    if package not in sys.path:
        sys.path.insert(0, package)
    from facecap_addon.jobs.performing import perform  # absolute: this file is a script, not part of a package

    return perform(request["job"], request["settings"], protocol)


if __name__ == "__main__":
    # No interpreter shutdown: a daemon thread blocked on stdin makes it hang or abort on some platforms.
    code = main()
    sys.stderr.flush()
    os._exit(code)
