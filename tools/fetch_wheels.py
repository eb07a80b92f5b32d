"""Fetch the wheels that the extension bundles: unmodified from PyPI, pinned, their hashes checked.

    python -m tools.fetch_wheels                        download into wheels/ what is missing; check the manifest's list
    python -m tools.fetch_wheels --platform linux-x64   only what that platform needs (repeatable)
    python -m tools.fetch_wheels --relock               resolve PINS anew; write the lock file and the manifest's list

Why these versions: one bundle serves Blender 4.2 (Python 3.11, numpy 1.24) to 5.2 (Python 3.13, numpy 2), and numpy is
Blender's own, never bundled. scipy 1.15 is the last that supports numpy 1.24, but not numpy 2.5, which Python 3.13 may
come with; onnxruntime 1.23 is the last for macOS on Intel. Only Debian's Blender has Python 3.14, so only Linux carries
wheels for it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import re
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from .quiet_pip import run_pip

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "tools" / "wheels.lock.json"
MANIFEST = ROOT / "blender_manifest.toml"
WHEELS = ROOT / "wheels"

PIP_PLATFORMS = {
    "windows-x64": ("win_amd64",),
    "linux-x64": ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"),
    "macos-arm64": tuple(f"macosx_{version}_0_arm64" for version in (14, 13, 12, 11)),
    "macos-x64": tuple(f"macosx_{version}_x86_64" for version in ("14_0", "13_0", "12_0", "11_0", "10_14", "10_13")),
}
STABLE_ABI = (
    "av==18.1.0",
    "threadpoolctl==3.6.0",
)  # one wheel serves every Python
PINS = {
    "3.11": (*STABLE_ABI, "onnxruntime==1.23.2", "pillow==13.0.0", "scipy==1.15.3"),
    "3.13": ("onnxruntime==1.23.2", "pillow==13.0.0", "scipy==1.17.1"),
    "3.14": ("onnxruntime==1.24.4", "pillow==13.0.0", "scipy==1.17.1"),
}
PYTHONS = {
    "windows-x64": ("3.11", "3.13"),
    "linux-x64": ("3.11", "3.13", "3.14"),
    "macos-arm64": ("3.11", "3.13"),
    "macos-x64": ("3.11",),  # Blender 5 no longer runs on Intel Macs
}


@dataclass(frozen=True)
class LockedWheel:
    """One wheel: its file name, what pip calls it, whom it is for, and what its bytes must be."""

    file: str
    requirement: str
    platform: str
    python: str
    sha256: str
    size: int


def this_platform() -> str:
    """Blender's name for the system this runs on."""
    system = {"Windows": "windows", "Darwin": "macos"}.get(platform.system(), "linux")
    machine = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x64"
    return f"{system}-{machine}"


def read_lock() -> list[LockedWheel]:
    """The wheels of the lock file."""
    return [LockedWheel(**entry) for entry in json.loads(LOCK.read_text(encoding="utf-8"))]


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def pip_download(requirement: str, platform_name: str, python: str, folder: Path, sha256: str | None) -> Path:
    """Let pip download one wheel for another system into `folder`, which it has for itself; returns the file."""
    tags = [part for tag in PIP_PLATFORMS[platform_name] for part in ("--platform", tag)]
    wanted = folder / "requirement.txt"
    wanted.write_text(requirement + (f" --hash=sha256:{sha256}" if sha256 else "") + "\n", encoding="utf-8")
    tags += ["--implementation", "cp", "--python-version", python]
    tags += ["--abi", "cp" + python.replace(".", ""), "--abi", "abi3"]
    run_pip("download", "--no-deps", "--only-binary=:all:", *tags, "--dest", folder, "--requirement", wanted)
    return next(folder.glob("*.whl"))


def fetch(wheel: LockedWheel) -> None:
    """Put a locked wheel into wheels/ unless it is there already."""
    target = WHEELS / wheel.file
    if target.exists() and sha256_of(target) == wheel.sha256:
        return
    print(f"fetching {wheel.file}", flush=True)
    WHEELS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=WHEELS) as folder:
        got = pip_download(wheel.requirement, wheel.platform, wheel.python, Path(folder), wheel.sha256)
        if got.name != wheel.file:
            raise SystemExit(f"expected {wheel.file}, got {got.name}: run with --relock and look at the difference")
        got.replace(target)


def relock() -> list[LockedWheel]:
    """Resolve PINS for every platform and Python; writes the lock file."""
    locked: list[LockedWheel] = []
    WHEELS.mkdir(exist_ok=True)
    for platform_name, pythons in PYTHONS.items():
        for python in pythons:
            for requirement in PINS[python]:
                with tempfile.TemporaryDirectory(dir=WHEELS) as folder:
                    got = pip_download(requirement, platform_name, python, Path(folder), None)
                    facts = (got.name, requirement, platform_name, python, sha256_of(got), got.stat().st_size)
                    locked.append(LockedWheel(*facts))
                    got.replace(WHEELS / got.name)
                print(f"locked {locked[-1].file}", flush=True)
    LOCK.write_text(json.dumps([asdict(wheel) for wheel in locked], indent=1) + "\n", encoding="utf-8")
    return locked


def manifest_list(wheels: list[LockedWheel]) -> str:
    """The manifest's `wheels = […]` for these wheels."""
    lines = "".join(f'  "./wheels/{name}",\n' for name in sorted({wheel.file for wheel in wheels}))
    return f"wheels = [\n{lines}]"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.fetch_wheels", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--platform", action="append", choices=[*PIP_PLATFORMS, "this"], help="default: all")
    parser.add_argument("--relock", action="store_true")
    options = parser.parse_args(argv)

    wheels = relock() if options.relock else read_lock()
    manifest = MANIFEST.read_text(encoding="utf-8")
    listed = re.sub(r"^wheels = \[.*?\]", lambda _: manifest_list(wheels), manifest, flags=re.DOTALL | re.MULTILINE)
    if listed != manifest:
        if not options.relock:
            raise SystemExit("blender_manifest.toml lists other wheels than tools/wheels.lock.json: run with --relock")
        MANIFEST.write_text(listed, encoding="utf-8")

    platforms = {this_platform() if name == "this" else name for name in options.platform or PIP_PLATFORMS}
    for wheel in wheels:
        if wheel.platform in platforms:
            fetch(wheel)
    for name in sorted(platforms):
        total = sum(wheel.size for wheel in wheels if wheel.platform == name)
        print(f"{name}: {total / 1e6:.0f} MB of wheels")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
