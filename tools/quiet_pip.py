"""pip, run for us: it says nothing unless it fails.

Whoever has pip configured with a folder of wheels that is missing, or with a second index, would otherwise read a
warning for every package and every index; none of them is about FaceCap.
"""

from __future__ import annotations

import os
import subprocess
import sys

QUIET = "-qq"  # errors only


def run_pip(*arguments: str | os.PathLike[str], python: str | os.PathLike[str] = sys.executable) -> None:
    """Run `pip ARGUMENTS` in a Python (this one if none is named). Raises CalledProcessError if pip fails."""
    command = [os.fspath(python), "-m", "pip", "--disable-pip-version-check", QUIET]
    subprocess.run([*command, *(os.fspath(argument) for argument in arguments)], check=True)
