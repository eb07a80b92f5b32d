"""The child process that opens .blend files: a JSON request in a file, one JSON line back on stdout.

    python -I …/blender/headless/main.py -- REQUEST.json                            with a Python that has bpy
    blender --background --factory-startup --python …/blender/headless/main.py -- REQUEST.json   with Blender itself

A line on stdin says that what the request needs is there (see `requests.answer`); stdin's end, that nobody waits any
more. Whatever Blender prints goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> int:
    """Answer one request; returns the exit code."""
    sys.stdout.flush()
    reply_to = os.dup(1)
    os.dup2(2, 1)  # Blender prints to stdout from C: only the reply may go there
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from facecap_addon.blender.headless.requests import answer

    request = Path(sys.argv[sys.argv.index("--") + 1]).read_text(encoding="utf-8")
    reply, code = answer(request, wait=_wait_for_word)
    os.write(reply_to, json.dumps(reply).encode("ascii") + b"\n")
    os.close(reply_to)
    return code


def _wait_for_word() -> None:
    if not os.read(0, 64):  # the parent is gone
        os._exit(1)


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # the work is done and flushed; Blender's own teardown can hang with classes registered
