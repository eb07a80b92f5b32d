"""Validate the extension with Blender's own checker and build its installable zips: `python -m tools.build_extension`.

For each platform, one zip with the wheels of every Python that Blender has there lands in dist/, and beside it one per
line of Blender (`tools/blender_lines.py`) with those of its Python alone. What goes in is put together in
build/extension/ first, so that nothing else of the working folder can slip in. The manual goes in where `make docs` has
built it. Needs the bpy package (for Blender's
extension tool), the built landmark models and the sample head's cache.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from facecap_addon.generate.authored.emotions import EXPRESSIONS

from . import fetch_wheels
from .blender_lines import LINES, BlenderLine, wheels_for
from .fetch_wheels import PIP_PLATFORMS, PYTHONS, LockedWheel, read_lock, this_platform

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
STAGE = ROOT / "build" / "extension"
MANUAL = ROOT / "build" / "docs"

FILES = ("__init__.py", "blender_manifest.toml", "LICENSE", "NOTICE", "README.md", "CHANGELOG.md")
NAMES = tuple(line.name for line in LINES)
NETWORKS = (
    *("face_detection_short_range", "face_detection_full_range", "face_landmarks_attention"),
    *("appearance", "visibility"),
)
FITTED = ("arkit_prior.npz", "arkit_prior.probe.npz", "appearance_head.npz", "appearance_head.probe.npz")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.build_extension", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--platform", action="append", choices=[*PIP_PLATFORMS, "this"], help="default: all")
    parser.add_argument("--line", action="append", choices=["all", *NAMES], help="default: the all-in-one and each")
    parser.add_argument("--dist", type=Path, default=DIST)
    options = parser.parse_args(argv)
    platforms = [this_platform() if name == "this" else name for name in options.platform or PIP_PLATFORMS]

    for platform in platforms:
        fetch_wheels.main(["--platform", platform])
        wanted = [line for line in (None, *LINES) if not options.line or (line.name if line else "all") in options.line]
        for line in wanted:
            if line is None or line.python in PYTHONS[platform]:
                path = build(platform, line, options.dist)
                print(f"{path}  {path.stat().st_size / 1e6:.0f} MB")
    return 0


def build(platform: str, line: BlenderLine | None, dist: Path) -> Path:
    """Build one platform's zip for a line of Blender, or for all of them; returns its path."""
    tool, tags = extension_tool()
    stage(platform, line)
    run([sys.executable, str(tool), "validate", f"--valid-tags={tags}", str(STAGE)])
    dist.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=dist) as folder:
        command = [sys.executable, str(tool), "build", "--split-platforms", f"--valid-tags={tags}"]
        run([*command, "--source-dir", str(STAGE), "--output-dir", folder])
        built = next(Path(folder).glob(f"facecap-*-{platform.replace('-', '_')}.zip"))
        check_contents(built)
        path = dist / (f"{built.stem}-{line.name}.zip" if line else built.name)
        return built.replace(path)


def extension_tool() -> tuple[Path, Path]:
    """Blender's extension tool and its list of valid tags, from the bpy package."""
    found = importlib.util.find_spec("bpy")
    if found is None or found.origin is None:
        raise SystemExit("the bpy package is not installed: pip install -r requirements.txt")
    scripts = next(Path(found.origin).parent.glob("[0-9]*/scripts"))
    tool = scripts / "addons_core" / "bl_pkg" / "cli" / "blender_ext.py"
    return tool, scripts / "modules" / "_bpy_internal" / "extensions" / "tags.py"


def stage(platform: str, line: BlenderLine | None) -> None:
    """Put together what goes into one zip."""
    shutil.rmtree(STAGE, ignore_errors=True)
    STAGE.mkdir(parents=True)
    for name in FILES:
        shutil.copy2(ROOT / name, STAGE / name)
    # Of the networks as graphs, deep energies need the landmarks'; the rest runs as ONNX. The plain landmark network
    # and that of the iris are parts of the one with attention.
    graphs = ("face_detection*.graph.npz", "face_landmarks.graph.npz", "iris.graph.npz")
    parts = ("face_landmarks.onnx", "iris.onnx")
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", ".*", *graphs, *parts, "*.part*")
    shutil.copytree(ROOT / "facecap_addon", STAGE / "facecap_addon", ignore=unwanted)
    (STAGE / "sample_scenes").mkdir()
    shutil.copy2(ROOT / "sample_scenes" / "head.blend", STAGE / "sample_scenes" / "head.blend")
    shutil.copytree(ROOT / "sample_scenes" / "cache", STAGE / "sample_scenes" / "cache", ignore=unwanted)
    if MANUAL.is_dir():
        shutil.copytree(MANUAL, STAGE / "manual", ignore=shutil.ignore_patterns("sitemap.xml*", "404.html"))
    else:
        print("without the manual: `make docs` writes it", file=sys.stderr)
    (STAGE / "wheels").mkdir()
    wheels = [wheel for wheel in read_lock() if wheel.platform == platform]
    if line:
        served = wheels_for([wheel.file for wheel in wheels], line)
        wheels = [wheel for wheel in wheels if wheel.file in served]
    for wheel in wheels:
        shutil.copy2(ROOT / "wheels" / wheel.file, STAGE / "wheels" / wheel.file)
    manifest = STAGE / "blender_manifest.toml"
    text = manifest_for(platform, line, wheels, manifest.read_text(encoding="utf-8"))
    manifest.write_text(text, encoding="utf-8")


def manifest_for(platform: str, line: BlenderLine | None, wheels: Iterable[LockedWheel], manifest: str) -> str:
    """The manifest with only one platform and its wheels, and with the bounds of a line of Blender."""
    if line:
        bounds = f'blender_version_min = "{line.first}"\nblender_version_max = "{line.end}"'
        manifest = re.sub(r'^blender_version_min = ".*?"', bounds, manifest, flags=re.MULTILINE)
    listed = fetch_wheels.manifest_list(list(wheels))
    manifest = re.sub(r"^wheels = \[.*?\]", lambda _: listed, manifest, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"^platforms = \[.*?\]", f'platforms = ["{platform}"]', manifest, flags=re.DOTALL | re.MULTILINE)


def check_contents(path: Path) -> None:
    """Stop if the zip lacks what a solve needs, or holds what must not be in it."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    inside = [name.partition("facecap/")[2] if name.startswith("facecap/") else name for name in names]
    needed = [*FILES, "sample_scenes/head.blend", *(f"facecap_addon/fit/models/{name}" for name in FITTED)]
    kinds = ("onnx", "probe.npz")
    needed += [f"facecap_addon/landmarks/models/{name}.{kind}" for name in NETWORKS for kind in kinds]
    needed += [f"facecap_addon/generate/models/{name}.{kind}" for name in EXPRESSIONS for kind in kinds]
    missing = [name for name in needed if name not in inside]
    kinds = tuple(f"sample_scenes/cache/{kind}-" for kind in ("rig", "landmarks", "response"))
    missing += [kind for kind in kinds if not any(name.startswith(kind) for name in inside)]
    if missing:
        raise SystemExit(f"{path.name} lacks {', '.join(missing)}: run make build")
    unwanted = [name for name in inside if re.search(r"numpy-|__pycache__|^tests/|^tools/|^benchmarks/", name)]
    if unwanted:
        raise SystemExit(f"{path.name} holds what it must not: {', '.join(unwanted[:5])}")


def run(command: list[str]) -> None:
    print("+", " ".join(Path(part).name if part.startswith("/") else part for part in command[1:]), flush=True)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    raise SystemExit(main())
