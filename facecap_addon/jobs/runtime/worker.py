"""The worker process: one job in a Python of its own, started as `python -I …/jobs/worker.py`.

The request is one line of JSON on stdin: {"job": "solve", "settings": {…}, "sys_path": ["…"]}. Events leave as JSON
lines on stdout (see `events.py`); whatever else prints there, native libraries included, is sent to stderr instead.
Stdin stays open: what comes there are controls of one byte for jobs that have some (`jobs.live`); when it closes, the
owner has gone or wants no more, and the job stops.

This file is run as a script, so that it can set up `sys.path` before it imports anything of the package.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path

STOP_GRACE_S = 5.0


def _stop(*_: object) -> None:
    """Stop the job from the main thread, and no second time: clean-up must not be interrupted."""
    for name in ("SIGTERM", "SIGINT"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise KeyboardInterrupt


def _watch_owner(controls: queue.SimpleQueue[bytes]) -> None:
    """Pass controls on; stop the job when stdin closes, at once if it does not stop by itself (a long native call)."""
    while control := sys.stdin.buffer.read(1):
        controls.put(control)
    if os.name == "nt":
        signal.raise_signal(signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(STOP_GRACE_S)
    os._exit(130)


def main() -> int:
    """Run the job that the request names; returns the exit code."""
    request = json.loads(sys.stdin.buffer.readline())
    package = str(Path(__file__).resolve().parents[3])
    for entry in reversed([package, *request["sys_path"]]):
        if entry not in sys.path:
            sys.path.insert(0, entry)
    # Absolute imports: this file is a script, not part of a package.
    from facecap_addon.jobs.runtime.stdout_redirect import redirect_stdout

    with redirect_stdout() as protocol:
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGINT, _stop)
        controls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_watch_owner, args=(controls,), daemon=True).start()
        # Only now: what these print goes where it belongs, and numpy has not come in before its threads are limited.
        from facecap_addon.jobs.runtime.native_threads import limit_native_threads
        from facecap_addon.jobs.runtime.run_job import send_events

        limit_native_threads(int(request["settings"].get("threads") or 1))
        return send_events(request["job"], request["settings"], protocol, controls)


if __name__ == "__main__":
    try:
        code = main()
    except KeyboardInterrupt:
        code = 130
    sys.stderr.flush()
    os._exit(code)  # no interpreter shutdown: a thread that is blocked on stdin can make it hang or abort
