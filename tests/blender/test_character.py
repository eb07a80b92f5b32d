"""A rig must move exactly as Blender moves the mesh it was read from."""

from __future__ import annotations

from pathlib import Path

import bmesh
import bpy
import numpy as np
import pytest
from mathutils import Matrix

from facecap_addon.blender.scene.head.character import character_notes, extract_rig
from facecap_addon.errors import FacecapError
from tests.blender.faces import coordinates, evaluated, make_face, set_weights, snapshot


def agreement(obj: bpy.types.Object, rng: np.random.Generator) -> float:
    """Largest distance, m, between the rig and Blender over a few random poses."""
    rig = extract_rig(obj)
    worst = 0.0
    for _ in range(3):
        weights = rng.uniform(0, 1, len(rig.channels))
        set_weights(obj, rig.channels, weights)
        worst = max(worst, float(np.abs(evaluated(obj) - rig.vertices_at(weights)).max()))
    return worst


def test_plain_keys_move_as_in_blender(rng: np.random.Generator) -> None:
    assert agreement(make_face(), rng) < 1e-6


def test_masked_and_relative_keys(rng: np.random.Generator) -> None:
    obj = make_face()
    count = len(obj.data.vertices)
    half = obj.vertex_groups.new(name="half")
    half.add(list(range(0, count, 2)), 0.35, "REPLACE")
    other = obj.vertex_groups.new(name="other")
    other.add(list(range(1, count, 3)), 1.0, "REPLACE")
    blocks = obj.data.shape_keys.key_blocks
    blocks["jawOpen"].vertex_group = "half"
    blocks["browInnerUp"].vertex_group = "other"
    blocks["mouthSmileLeft"].relative_key = blocks["jawOpen"]
    blocks["eyeBlinkLeft"].relative_key = blocks["mouthSmileRight"]
    blocks["eyeBlinkLeft"].vertex_group = "gone"  # Blender leaves a key unmasked whose group is missing
    assert agreement(obj, rng) < 1e-6


def test_scale_rotation_and_scene_unit(rng: np.random.Generator) -> None:
    obj = make_face()
    obj.location, obj.rotation_euler, obj.scale = (5, -3, 1), (0.3, -0.8, 2.0), (1.0, 2.5, 0.4)
    bpy.context.scene.unit_settings.scale_length = 0.01
    bpy.context.view_layer.update()
    assert agreement(obj, rng) < 1e-6


def test_metres_and_origin() -> None:
    obj = make_face()
    obj.location = (7, 8, 9)
    obj.scale = (2, 2, 2)
    bpy.context.scene.unit_settings.scale_length = 0.1
    bpy.context.view_layer.update()
    rig = extract_rig(obj)
    np.testing.assert_allclose(np.ptp(rig.neutral, axis=0), 0.04, atol=1e-5)  # 0.2 units × 2 × 0.1 m
    np.testing.assert_allclose(rig.neutral.mean(0), 0.0, atol=1e-5)


def test_mirrored_scale_keeps_faces_outward() -> None:
    obj = make_face()
    for scale in ((1, 1, 1), (-1, 1, 1), (-1, -2, -1)):
        obj.scale = scale
        bpy.context.view_layer.update()
        rig = extract_rig(obj)
        a, b, c = (rig.neutral[rig.triangles[:, i]] for i in range(3))
        outward = (np.cross(b - a, c - a) * (a + b + c)).sum(1)
        assert (outward > 0).all()


def test_drivers_animation_mutes_and_slider_values_play_no_part() -> None:
    obj = make_face()
    plain = extract_rig(obj)
    blocks = obj.data.shape_keys.key_blocks
    driver = blocks["jawOpen"].driver_add("value").driver
    driver.type, driver.expression = "SCRIPTED", "0.8"
    blocks["mouthSmileLeft"].value = 0.6
    blocks["mouthSmileLeft"].keyframe_insert("value", frame=1)
    blocks["eyeBlinkLeft"].mute = True
    bpy.context.view_layer.update()
    again = extract_rig(obj)
    np.testing.assert_array_equal(again.neutral, plain.neutral)
    np.testing.assert_array_equal(again.deltas, plain.deltas)
    assert again.channels == plain.channels
    notes = " ".join(character_notes(obj))
    assert "jawOpen is driven" in notes
    assert "eyeBlinkLeft is muted" in notes


def test_nothing_of_the_users_is_changed() -> None:
    obj = make_face()
    obj.vertex_groups.new(name="g").add([1, 2, 3], 0.5, "REPLACE")
    obj.modifiers.new("Subdivision", "SUBSURF")
    obj.data.shape_keys.key_blocks["jawOpen"].vertex_group = "g"
    obj.data.shape_keys.key_blocks["jawOpen"].value = 0.3
    before, files = snapshot(obj), {item.name for item in bpy.data.meshes}
    extract_rig(obj)
    character_notes(obj)
    assert snapshot(obj) == before
    assert {item.name for item in bpy.data.meshes} == files


def test_ranges_names_and_dividers() -> None:
    obj = make_face(("jawOpen", "=== BROWS ===", 'odd"name\\'))
    blocks = obj.data.shape_keys.key_blocks
    blocks["=== BROWS ==="].data.foreach_set("co", coordinates(blocks["Basis"].data).ravel())
    blocks["jawOpen"].slider_min, blocks["jawOpen"].slider_max = -0.5, 1.5
    rig = extract_rig(obj)
    assert rig.channels == ("jawOpen", 'odd"name\\')
    np.testing.assert_allclose(rig.ranges, [(-0.5, 1.5), (0, 1)])
    assert rig.name == "Face"


def test_vertex_colours_come_from_attribute_or_material() -> None:
    obj = make_face()
    assert extract_rig(obj).colors is None
    material = bpy.data.materials.new("Skin")
    material.use_nodes = True
    material.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (0.5, 0.25, 0.125, 1)
    obj.data.materials.append(material)
    np.testing.assert_allclose(extract_rig(obj).colors, [(0.5, 0.25, 0.125)] * len(obj.data.vertices), atol=1e-5)
    attribute = obj.data.color_attributes.new("Color", "FLOAT_COLOR", "CORNER")
    attribute.data.foreach_set("color", np.tile((0.1, 0.2, 0.3, 1), len(obj.data.loops)).astype(np.float32))
    np.testing.assert_allclose(extract_rig(obj).colors, [(0.1, 0.2, 0.3)] * len(obj.data.vertices), atol=1e-5)


def test_vertex_colours_come_from_a_texture() -> None:
    obj = make_face()
    image = bpy.data.images.new("Skin", 2, 1)
    image.pixels.foreach_set(np.array([0.5, 0.5, 0.5, 1, 1, 0, 0, 1], np.float32))
    material = bpy.data.materials.new("Skin")
    material.use_nodes = True
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    material.node_tree.links.new(node.outputs[0], material.node_tree.nodes["Principled BSDF"].inputs["Base Color"])
    obj.data.materials.append(material)
    uv = np.zeros((len(obj.data.loops), 2), np.float32)
    uv[:, 0] = 0.25
    obj.data.uv_layers[0].uv.foreach_set("vector", uv.ravel())
    np.testing.assert_allclose(extract_rig(obj).colors, 0.214, atol=2e-3)  # 0.5 in sRGB
    uv[:, 0] = 1.75  # tiled
    obj.data.uv_layers[0].uv.foreach_set("vector", uv.ravel())
    np.testing.assert_allclose(extract_rig(obj).colors[:, 1:], 0.0, atol=1e-3)


def test_shapes_added_in_edit_mode_are_seen() -> None:
    obj = make_face()
    bpy.context.view_layer.objects.active = obj
    bpy.ops.object.mode_set(mode="EDIT")
    rig = extract_rig(obj)
    bpy.ops.object.mode_set(mode="OBJECT")
    assert rig.channels == extract_rig(obj).channels


@pytest.mark.parametrize("kind", ["SUBSURF", "MIRROR", "ARMATURE", "SOLIDIFY"])
def test_generative_and_deforming_modifiers_are_solved_beneath(kind: str) -> None:
    obj = make_face()
    plain = extract_rig(obj)
    obj.modifiers.new("Added", kind)
    bpy.context.view_layer.update()
    np.testing.assert_array_equal(extract_rig(obj).deltas, plain.deltas)
    assert any("Added" in note for note in character_notes(obj)) == (kind != "ARMATURE")


def test_non_manifold_mesh_is_read() -> None:
    obj = make_face()
    obj.data.polygons[0].use_smooth = True
    vertices = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (5, 5, 5)]
    mesh = bpy.data.meshes.new("Fins")
    mesh.from_pydata(vertices, [], [(0, 1, 2), (0, 1, 3), (0, 1, 4)])  # three faces on one edge, one loose vertex
    fins = bpy.data.objects.new("Fins", mesh)
    bpy.context.collection.objects.link(fins)
    fins.shape_key_add(name="Basis")
    fins.shape_key_add(name="jawOpen").data[2].co.z = 1.0
    rig = extract_rig(fins)
    assert rig.triangles.shape == (3, 3)
    assert rig.vertex_count == 6


def _without_keys() -> bpy.types.Object:
    obj = make_face()
    obj.shape_key_clear()
    return obj


def _absolute() -> bpy.types.Object:
    obj = make_face()
    obj.data.shape_keys.use_relative = False
    return obj


def _without_faces() -> bpy.types.Object:
    mesh = bpy.data.meshes.new("Cloud")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0)], [(0, 1)], [])
    obj = bpy.data.objects.new("Cloud", mesh)
    bpy.context.collection.objects.link(obj)
    obj.shape_key_add(name="Basis")
    obj.shape_key_add(name="jawOpen").data[0].co.x = 3
    return obj


def _cached() -> bpy.types.Object:
    obj = make_face()
    obj.modifiers.new("Alembic", "MESH_SEQUENCE_CACHE").read_data = {"VERT"}
    return obj


def _still() -> bpy.types.Object:
    obj = make_face(())
    obj.shape_key_add(name="jawOpen", from_mix=False)
    return obj


def _flat() -> bpy.types.Object:
    obj = make_face()
    obj.scale = (1, 0, 1)
    bpy.context.view_layer.update()
    return obj


def _lamp() -> bpy.types.Object:
    return bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (_without_keys, "no shape keys"),
        (_absolute, "absolute"),
        (_without_faces, "no faces"),
        (_cached, "replaces what the shape keys do"),
        (_still, "moves a vertex"),
        (_flat, "scaled to zero"),
        (_lamp, "no mesh"),
        (lambda: None, "nothing"),
    ],
)
def test_what_cannot_be_solved_is_refused_in_words(make, said: str) -> None:
    obj = make()
    with pytest.raises(FacecapError, match=said) as caught:
        extract_rig(obj)
    assert caught.value.way_out


def test_a_mesh_too_heavy_for_memory_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from facecap_addon.blender.scene.head import character

    obj = make_face()
    monkeypatch.setattr(character, "MAX_DELTA_BYTES", 1000)
    with pytest.raises(FacecapError, match="more than can be held"):
        extract_rig(obj)


def test_linked_character_is_read_but_not_baked(tmp_path: Path) -> None:
    from facecap_addon.blender.scene.animation.action import key_channels

    make_face()
    library = tmp_path / "hëad.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(library))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (_, data):
        data.objects = ["Face"]
    obj = data.objects[0]
    bpy.context.collection.objects.link(obj)
    rig = extract_rig(obj)
    assert len(rig.channels) == 5
    assert any("library" in note for note in character_notes(obj))
    with pytest.raises(FacecapError, match="linked from another file") as caught:
        key_channels(obj, ["jawOpen"], np.array([1.0]), np.array([[1.0]]))
    assert "Override" in caught.value.way_out


def test_an_override_of_a_linked_character_is_baked_and_saved(tmp_path: Path, rng: np.random.Generator) -> None:
    from facecap_addon.blender.scene.animation.action import key_channels

    make_face()
    library = tmp_path / "head.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(library))
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(str(library), link=True) as (_, data):
        data.objects = ["Face"]
    bpy.context.collection.objects.link(data.objects[0])
    data.objects[0].override_hierarchy_create(bpy.context.scene, bpy.context.view_layer)
    obj = next(o for o in bpy.data.objects if o.override_library is not None)
    rig, weights = extract_rig(obj), rng.uniform(0, 1, (2, 5))
    key_channels(obj, rig.channels, np.array([1.0, 2.0]), weights)
    np.testing.assert_allclose(evaluated(obj, 2), rig.vertices_at(weights[1]), atol=2e-6)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shot.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "shot.blend"))
    obj = next(o for o in bpy.data.objects if o.override_library is not None)
    np.testing.assert_allclose(evaluated(obj, 2), rig.vertices_at(weights[1]), atol=2e-6)


def test_a_vertex_that_is_no_number_is_named_and_such_a_key_is_left_out_in_words() -> None:
    obj = make_face()
    block = obj.data.shape_keys.key_blocks["mouthSmileLeft"]
    block.data[5].co.z = float("nan")
    assert "mouthSmileLeft" not in extract_rig(obj).channels
    assert "mouthSmileLeft is left out: not all of its values are numbers" in " ".join(character_notes(obj))
    only = make_face(("jawOpen",), name="Only")
    only.data.shape_keys.key_blocks["jawOpen"].data[5].co.z = float("nan")
    with pytest.raises(FacecapError, match="moves a vertex: jawOpen is left out, as not all of its values are numbers"):
        extract_rig(only)
    obj.data.shape_keys.reference_key.data[7].co.x = float("nan")
    with pytest.raises(FacecapError, match="vertex 7 has coordinates that are no numbers"):
        extract_rig(obj)


def half_of(obj: bpy.types.Object, *, offset: float = 0.0) -> bpy.types.Object:
    """The half x ≥ 0 of a face under a Mirror modifier, moved along x in its own space by an offset."""
    mesh = bmesh.new()
    mesh.from_mesh(obj.data)
    bmesh.ops.delete(mesh, geom=[v for v in mesh.verts if v.co.x < -1e-4], context="VERTS")
    mesh.to_mesh(obj.data)
    mesh.free()
    middle = np.abs(coordinates(obj.data.shape_keys.reference_key.data)[:, 0]) < 1e-4
    for block in obj.data.shape_keys.key_blocks:
        moved = coordinates(block.data)
        moved[middle, 0] = 0.0
        block.data.foreach_set("co", (moved + np.float32([offset, 0, 0])).ravel())
    obj.data.vertices.foreach_set("co", coordinates(obj.data.shape_keys.reference_key.data).ravel())
    obj.data.update()
    obj.modifiers.new("Mirror", "MIRROR")
    return obj


@pytest.mark.parametrize("about", ["own origin", "another object"])
def test_half_a_head_under_a_mirror_is_read_whole_as_blender_shows_it(about: str) -> None:
    obj = make_face()
    obj.rotation_euler, obj.scale = (0.2, 0.3, -0.5), (2, 2, 2)
    if about == "own origin":
        half_of(obj)
    else:
        half_of(obj, offset=0.3)
        centre = bpy.data.objects.new("Centre", None)
        bpy.context.collection.objects.link(centre)
        bpy.context.view_layer.update()
        centre.matrix_world = obj.matrix_world @ Matrix.Translation((0.3, 0, 0))
        obj.modifiers["Mirror"].mirror_object = centre
    bpy.context.view_layer.update()
    own = len(obj.data.vertices)
    rig = extract_rig(obj)
    assert own < rig.vertex_count < 2 * own
    weights = np.float32([0.3, 0.9, 0.2, 1.0, 0.5])
    set_weights(obj, rig.channels, weights)
    shown = evaluated(obj)
    posed = rig.vertices_at(weights)
    assert len(shown) == rig.vertex_count
    distance = np.linalg.norm(shown[:, None] - posed[None], axis=2).min(axis=1)
    assert distance.max() < 1e-5
    a, b, c = (rig.neutral[rig.triangles[:, i]] - rig.neutral.mean(0) for i in range(3))
    assert ((np.cross(b - a, c - a) * (a + b + c)).sum(1) > 0).all()
    assert "keys move both sides alike" in " ".join(character_notes(obj))
    with pytest.raises(FacecapError, match="is half a head"):
        extract_rig(obj, bare=True)


def test_a_whole_head_under_a_mirror_is_read_as_it_is() -> None:
    obj = make_face()
    obj.modifiers.new("Mirror", "MIRROR")
    assert extract_rig(obj).vertex_count == len(obj.data.vertices)


def test_a_head_stretched_by_its_parent_keeps_its_own_proportions() -> None:
    obj = make_face()
    plain = extract_rig(obj)
    parent = bpy.data.objects.new("Stretch", None)
    bpy.context.collection.objects.link(parent)
    parent.scale, obj.parent, obj.rotation_euler.z = (1, 1, 1.4), parent, np.pi / 6
    bpy.context.view_layer.update()
    rig = extract_rig(obj)
    turn = np.array(obj.matrix_local)[:3, :3]
    size = np.linalg.norm(rig.neutral, axis=1).max() / np.linalg.norm(plain.neutral, axis=1).max()
    assert size == pytest.approx(1.4 ** (1 / 3), rel=1e-3)
    np.testing.assert_allclose(rig.neutral @ turn / size, plain.neutral, atol=1e-5)
    np.testing.assert_allclose(rig.deltas @ turn / size, plain.deltas, atol=1e-5)
    assert "Stretched 1.4 times" in " ".join(character_notes(obj))
    obj.scale = (1, 1, 1.3)  # its own scale is part of its shape
    bpy.context.view_layer.update()
    longer = extract_rig(obj).neutral @ turn / size
    np.testing.assert_allclose(longer, plain.neutral * (1, 1, 1.3), atol=1e-5)
