"""How long enabling the add-on takes: `python -m benchmarks.enabling [--rounds 5]`.

In a fresh Python with bpy each time, beside importing what a solve runs on and enabling does not (Pillow, onnxruntime,
scipy's rotations, PyAV); the least of some rounds counts, in seconds of the processor. Asked for: 0.2 s.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.processor import processor

ROOT = Path(__file__).resolve().parent.parent
ASKED_S = 0.2
MEASURE = """
import importlib, sys, time
import bpy
sys.path.insert(0, {root!r})

def seconds(work):
    began = time.process_time()
    work()
    return time.process_time() - began

enabling = seconds(lambda: importlib.import_module("facecap_addon.addon").register())
heavy = ("PIL.Image", "onnxruntime", "scipy.spatial.transform", "av")
assert not set(heavy) & set(sys.modules)
print("SECONDS", enabling, seconds(lambda: [importlib.import_module(name) for name in heavy]))
sys.modules["facecap_addon.addon"].unregister()
"""


def once() -> tuple[float, float]:
    """Seconds of the processor to enable the add-on, and to import what a solve runs on."""
    command = [sys.executable, "-c", MEASURE.format(root=str(ROOT))]
    # As in Blender, where byte code is kept from the first time on.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    line = next(line for line in done.stdout.splitlines() if line.startswith("SECONDS "))
    enabling, heavy = (float(value) for value in line.split()[1:])
    return enabling, heavy


def main() -> None:
    """Print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    once()
    rounds = [once() for _ in range(parser.parse_args().rounds)]
    enabling, heavy = (min(seconds) for seconds in zip(*rounds, strict=True))
    print(processor())
    print(f"enabling the add-on: {enabling:.3f} s; asked for {ASKED_S} s")
    print(f"{enabling / heavy:.2f} of what importing the libraries of a solve would take")


if __name__ == "__main__":
    main()
