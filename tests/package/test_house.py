"""The house rules: who may import whom, what a solve loads, and that the lists that belong together agree."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import facecap_addon
from tools.fetch_wheels import PIP_PLATFORMS, PYTHONS, manifest_list, read_lock

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = (ROOT / "blender_manifest.toml").read_text(encoding="utf-8")


def test_rooms_import_one_way() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS


def test_the_docs_show_the_order_of_rooms_that_lint_holds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    [held] = [contract["layers"] for contract in contracts if contract.get("containers") == ["facecap_addon"]]
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = page.partition("| room of")[2].partition("\n\n")[0].splitlines()[2:]
    shown = [re.findall(r"`(\w+)`", row.split("|")[1]) for row in rows]
    assert shown == [layer.split(" | ") for layer in held]
    found = {path.stem for path in (ROOT / "facecap_addon").iterdir() if not path.name.startswith("_")}
    assert found - {"addon", "py"} == {room for layer in shown for room in layer}


def test_a_solve_loads_neither_blender_nor_torch() -> None:
    code = (
        "import json, sys; import facecap_addon.jobs.solve, facecap_addon.jobs.cli.doctor; "
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert loaded.isdisjoint({"bpy", "torch", "cv2", "pytest", "onnx", "skimage", "sklearn"})
    assert {"numpy", "scipy", "PIL", "onnxruntime", "av"} <= loaded


def test_the_command_line_starts_without_anything_heavy() -> None:
    code = "import sys; import facecap_addon.jobs.cli.main; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint({"numpy", "scipy", "PIL", "onnxruntime", "av"})


def test_the_manifest_lists_the_locked_wheels() -> None:
    assert manifest_list(read_lock()) in MANIFEST
    assert tomllib.loads(MANIFEST)["version"] == facecap_addon.__version__
    assert set(tomllib.loads(MANIFEST)["platforms"]) == set(PIP_PLATFORMS)


@pytest.mark.parametrize("platform", PIP_PLATFORMS)
def test_every_python_of_a_platform_finds_its_wheels(platform: str) -> None:
    wheels = [wheel for wheel in read_lock() if wheel.platform == platform]
    for python in PYTHONS[platform]:
        tag = "cp" + python.replace(".", "")
        fitting = {w.file.partition("-")[0] for w in wheels if "-abi3-" in w.file or f"-{tag}-{tag}-" in w.file}
        assert fitting == {"av", "onnxruntime", "pillow", "scipy"}
    assert not [wheel for wheel in wheels if wheel.file.startswith("numpy")]
    assert all(re.fullmatch(r"[0-9a-f]{64}", wheel.sha256) for wheel in wheels)


def test_what_is_developed_with_is_what_ships() -> None:
    pinned = set(re.findall(r"^[a-z-]+==\S+", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE))
    shipped = {wheel.requirement for wheel in read_lock() if wheel.python == "3.11" and wheel.platform == "linux-x64"}
    assert shipped <= pinned


def test_the_guide_lists_the_present_settings() -> None:
    from tools.settings_table import COMMANDS, DOCS, updated

    for command in COMMANDS:
        text = (DOCS / command.page).read_text(encoding="utf-8")
        assert command.settings_type.__name__ in text
        assert updated(text, command) == text, "run python -m tools.settings_table"


CLOCKS = {"perf_counter", "perf_counter_ns", "process_time", "process_time_ns", "thread_time"}


def speed_in(tree: ast.Module) -> list[int]:
    """Lines of a test that a busy machine would fail: stopwatches, limits in seconds, upper bounds of a clock."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS:
            found.append(node.lineno)
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            limits = [word.value for word in node.keywords if word.arg in ("timeout", "timeout_s")]
            limits += node.args if name in ("wait", "settimeout") else []
            found += [limit.lineno for limit in limits if isinstance(limit, ast.Constant) and limit.value]
        if isinstance(node, ast.Assert):
            for compared in (part for part in ast.walk(node.test) if isinstance(part, ast.Compare)):
                below = any(isinstance(op, ast.Lt | ast.LtE) for op in compared.ops)
                if below and "monotonic" in ast.dump(compared):
                    found.append(node.lineno)
    return sorted(found)


def test_no_test_depends_on_speed() -> None:
    """Times are measured in benchmarks/; a test waits PATIENCE_S for what must come (tests/patience.py)."""
    assert speed_in(ast.parse("t.perf_counter()\nrun(timeout=5)\nx.wait(3)\nassert t.monotonic() - a < 2")) == [
        1,
        2,
        3,
        4,
    ]
    for path in sorted((ROOT / "tests").rglob("*.py")):
        assert speed_in(ast.parse(path.read_text(encoding="utf-8"))) == [], path


def unexplained_imports_in(text: str) -> list[int]:
    """Lines of imports inside functions that have no comment, neither their own nor above their block."""
    lines = text.splitlines()
    late: set[int] = set()
    for function in (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                late |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    explained = {line for line in late if "#" in lines[line - 1]}
    for line in sorted(late):
        if line - 1 in explained or lines[line - 2].strip().startswith("#"):
            explained.add(line)
    return sorted(late - explained)


def test_an_import_inside_a_function_says_why() -> None:
    """But in Blender's rooms, where enabling the extension must take no time and all imports wait for use."""
    assert unexplained_imports_in("def f():\n  import a\n  import b  # why\ndef g():\n  # why\n  import c") == [2]
    package = ROOT / "facecap_addon"
    files = [p for p in package.rglob("*.py") if p.relative_to(package).parts[0] not in ("blender", "learn")]
    found = {str(path): unexplained_imports_in(path.read_text(encoding="utf-8")) for path in files}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_the_manual_goes_into_the_zip_where_it_was_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tools import build_extension

    manual, stage = tmp_path / "docs", tmp_path / "stage"
    (manual / "tasks").mkdir(parents=True)
    for name in ("index.html", "reference.html", "tasks/first-lesson.html", "sitemap.xml"):
        (manual / name).write_text("page", encoding="utf-8")
    monkeypatch.setattr(build_extension, "MANUAL", manual)
    monkeypatch.setattr(build_extension, "STAGE", stage)
    monkeypatch.setattr(build_extension, "read_lock", lambda: [])
    build_extension.stage("linux-x64", None)
    there = {str(path.relative_to(stage)) for path in (stage / "manual").rglob("*.*")}
    assert there == {"manual/index.html", "manual/reference.html", "manual/tasks/first-lesson.html"}
    excluded = tomllib.loads((stage / "blender_manifest.toml").read_text(encoding="utf-8"))
    assert not any("manual" in one for one in excluded.get("build", {}).get("paths_exclude_pattern", []))
