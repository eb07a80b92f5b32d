"""The built zip, as a user gets it: it installs, solves and keys a head in every Blender that is supported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.package.blenders import ready
from tools.fetch_wheels import this_platform

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def extension_zip(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension for this machine, built as `make build` does it."""
    pytest.importorskip("bpy", reason="the bpy package holds Blender's extension tool")
    dist = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "tools.build_sample_cache"], cwd=ROOT, check=True)
    command = [sys.executable, "-m", "tools.build_extension", "--platform", "this", "--dist", str(dist)]
    subprocess.run(command, cwd=ROOT, check=True)
    return next(dist.glob("*.zip"))


@pytest.mark.parametrize(
    "blender",
    [
        pytest.param("4.2", marks=pytest.mark.slow),
        "4.5",
        "5.0",
        "5.2",
    ],
)
def test_zip_installs_and_solves(blender: str, extension_zip: Path, face_clip: Path, tmp_path: Path) -> None:
    python = ready(blender)
    script = ROOT / "tests" / "package" / "install_and_solve.py"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FACECAP"))}
    done = subprocess.run(
        [str(python), "-I", str(script), str(extension_zip), str(face_clip), str(tmp_path)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["loaded"], done.stdout[-3000:] + done.stderr[-3000:]
    assert seen["blender"].startswith(blender)
    assert seen["heavy_modules_after_enabling"] == []
    assert seen["enable_s"] < 0.2
    assert seen["solved"] == ["FINISHED"]
    assert seen["frames_solved"] == 40
    assert seen["moved_mm"] > 1.0  # the keys evaluate on the mesh
    assert not seen["torch"]
    assert seen["command_exit_code"] == 0
    assert {"face.blend", "face.take.npz", "face.livelink.csv", "face.report.html", "summary.json"} <= set(
        seen["command_files"]
    )


def test_the_zip_holds_only_what_this_platform_needs(extension_zip: Path) -> None:
    import zipfile

    with zipfile.ZipFile(extension_zip) as archive:
        wheels = [name for name in archive.namelist() if name.endswith(".whl")]
        manifest = archive.read("blender_manifest.toml").decode()
    assert this_platform().replace("-", "_") in extension_zip.name
    assert this_platform() in manifest
    assert not [name for name in wheels if "numpy-" in name]
    system = {"linux": "manylinux", "windows": "win_amd64", "macos": "macosx"}[this_platform().split("-")[0]]
    assert wheels and all(system in name or name.endswith("py3-none-any.whl") for name in wheels)
