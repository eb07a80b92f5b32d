"""Takes in files of meshes: read back by Blender's own importers into an empty scene, by the glTF specification, and,
where it is installed, by Pixar's library."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from numpy.testing import assert_allclose

from facecap_addon.blender.headless.requests import answer_request
from facecap_addon.blender.scene.head.character import extract_rig
from facecap_addon.errors import FacecapError
from facecap_addon.rig.blendshapes import save_rig
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from facecap_addon.rig.mapping.mapping_file import save_mapping
from facecap_addon.takes.npz import save_take
from facecap_addon.takes.take import Take
from tests.blender.faces import ARKIT, coordinates, evaluated, make_face
from tests.blender.takes import expected_weights, make_take
from tests.unit.takes.test_exchange import floats, glb_parts

NEAR = 1e-4


@pytest.fixture
def character(tmp_path: Path) -> Path:
    """A head with another action in a muted-looking strip, a driven key and a subdivided surface: what exporters trip
    over."""
    obj = make_face()
    keys = obj.data.shape_keys
    for frame, value in ((0, 1.0), (40, 0.2)):
        keys.key_blocks["jawOpen"].value = value
        keys.key_blocks["jawOpen"].keyframe_insert("value", frame=frame)
    action = keys.animation_data.action
    keys.animation_data.nla_tracks.new().strips.new("old", 0, action)
    keys.animation_data.action = None
    driver = keys.key_blocks["browInnerUp"].driver_add("value").driver
    driver.type, driver.expression = "SCRIPTED", "0.75"
    obj.modifiers.new("smooth", "SUBSURF")
    bpy.data.actions.new("bystander").use_fake_user = True
    path = tmp_path / "hero.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, check_existing=False)
    return path


def export(character: Path, take: Take, ending: str, **more: object) -> Path:
    save_take(character.with_name("t.take.npz"), take)
    out = character.with_name(f"out.{ending}")
    request = {"do": "export", "blend": str(character), "take": str(character.with_name("t.take.npz"))}
    answer_request({**request, "out": str(out), "fps": 25, **more})
    assert [path.name for path in out.parent.glob(".*.part*")] == []
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 25, 1.0
    return out


def steady(**changes: object) -> Take:
    """Frames 25 a second."""
    take = make_take(fps="25")
    return replace(take, time_s=np.arange(take.frame_count) / 25, **changes)  # type: ignore[arg-type]


def imported_mesh() -> bpy.types.Object:
    [mesh] = [obj for obj in bpy.data.objects if obj.type == "MESH"]
    return mesh


def played(keys: bpy.types.Key, name: str, frames: range) -> list[float]:
    values = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        values.append(keys.key_blocks[name].value)
    return values


def test_a_glb_has_every_frame_at_its_own_time(character: Path) -> None:
    """By the specification: one animation, one channel of weights, times as filmed, not as sampled."""
    take = make_take(missing=(3, 4), fps="25")
    facts, data = glb_parts(export(character, take, "glb"))
    [animation] = facts["animations"]
    [channel] = [one for one in animation["channels"] if one["target"]["path"] == "weights"]
    sampler = animation["samplers"][channel["sampler"]]
    assert sampler["interpolation"] == "LINEAR"
    times = floats(facts, data, sampler["input"])[:, 0]
    assert_allclose(times, take.time_s[take.solved], atol=1e-6)
    accessor = facts["accessors"][sampler["input"]]
    assert accessor["min"] == [times.min()] and accessor["max"] == [times.max()]
    mesh = facts["meshes"][facts["nodes"][channel["target"]["node"]]["mesh"]]
    names = mesh["extras"]["targetNames"]
    assert len(names) == len(mesh["primitives"][0]["targets"]) == len(ARKIT)
    weights = floats(facts, data, sampler["output"]).reshape(len(times), len(names))
    for k, name in enumerate(take.channels):
        assert_allclose(weights[:, names.index(name)], take.weights[take.solved, k], atol=1e-6)
    assert {one["target"]["path"] for one in animation["channels"]} >= {"weights", "rotation"}  # the head moves, too


def test_a_glb_plays_in_blender(character: Path) -> None:
    take = steady()
    bpy.ops.import_scene.gltf(filepath=str(export(character, take, "glb")))
    keys = imported_mesh().data.shape_keys
    for k, name in enumerate(take.channels):
        assert_allclose(played(keys, name, range(take.frame_count)), take.weights[:, k], atol=NEAR)


def test_an_fbx_plays_in_blender(character: Path) -> None:
    take = steady()
    bpy.ops.import_scene.fbx(filepath=str(export(character, take, "fbx")), anim_offset=0.0)
    keys = imported_mesh().data.shape_keys
    for k, name in enumerate(take.channels):
        assert_allclose(played(keys, name, range(take.frame_count)), take.weights[:, k], atol=NEAR)


def test_an_uneven_take_is_sampled_at_its_times(character: Path) -> None:
    take = make_take(fps="25")
    bpy.ops.import_scene.fbx(filepath=str(export(character, take, "fbx")), anim_offset=0.0)
    keys = imported_mesh().data.shape_keys
    wanted = np.array([expected_weights(take, frame / 25) for frame in range(39)])
    for k, name in enumerate(take.channels):
        assert_allclose(played(keys, name, range(39)), wanted[:, k], atol=NEAR)


@pytest.mark.parametrize("ending", ["usdc", "abc"])
def test_usd_and_alembic_move_the_mesh_in_blender(character: Path, ending: str) -> None:
    take = steady()
    path = export(character, take, ending, head="none")
    bpy.ops.wm.open_mainfile(filepath=str(character))
    rig = extract_rig(bpy.data.objects["Face"])
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = 25, 1.0
    reader = bpy.ops.wm.usd_import if ending == "usdc" else bpy.ops.wm.alembic_import
    reader(filepath=str(path))
    columns = [take.channels.index(name) for name in rig.channels]
    if ending == "usdc":
        for frame in (0, 7, 39):
            shown = evaluated(imported_mesh(), frame)
            assert_allclose(shown, rig.vertices_at(take.weights[frame, columns]), atol=NEAR)
    else:  # Alembic holds the surface as it shows, subdivided
        assert len(coordinates(imported_mesh().data.vertices)) >= rig.vertex_count


READ_USD = """
import json, sys
from pxr import Usd, UsdSkel
stage = Usd.Stage.Open(sys.argv[1])
[one] = [prim for prim in stage.Traverse() if prim.IsA(UsdSkel.Animation)]
weights = UsdSkel.Animation(one).GetBlendShapeWeightsAttr()
times = weights.GetTimeSamples()
names = list(UsdSkel.Animation(one).GetBlendShapesAttr().Get())
rate = stage.GetTimeCodesPerSecond()
print(json.dumps([names, [time / rate for time in times], [list(weights.Get(time)) for time in times]]))
"""


def test_pixars_library_reads_the_blend_shapes_of_a_usd(character: Path) -> None:
    """In a process of its own: Blender brings a USD library itself."""
    if subprocess.run([sys.executable, "-c", "import pxr"], capture_output=True, check=False).returncode:
        pytest.skip("usd-core is not installed")
    take = steady()
    path = export(character, take, "usdc")
    done = subprocess.run([sys.executable, "-c", READ_USD, str(path)], capture_output=True, text=True, check=True)
    names, times, weights = json.loads(done.stdout)
    assert_allclose(times, take.time_s, atol=1e-6)
    assert_allclose(np.array(weights)[:, [names.index(name) for name in take.channels]], take.weights, atol=NEAR)


def test_a_mapping_says_which_keys_are_exported(character: Path) -> None:
    links = (Link("jawOpen", Target("key", "mouthSmileLeft"), factor=0.5), Link("jawOpen", Target("key", "jawOpen")))
    save_mapping(character.with_name("m.json"), Mapping("half", links))
    take = steady()
    facts, data = glb_parts(export(character, take, "glb", mapping=str(character.with_name("m.json"))))
    [channel] = [one for one in facts["animations"][0]["channels"] if one["target"]["path"] == "weights"]
    names = facts["meshes"][0]["extras"]["targetNames"]
    sampler = facts["animations"][0]["samplers"][channel["sampler"]]
    weights = floats(facts, data, sampler["output"]).reshape(take.frame_count, len(names))
    jaw = take.weights[:, take.channels.index("jawOpen")]
    assert_allclose(weights[:, names.index("mouthSmileLeft")], 0.5 * jaw, atol=1e-6)
    assert_allclose(weights[:, names.index("jawOpen")], jaw, atol=1e-6)


def test_a_take_of_another_character_is_refused_and_nothing_written(character: Path) -> None:
    stranger = steady(channels=("a", "b", "c", "d", "e"))
    with pytest.raises(FacecapError):
        export(character, stranger, "glb")
    assert not character.with_name("out.glb").exists()


def test_a_usd_comes_back_as_the_take_it_was(character: Path, tmp_path: Path) -> None:
    """Exported, imported by background Blender as vertices, and solved for the weights of the character's keys."""
    from facecap_addon.takes.formats.point_cache import read_point_cache

    take = steady()
    path = export(character, take, "usdc", head="none")
    bpy.ops.wm.open_mainfile(filepath=str(character))
    rig = extract_rig(bpy.data.objects["Face"])
    save_rig(tmp_path / "rig.npz", rig)
    request = {"do": "read_mesh", "file": str(path), "vertices": 482, "out": str(tmp_path / "a.mdd"), "fps": 25}
    assert answer_request(request)["frames"] == take.frame_count
    cache = read_point_cache(tmp_path / "a.mdd")
    columns = [take.channels.index(name) for name in rig.channels]
    for row in (0, 11, 39):
        assert_allclose(cache.positions[row], rig.vertices_at(take.weights[row, columns]), atol=NEAR)
