"""pip says nothing about how a machine is set up, and everything about what failed."""

from __future__ import annotations

import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from tools.quiet_pip import run_pip

ROOT = Path(__file__).resolve().parents[2]


def write_wheel(folder: Path) -> None:
    """The smallest wheel that pip takes for one."""
    info = "tiny-1.0.dist-info"
    with zipfile.ZipFile(folder / "tiny-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def test_a_missing_folder_of_wheels_is_not_spoken_of_and_a_failure_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    wheels, out = tmp_path / "wheels", tmp_path / "out"
    wheels.mkdir()
    write_wheel(wheels)
    # No network: an index that is a missing folder, and a list of wheels of which one folder is missing.
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "no index").as_uri())
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", (tmp_path / "no other index").as_uri())
    monkeypatch.setenv("PIP_FIND_LINKS", f"{tmp_path / 'missing'} {wheels}")
    run_pip("download", "--no-deps", "--dest", out, "tiny")
    assert [path.name for path in out.iterdir()] == ["tiny-1.0-py3-none-any.whl"]
    assert capfd.readouterr() == ("", "")
    with pytest.raises(subprocess.CalledProcessError):
        run_pip("download", "--no-deps", "--dest", out, "missing-package")
    assert "missing-package" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["Makefile", "tests/run_in_bpy.sh"])
def test_set_up_by_shell_is_as_quiet(name: str) -> None:
    calls = re.findall(r"-m pip install .*", (ROOT / name).read_text(encoding="utf-8"))
    assert calls and all(call.startswith("-m pip install -qq ") for call in calls)
