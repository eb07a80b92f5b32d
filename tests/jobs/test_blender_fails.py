"""What goes wrong in Blender costs neither the take nor the report, and is said before the work where it can be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facecap_addon.errors import CancelledError, FacecapError
from facecap_addon.jobs import solve
from facecap_addon.jobs.runtime.progress import Progress
from facecap_addon.jobs.runtime.stage_timer import StageTimer
from facecap_addon.jobs.steps import character as characters
from facecap_addon.jobs.steps.character import CharacterSource, find_character, read_rig
from facecap_addon.jobs.steps.results.outputs import Account, finish
from facecap_addon.rig.blendshapes import BlendshapeRig, save_rig
from tests.blender.takes import make_take
from tests.jobs.solving import quick


def run(job: Any) -> Any:
    """Run a job to its end; returns the stages it reported and its result."""
    stages: list[str] = []
    while True:
        try:
            stages.append(next(job).stage)
        except StopIteration as stop:
            return list(dict.fromkeys(stages)), stop.value


@pytest.mark.parametrize("fault", [KeyError("IDProperty"), FacecapError("The disk is full.", "Make room.")])
def test_a_fault_in_blenders_part_costs_only_the_blend(face_clip: Path, tmp_path: Path, fault: Exception) -> None:
    def hook(request: dict[str, Any]) -> dict[str, Any]:
        raise fault

    settings = quick(face_clip, tmp_path, end="5", report=True, blend=True)
    with pytest.raises(FacecapError, match="All files but") as caught:
        run(solve.run(settings, blender_hook=hook))
    assert str(fault).strip("'").split(".")[0] in caught.value.what
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["frames_solved"] == 6
    assert any("No .blend was written" in line for line in summary["warnings"])
    assert "No .blend was written" in (tmp_path / "face.report.html").read_text(encoding="utf-8")
    assert (tmp_path / "face.take.npz").is_file() and not (tmp_path / "face.blend").exists()


@pytest.mark.parametrize(("fault", "kept"), [(RuntimeError("codec"), True), (CancelledError(), False)])
def test_a_fault_in_the_preview_costs_not_the_summary(tmp_path: Path, fault: Exception, kept: bool) -> None:
    def preview() -> Iterator[Progress]:
        yield Progress("preview", 0, 1)
        raise fault

    corners = np.eye(3, dtype=np.float32)
    rig = BlendshapeRig(corners, np.array([[0, 1, 2]], np.int32), corners[None], ("jawOpen",), np.array([[0.0, 1.0]]))
    path = tmp_path / "summary.json"
    account = Account(
        (path,), None, make_take(2, channels=("jawOpen",)), rig, [], "talk", lambda: {"frames": 2}, StageTimer()
    )
    with pytest.raises(type(fault)):
        run(finish(account, preview(), None, blender=None, warnings=[]))
    assert path.exists() == kept  # a summary says that all is there, which a cancelled job must not


def test_what_keeps_a_character_from_being_keyed_is_said_before_the_work(face_clip: Path, tmp_path: Path) -> None:
    head = tmp_path / "linked.blend"
    head.write_bytes(b"as Blender sees it")

    def hook(request: dict[str, Any]) -> dict[str, Any]:
        assert request["do"] == "extract" and request["to_key"]
        raise FacecapError("“Head” is linked.", "Make an override.")

    settings = quick(face_clip, tmp_path / "out", character=str(head), blend=True)
    stages: list[str] = []
    job = solve.run(settings, blender_hook=hook)
    with pytest.raises(FacecapError, match="is linked"):
        while True:
            stages.append(next(job).stage)
    assert set(stages) == {"open", "character"}  # no landmark was looked for
    assert not list((tmp_path / "out").glob("*.npz"))


def test_what_there_is_to_say_about_a_character_is_said_every_time(tmp_path: Path) -> None:
    corners = np.eye(3, dtype=np.float32)
    rig = BlendshapeRig(corners, np.array([[0, 1, 2]], np.int32), corners[None], ("jawOpen",), np.array([[0.0, 1.0]]))
    blend, library = tmp_path / "a.blend", tmp_path / "library.blend"
    blend.write_bytes(b"a")
    library.write_bytes(b"one")
    asked: list[dict[str, Any]] = []

    def hook(request: dict[str, Any]) -> dict[str, Any]:
        asked.append(request)
        save_rig(Path(request["out"]), rig)
        return {"notes": ["Chose the mesh “Head” of 4"], "libraries": [str(library)]}

    def read() -> list[str]:
        reading = read_rig(
            CharacterSource(blend, None), blender=None, hook=hook, folder=tmp_path / "kept", to_key={"head": "auto"}
        )
        return run(reading)[1][1]

    assert read() == read() == ["Chose the mesh “Head” of 4"]
    assert len(asked) == 1
    library.write_bytes(b"two")  # the head itself lies there
    read()
    assert len(asked) == 2


def test_where_no_face_is_seen_the_next_likely_mesh_is_tried_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blend = tmp_path / "avatar.blend"
    blend.write_bytes(b"avatar")
    corners = np.eye(3, dtype=np.float32)
    seen_on = {"Head"}

    def hook(request: dict[str, Any]) -> dict[str, Any]:
        name = request.get("object", "Body")
        value = np.array([[0, 1, 2]], np.int32)
        rig = BlendshapeRig(corners, value, corners[None], ("jawOpen",), np.array([[0.0, 1.0]]), name=name)
        save_rig(Path(request["out"]), rig)
        others = [] if "object" in request else ["Hair", "Head"]
        return {"notes": [] if others == [] else ["Chose the mesh “Body” of 3"], "others": others, "libraries": []}

    def place(rig: BlendshapeRig, *_: object) -> str:
        if rig.name not in seen_on:
            raise FacecapError(f"No face is seen on {rig.name}.", "Pick another.")
        return f"landmarks of {rig.name}"

    monkeypatch.setattr(characters, "embedding_of", place)

    def find(name: str | None = None) -> characters.Character:
        source, landmarker = CharacterSource(blend, name), None
        return run(find_character(source, landmarker, blender=None, hook=hook, folder=tmp_path / "kept"))[1]  # type: ignore[arg-type]

    found = find()
    assert (found.source.object, found.embedding) == ("Head", "landmarks of Head")
    assert "no face is seen on “Body”" in found.notes[0]
    seen_on.add("Body")
    assert find().source.object == "Body"  # so that the same mesh is keyed in the end
    with pytest.raises(FacecapError, match="No face is seen on Hair"):
        find("Hair")  # what was named is not replaced
    # What is read for a mesh without keys, too, takes the others from the reading that it has.
    seen_on.discard("Body")
    source: Any = CharacterSource(blend, None)
    found = run(find_character(source, None, blender=None, hook=hook, folder=tmp_path / "kept", bare=True))[1]  # type: ignore[arg-type]
    assert found.source.object == "Head"
    seen_on.clear()
    with pytest.raises(FacecapError, match="No face is seen on Body"):
        find()
