"""The built zips, as a user gets them: they install, solve and key a head in every Blender that is supported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.once import made_once, shared_folder
from tests.package.blenders import ready
from tests.patience import PATIENCE_S
from tools.blender_lines import LINES, wheels_for
from tools.fetch_wheels import PIP_PLATFORMS, PYTHONS, read_lock, this_platform

ROOT = Path(__file__).resolve().parents[2]


ALL_IN_ONE = "all"


@pytest.fixture(scope="session")
def zips(models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The extension for this machine by line of Blender, and for all of them, built as `make build` does it."""
    pytest.importorskip("bpy", reason="the bpy package holds Blender's extension tool")

    def build(dist: Path) -> None:
        subprocess.run([sys.executable, "-m", "tools.build_sample_cache"], cwd=ROOT, check=True)
        command = [sys.executable, "-m", "tools.build_extension", "--platform", "this", "--dist", str(dist)]
        subprocess.run(command, cwd=ROOT, check=True)

    built = list(made_once(shared_folder(tmp_path_factory) / "dist", build).glob("*.zip"))
    by_line = {line.name: path for line in LINES for path in built if path.stem.endswith(line.name)}
    (whole,) = set(built) - set(by_line.values())
    return {ALL_IN_ONE: whole, **by_line}


@pytest.mark.parametrize(
    ("blender", "kind"),
    [
        pytest.param("4.2", "blender_4.2_to_5.0", marks=pytest.mark.slow),
        ("4.5", "blender_4.2_to_5.0"),
        ("5.0", ALL_IN_ONE),
        ("5.2", "blender_5.1_to_5.2"),
    ],
)
def test_zip_installs_and_solves(
    blender: str, kind: str, zips: dict[str, Path], face_clip: Path, tmp_path: Path
) -> None:
    if kind not in zips:
        pytest.skip(f"There is no Blender {blender} for {this_platform()}")
    extension_zip = zips[kind]
    python = ready(blender)
    script = ROOT / "tests" / "package" / "install_and_solve.py"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FACECAP"))}
    done = subprocess.run(
        [str(python), "-I", str(script), str(extension_zip), str(face_clip), str(tmp_path)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["loaded"], done.stdout[-3000:] + done.stderr[-3000:]
    assert seen["blender"].startswith(blender)
    assert seen["heavy_modules_after_enabling"] == []
    assert seen["solved"] == ["FINISHED"]
    assert seen["frames_solved"] == 40
    assert seen["moved_mm"] > 1.0  # the keys evaluate on the mesh
    assert not seen["torch"]
    assert seen["command_exit_code"] == 0
    assert {"face.blend", "face.take.npz", "face.livelink.csv", "face.report.html", "summary.json"} <= set(
        seen["command_files"]
    )


def test_a_zip_holds_only_what_its_platform_and_its_blender_need(zips: dict[str, Path]) -> None:
    system = {"linux": "manylinux", "windows": "win_amd64", "macos": "macosx"}[this_platform().split("-")[0]]
    for kind, path in zips.items():
        with zipfile.ZipFile(path) as archive:
            wheels = [Path(name).name for name in archive.namelist() if name.endswith(".whl")]
            manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
        assert this_platform().replace("-", "_") in path.name
        assert manifest["platforms"] == [this_platform()]
        assert sorted(Path(name).name for name in manifest["wheels"]) == sorted(wheels)
        assert not [name for name in wheels if name.startswith("numpy-")]
        assert wheels and all(system in name or name.endswith("py3-none-any.whl") for name in wheels)
        line = next((line for line in LINES if line.name == kind), None)
        bounds = manifest["blender_version_min"], manifest.get("blender_version_max")
        if line is None:
            assert bounds == ("4.2.0", None)
            continue
        assert bounds == (line.first, line.end)
        # One of each, which is what makes it smaller.
        packages = sorted(name.partition("-")[0] for name in wheels)
        assert packages == ["av", "onnxruntime", "pillow", "scipy", "threadpoolctl"]
        others = [wheel.size for wheel in read_lock() if wheel.platform == this_platform() and wheel.file not in wheels]
        assert path.stat().st_size < zips[ALL_IN_ONE].stat().st_size - 0.9 * sum(others)


def test_the_readme_says_how_large_each_zip_is(zips: dict[str, Path]) -> None:
    """Measured here for this platform; for the others, their wheels and what is ours, with the manual's pages."""
    own = zips[ALL_IN_ONE].stat().st_size - sum(
        {w.file: w.size for w in read_lock() if w.platform == this_platform()}.values()
    )
    with zipfile.ZipFile(zips[ALL_IN_ONE]) as archive:
        if not any(name.startswith("manual/") for name in archive.namelist()):
            own += sum(path.stat().st_size for path in (ROOT / "docs").rglob("*") if path.is_file())
    column = {"windows-x64": 1, "linux-x64": 2, "macos-arm64": 3, "macos-x64": 4}
    rows = [line.strip() for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()]
    for line in (None, *LINES):
        ending = f"-{line.name}.zip`" if line else "no ending"
        row = next(row for row in rows if row.startswith("|") and ending in row)
        said = [cell.strip() for cell in row.strip("|").split("|")]
        for platform in PIP_PLATFORMS:
            wheels = {wheel.file: wheel.size for wheel in read_lock() if wheel.platform == platform}
            kept = wheels_for(list(wheels), line) if line else list(wheels)
            if line and line.python not in PYTHONS[platform]:
                assert said[column[platform]] == "–"
                continue
            size = (own + sum(wheels[name] for name in kept)) / 1e6
            assert abs(float(said[column[platform]].removesuffix(" MB")) - size) < 4, (row, platform, size)
