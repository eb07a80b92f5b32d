"""The child process that opens .blend files: one JSON request on stdin, one JSON line back.

    python -I …/blender/child.py                                   with a Python that has the bpy module
    blender --background --factory-startup --python …/blender/child.py    with Blender itself

A path after `--` is read instead of stdin. Whatever Blender prints goes to stderr.
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
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    from facecap_addon.blender.batch import answer

    arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else []
    if arguments:
        request = Path(arguments[0]).read_text(encoding="utf-8")
    else:
        request = sys.stdin.buffer.readline().decode("utf-8")
    reply, code = answer(request)
    os.write(reply_to, json.dumps(reply).encode("ascii") + b"\n")
    os.close(reply_to)
    return code


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    os._exit(status)  # the work is done and flushed; Blender's own teardown can hang with classes registered
