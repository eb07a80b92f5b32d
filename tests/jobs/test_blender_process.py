"""Finding a Blender, and talking to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.jobs.runtime.blender_process import ask_blender, blender_command
from facecap_addon.jobs.steps.character import character_source


def answer(asking: Generator[None, None, dict[str, Any]]) -> dict[str, Any]:
    while True:
        try:
            next(asking)
        except StopIteration as stop:
            return stop.value


def test_a_named_blender_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(FacecapError, match="no program"):
        blender_command(tmp_path / "blender")
    monkeypatch.setenv("FACECAP_BLENDER", str(tmp_path / "blender-5"))
    with pytest.raises(FacecapError, match="blender-5"):
        blender_command(None)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_a_blender_that_dies_is_said(tmp_path: Path) -> None:
    program = tmp_path / "blender"
    program.write_text("#!/bin/sh\necho 'Blender 4.5.1'\necho 'GPU not found' >&2\nexit 11\n")
    program.chmod(0o755)
    with pytest.raises(FacecapError, match="GPU not found") as caught:
        answer(ask_blender({"do": "extract"}, blender=program, hook=None, folder=tmp_path))
    assert "code 11" in caught.value.what
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blender"]


def test_inside_blender_the_hook_answers(tmp_path: Path) -> None:
    asked: list[dict[str, Any]] = []

    def hook(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        return {"rig": "x"}

    assert answer(ask_blender({"do": "extract"}, blender=None, hook=hook, folder=tmp_path)) == {"rig": "x"}
    assert asked == [{"do": "extract"}]


def test_the_child_reports_a_file_that_is_no_blend(tmp_path: Path) -> None:
    pytest.importorskip("bpy", reason="the bpy module is not installed")
    wrong = tmp_path / "nicht wirklich.blend"
    wrong.write_text("nothing")
    request = {"do": "extract", "blend": str(wrong), "out": str(tmp_path / "rig.npz")}
    with pytest.raises(FacecapError, match="nicht wirklich"):
        answer(ask_blender(request, blender=Path(sys.executable), hook=None, folder=tmp_path))
    assert not (tmp_path / "rig.npz").exists()


def test_characters_are_written_as_file_and_object(tmp_path: Path) -> None:
    head = tmp_path / "kopf.blend"
    head.touch()
    assert character_source(str(head)).object is None
    assert character_source(f"{head}:Kopf: links").object == "Kopf: links"
    assert character_source(f"{head}:Kopf").path == head
    colon = tmp_path / "a.blend:b.blend"
    if os.name != "nt":
        colon.touch()
        assert character_source(str(colon)).path == colon
    assert character_source(None).path.name == "head.blend"
    with pytest.raises(FacecapError, match="no character file"):
        character_source(str(tmp_path / "x.blend:Head"))
