"""Extract and bake in a child process, and what its .blend shows when it is opened."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.jobs.runtime.blender_process import prepare_blender
from facecap_addon.rig.blendshapes import load_rig
from facecap_addon.takes.npz import save_take
from tests.blender.faces import ARKIT, evaluated, make_face
from tests.blender.takes import make_take
from tests.blender.test_footage_in_scene import HAS_SOUND, write_video
from tests.patience import PATIENCE_S

CHILD = Path(__file__).resolve().parents[2] / "facecap_addon" / "blender" / "headless" / "main.py"


def ask(request: dict[str, object]) -> tuple[dict[str, object], int]:
    """The child's answer and exit code; its stdout must be one JSON line."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "request.json"
        path.write_text(json.dumps(request), encoding="utf-8")
        command = [sys.executable, "-I", str(CHILD), "--", str(path)]
        done = subprocess.run(command, input="go on\n", capture_output=True, text=True, timeout=PATIENCE_S)
    lines = done.stdout.splitlines()
    assert len(lines) == 1, done.stdout + done.stderr
    return json.loads(lines[0]), done.returncode


@pytest.fixture
def character(tmp_path: Path) -> Path:
    """A file with a face of ARKit keys, a hand with more keys of other names, and a light."""
    make_face(tuple(f"finger{i}" for i in range(9)), name="Hand")
    make_face(name="Gesicht")
    path = tmp_path / "Figür.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def test_extract_chooses_the_face_and_says_so(character: Path, tmp_path: Path) -> None:
    before = hashlib.sha256(character.read_bytes()).hexdigest()
    out = tmp_path / "new folder" / "rig.npz"
    reply, code = ask({"do": "extract", "blend": str(character), "out": str(out)})
    assert code == 0
    result = reply["result"]
    assert result["object"] == "Gesicht"
    assert "Gesicht" in result["notes"][0]
    rig = load_rig(out)
    assert rig.channels == ARKIT == tuple(result["channels"])
    assert hashlib.sha256(character.read_bytes()).hexdigest() == before


def test_extract_by_name(character: Path, tmp_path: Path) -> None:
    request = {"do": "extract", "blend": str(character), "object": "Hand", "out": str(tmp_path / "rig.npz")}
    reply, code = ask(request)
    assert (code, len(reply["result"]["channels"])) == (0, 9)


def test_bake_round_trip(character: Path, tmp_path: Path) -> None:
    rig = _rig(character, tmp_path)
    take = make_take(50, rate=25, missing=(20,), fps="25")
    save_take(tmp_path / "a.take.npz", take)
    video = write_video(tmp_path / "réplique.mov", frames=50, beep_s=0.5)
    before = hashlib.sha256(character.read_bytes()).hexdigest()
    out = tmp_path / "out" / "réplique.blend"
    request = {"do": "bake", "blend": str(character), "take": str(tmp_path / "a.take.npz"), "out": str(out)}
    reply, code = ask(request | {"video": str(video), "start_frame": 1})
    assert code == 0, reply
    assert reply["result"]["keyed"] == list(ARKIT)
    assert reply["result"]["audio"] is HAS_SOUND
    assert hashlib.sha256(character.read_bytes()).hexdigest() == before
    assert [p.name for p in out.parent.iterdir()] == [out.name]

    bpy.ops.wm.open_mainfile(filepath=str(out))
    scene = bpy.context.scene
    assert scene.render.fps / scene.render.fps_base == pytest.approx(25)
    assert (scene.frame_start, scene.frame_current) == (1, 1)
    assert 50 <= scene.frame_end <= 51
    assert scene.camera is not None
    assert scene.camera.data.lens == pytest.approx(700 / 640 * 36)
    assert scene.camera.data.background_images[0].clip.filepath.endswith("réplique.mov")
    assert Path(bpy.path.abspath(scene.camera.data.background_images[0].clip.filepath)).is_file()
    obj = bpy.data.objects["Gesicht"]
    frame = 1 + take.time_s[31] * 25
    posed = evaluated(obj, frame)
    turned = np.array(obj.matrix_world)[:3, :3]
    np.testing.assert_allclose(posed @ turned, rig.vertices_at(take.weights[31]), atol=3e-5)


def test_a_bake_without_a_window_reduces_keys(character: Path, tmp_path: Path) -> None:
    save_take(tmp_path / "a.take.npz", make_take(50, rate=25, fps="25"))
    out = tmp_path / "few.blend"
    request = {"do": "bake", "blend": str(character), "take": str(tmp_path / "a.take.npz"), "out": str(out)}
    reply, code = ask(request | {"reduce_keys": 0.2})
    assert code == 0, reply
    assert any("keys became" in note for note in reply["result"]["notes"])


def test_blender_opens_the_character_before_there_is_a_take(character: Path, tmp_path: Path) -> None:
    request = {
        "do": "bake",
        "blend": str(character),
        "take": str(tmp_path / "a.take.npz"),
        "out": str(tmp_path / "b.blend"),
    }
    with prepare_blender(request, blender=Path(sys.executable), hook=None, folder=tmp_path) as baked:
        time.sleep(1.0)
        save_take(tmp_path / "a.take.npz", make_take(10))
        asking = baked()
        with pytest.raises(StopIteration) as answered:
            while True:
                next(asking)
    assert answered.value.value["keyed"] == list(ARKIT)
    assert {path.name for path in tmp_path.iterdir()} == {character.name, "a.take.npz", "b.blend"}


def test_a_blender_that_nobody_waits_for_ends(character: Path, tmp_path: Path) -> None:
    request = {"do": "bake", "blend": str(character), "take": str(tmp_path / "none"), "out": str(tmp_path / "b.blend")}
    path = tmp_path / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    command = [sys.executable, "-I", str(CHILD), "--", str(path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout) == (1, b"")
    assert not (tmp_path / "b.blend").exists()


def _rig(character: Path, tmp_path: Path):
    out = tmp_path / "truth.npz"
    ask({"do": "extract", "blend": str(character), "object": "Gesicht", "out": str(out)})
    return load_rig(out)


def test_baking_over_the_source_is_refused(character: Path, tmp_path: Path) -> None:
    save_take(tmp_path / "a.take.npz", make_take())
    request = {"do": "bake", "blend": str(character), "take": str(tmp_path / "a.take.npz"), "out": str(character)}
    reply, code = ask(request)
    assert code == 2
    assert "own file" in reply["what"]


def test_bad_requests_end_in_words(character: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.blend"
    text.write_text("no blend file at all")
    bpy.ops.wm.read_homefile(use_empty=True)
    plain = tmp_path / "plain.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(plain))
    out = str(tmp_path / "rig.npz")
    for request, said in (
        ({"do": "dance"}, "Unknown request"),
        ({"do": "extract", "blend": str(tmp_path / "none.blend"), "out": out}, "There is no file"),
        ({"do": "extract", "blend": str(text), "out": out}, "cannot open text.blend"),
        ({"do": "extract", "blend": str(plain), "out": out}, "No mesh in plain.blend has shape keys"),
        ({"do": "extract", "blend": str(character), "object": "Fuß", "out": out}, "no object called “Fuß”"),
        ({"do": "bake", "blend": str(character), "take": str(text), "out": str(tmp_path / "b.blend")}, "not a FaceCap"),
    ):
        reply, code = ask(request)
        assert (reply["event"], code) == ("error", 2), reply
        assert said in reply["what"]
        assert reply["way_out"]
    assert not (tmp_path / "rig.npz").exists()
    assert not (tmp_path / "b.blend").exists()


def test_unwritable_output_leaves_nothing(character: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    reply, code = ask({"do": "extract", "blend": str(character), "out": str(blocked / "rig.npz")})
    assert code == 2
    assert reply["way_out"]


def test_a_linked_head_is_refused_before_the_solve_if_it_shall_be_keyed(character: Path, tmp_path: Path) -> None:
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(character), link=True) as (_, wanted):
        wanted.objects = ["Gesicht"]
    bpy.context.scene.collection.objects.link(wanted.objects[0])
    linked = tmp_path / "shot.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(linked))
    request = {"do": "extract", "blend": str(linked), "out": str(tmp_path / "rig.npz")}
    reply, code = ask({**request, "to_key": True})
    assert code == 2 and "linked from another file" in reply["what"]
    assert "Library Override" in reply["way_out"]
    assert not (tmp_path / "rig.npz").exists()
    reply, code = ask(request)
    assert code == 0 and [Path(path) for path in reply["result"]["libraries"]] == [character]


def _avatar_file(path: Path) -> Path:
    """An avatar whose meshes all carry the 52 names, an orphan copy of its head, and one in an excluded collection."""
    from tests.blender.avatars import make_avatar, make_part

    make_avatar("empty")
    orphan = make_part("Actor_old", (0, 0, 0), 0.12, segments=32)
    bpy.context.collection.objects.unlink(orphan)
    orphan.use_fake_user = True
    attic = bpy.data.collections.new("OLD do not use")
    bpy.context.scene.collection.children.link(attic)
    attic.objects.link(make_part("Backup", (0, 0, 0), 0.15, segments=32))
    for obj in list(attic.objects):
        for collection in obj.users_collection:
            if collection != attic:
                collection.objects.unlink(obj)
    bpy.context.view_layer.layer_collection.children["OLD do not use"].exclude = True
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    return path


def test_the_head_of_an_avatar_is_chosen_not_its_eye_and_no_old_copy(tmp_path: Path) -> None:
    path = _avatar_file(tmp_path / "avatar.blend")
    reply, code = ask({"do": "extract", "blend": str(path), "out": str(tmp_path / "rig.npz"), "to_key": True})
    assert code == 0, reply
    result = reply["result"]
    assert result["object"] == "Head"
    assert result["others"][:2] == ["EyeRight", "EyeLeft"] or result["others"][:2] == ["EyeLeft", "EyeRight"]
    said = result["notes"][0]
    assert "Chose the mesh “Head” of 6" in said and "52 of its shape keys" in said
    assert "“Actor_old” (in no scene)" in said and "“Backup” (hidden or in an excluded collection)" in said
    assert any("“Avatar”, which carries" in note for note in result["notes"])


def test_the_command_lines_bone_is_keyed(tmp_path: Path) -> None:
    from tests.blender.avatars import make_avatar

    make_avatar("armature")
    path = tmp_path / "avatar.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    save_take(tmp_path / "a.take.npz", make_take())
    request = {"do": "bake", "blend": str(path), "take": str(tmp_path / "a.take.npz"), "object": "Head"}
    for bone, said in (("Spine", 0), ("Rig:Head", 0), ("Rig:Nose", 2)):
        out = tmp_path / f"{bone.replace(':', '-')}.blend"
        reply, code = ask({**request, "out": str(out), "bone": bone})
        assert code == said, reply
        if said:
            assert "no bone called “Nose”" in reply["what"]
            continue
        bpy.ops.wm.open_mainfile(filepath=str(out))
        bpy.context.scene.frame_set(30)
        bones = bpy.data.objects["Rig"].pose.bones
        turned = {name for name in ("Spine", "Head") if bones[name].matrix_basis.to_quaternion().angle > 0.05}
        assert turned == {bone.rpartition(":")[2]}
