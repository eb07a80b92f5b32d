"""A take through a mapping: on shape keys of several meshes, bones and properties, by Blender's own evaluation."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest
from mathutils import Matrix, Vector

from facecap_addon.blender.scene.animation.bake import BakeSettings, apply_take
from facecap_addon.blender.scene.animation.curves import curves_of
from facecap_addon.blender.scene.controls.stored_mapping import group_of, mapping_of, read_mapping, store_mapping
from facecap_addon.errors import FacecapError
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from facecap_addon.takes.versions import add_id
from tests.blender.control_rig import all_of, make_control_rig
from tests.blender.takes import make_take

OPEN, SMILE, BLINK = "jawOpen", "mouthSmileLeft", "eyeBlinkLeft"
JAW_X, JAW_Y = Target("bone", "Jaw", "rotation.x"), Target("bone", "Jaw", "location.y")
RAISE, PUFF = Target("property", "raise", "Brow"), Target("property", "puff", "", "Rig")
MAPPING = Mapping(
    "Mixed",
    (
        Link(OPEN, JAW_X, 0.5, 0.1),
        Link(OPEN, JAW_Y, -0.02),
        Link(SMILE, Target("key", "mouthSmileLeft"), 0.5, curve=((0.0, 0.0), (0.5, 0.8), (1.0, 1.0)), sure=False),
        Link(BLINK, Target("key", "mouthSmileLeft"), 0.2),
        Link(BLINK, Target("key", "eyeBlinkLeft", "", "Teeth")),
        Link("browInnerUp", RAISE, 2.0),
        Link(SMILE, PUFF, 1.5),
    ),
)
STILL = BakeSettings(head="none")


def at_frame(frame: float) -> bpy.types.Depsgraph:
    bpy.context.scene.frame_set(int(np.floor(frame)), subframe=frame % 1)
    return bpy.context.evaluated_depsgraph_get()


def test_a_mapping_stays_with_the_character_as_it_was_stored() -> None:
    head = make_control_rig()["Head"]
    assert mapping_of(head) is None
    store_mapping(head, MAPPING)
    assert mapping_of(head) == MAPPING
    group_of(head).links[2].factor = 0.6
    assert read_mapping(head).links[2].factor == 0.6
    group_of(head).use = False
    assert mapping_of(head) is None


def test_a_take_moves_keys_bones_and_properties_as_the_mapping_says() -> None:
    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    take = make_take()
    store_mapping(head, MAPPING)
    report = apply_take(head, take, STILL)
    assert set(report.keyed) == {"mouthSmileLeft", "eyeBlinkLeft"} and report.unknown == ["mouthSmileRight"]
    assert set(report.controls) == {"Jaw", "Brow", "Controls"}
    for key in (1, 11, 30):  # a link's curve bends the course between two frames: look at frames that were filmed
        frame = 1 + take.time_s[key] * 24
        w = dict(zip(take.channels, take.weights[key], strict=True))
        graph = at_frame(frame)
        jaw = rig.evaluated_get(graph).pose.bones["Jaw"]
        turn = Matrix.Rotation(0.5 * w[OPEN] + 0.1, 3, "X")
        np.testing.assert_allclose(jaw.matrix_basis.to_3x3(), turn, atol=2e-5)
        np.testing.assert_allclose(jaw.location, (0, -0.02 * w[OPEN], 0), atol=2e-5)
        smile = 0.5 * np.interp(w[SMILE], (0, 0.5, 1), (0, 0.8, 1)) + 0.2 * w[BLINK]
        for name in ("Head", "EyeLeft", "Teeth"):
            shown = parts[name].evaluated_get(graph).data.shape_keys.key_blocks
            assert shown["mouthSmileLeft"].value == pytest.approx(smile, abs=2e-5)
            assert shown["eyeBlinkLeft"].value == pytest.approx(w[BLINK] if name == "Teeth" else 0.0, abs=2e-5)
        assert rig.evaluated_get(graph).pose.bones["Brow"]["raise"] == pytest.approx(2 * w["browInnerUp"], abs=2e-5)
        assert rig.evaluated_get(graph)["puff"] == pytest.approx(min(1.0, 1.5 * w[SMILE]), abs=2e-5)
    assert any("“puff” was kept inside its limits, 0 to 1" in remark for remark in report.remarks)
    groups = {curve.group.name for curve in curves_of(rig)}
    assert groups == {"Jaw", "Brow", "Controls"}


def test_baked_again_with_another_mapping_what_was_keyed_before_is_taken_back() -> None:
    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    take = add_id(make_take())
    store_mapping(head, MAPPING)
    first = apply_take(head, take, BakeSettings(head="bone", bone="Head", armature=rig))
    assert any("Head" in curve.data_path for curve in curves_of(rig))
    again = apply_take(head, take, BakeSettings(head="bone", bone="Head", armature=rig))
    assert again.action == first.action
    store_mapping(head, replace(MAPPING, links=MAPPING.links[:1]))
    apply_take(head, take, STILL)
    assert {curve.data_path for curve in curves_of(rig)} == {'pose.bones["Jaw"].rotation_quaternion'}
    assert rig.pose.bones["Head"].matrix_basis == Matrix() and rig["puff"] == 0.0
    assert rig.pose.bones["Brow"]["raise"] == 0.25


def test_keys_made_by_hand_on_a_bone_stay() -> None:
    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    take = add_id(make_take())
    store_mapping(head, MAPPING)
    apply_take(head, take, STILL)
    curve = curves_of(rig).find('pose.bones["Jaw"].location', index=1)
    curve.keyframe_points.insert(12.0, 0.4)
    apply_take(head, take, replace(STILL, gain=0.5))
    assert curves_of(rig).find('pose.bones["Jaw"].location', index=1).evaluate(12.0) == pytest.approx(0.4)


def test_the_head_and_the_mapping_share_an_armature() -> None:
    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    take = make_take()
    frame, on_bone = 1 + take.time_s[20] * 24, BakeSettings(head="bone", bone="Head", armature=rig)
    apply_take(head, take, on_bone)
    at_frame(frame)
    alone = rig.pose.bones["Head"].matrix_basis.copy()
    assert alone.to_quaternion().angle > 0.01
    store_mapping(head, MAPPING)
    apply_take(head, take, on_bone)
    at_frame(frame)
    np.testing.assert_allclose(rig.pose.bones["Head"].matrix_basis, alone, atol=1e-5)
    assert rig.pose.bones["Jaw"].matrix_basis.to_quaternion().angle > 0.1


def test_a_layer_adds_what_a_mapping_moves_and_lies_above_what_is_there() -> None:
    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    take = add_id(make_take())
    store_mapping(head, MAPPING)
    apply_take(head, take, replace(STILL, mode="layer"))
    frame = 1 + take.time_s[15] * 24
    graph = at_frame(frame)
    assert [track.strips[0].action is not None for track in rig.animation_data.nla_tracks] == [True]
    jaw = rig.evaluated_get(graph).pose.bones["Jaw"]
    turn = Matrix.Rotation(0.5 * take.weights[15, 0] + 0.1, 3, "X")
    np.testing.assert_allclose(jaw.matrix_basis.to_3x3(), turn, atol=1e-4)


def test_the_jaws_own_motion_and_a_mapping_of_the_jaw_go_together() -> None:
    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    take = make_take()
    jaw = np.zeros((take.frame_count, 6), np.float32)
    jaw[:, 0] = -0.2
    store_mapping(head, Mapping("none", (Link(SMILE, RAISE),)))
    apply_take(head, replace(take, jaw=jaw), STILL)
    at_frame(1 + take.time_s[10] * 24)
    alone = rig.pose.bones["Jaw"].matrix_basis.copy()
    assert alone.to_quaternion().angle == pytest.approx(0.2, abs=1e-4)
    store_mapping(head, MAPPING)
    apply_take(head, replace(take, jaw=jaw), STILL)
    at_frame(1 + take.time_s[10] * 24)
    turn = Matrix.Rotation(0.5 * take.weights[10, 0] + 0.1, 4, "X")
    added = alone @ Matrix.Translation(Vector((0, -0.02 * take.weights[10, 0], 0))) @ turn
    np.testing.assert_allclose(rig.pose.bones["Jaw"].matrix_basis, added, atol=1e-4)


def test_gaze_turns_an_eye_bone() -> None:
    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    take = make_take()
    gaze = take.gaze_rad.copy()
    gaze[:, 1, 0] = np.linspace(-0.3, 0.3, take.frame_count)
    store_mapping(head, Mapping("Eyes", (Link("leftEyeYaw", Target("bone", "LeftEye", "rotation.z"), -1.0),)))
    apply_take(head, replace(take, gaze_rad=gaze), replace(STILL, gain=0.5))
    at_frame(1 + take.time_s[30] * 24)
    turn = Matrix.Rotation(-float(gaze[30, 1, 0]), 3, "Z")
    np.testing.assert_allclose(rig.pose.bones["LeftEye"].matrix_basis.to_3x3(), turn, atol=1e-5)


def test_a_preset_for_another_rig_is_refused_in_one_message_and_nothing_is_changed() -> None:
    parts = make_control_rig()
    head = parts["Head"]
    links = (Link(OPEN, Target("bone", "jaw_master", "rotation.x")), Link(SMILE, Target("key", "A37")), *MAPPING.links)
    store_mapping(head, Mapping("Rigify face", links))
    before, actions = all_of(parts), len(bpy.data.actions)
    with pytest.raises(FacecapError) as error:
        apply_take(head, make_take(), BakeSettings())
    assert "Rigify face" in error.value.what and "jaw_master" in error.value.what and "A37" in error.value.what
    assert all_of(parts) == before and len(bpy.data.actions) == actions
    store_mapping(head, Mapping("Empty", (Link("no such channel", JAW_X),)))
    with pytest.raises(FacecapError, match="No link of the mapping"):
        apply_take(head, make_take(), BakeSettings())
    assert all_of(parts) == before and len(bpy.data.actions) == actions


def test_an_edit_is_shown_through_the_mapping() -> None:
    from facecap_addon.blender.scene.animation.show_take import own_action, show_frame, write_take

    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    take = add_id(make_take())
    store_mapping(head, MAPPING)
    scene = bpy.context.scene
    apply_take(head, take, STILL)
    half = replace(take, weights=take.weights * 0.5)
    assert own_action(head, half) is not None
    frame = 1 + take.time_s[15] * 24
    at_frame(frame)
    show_frame(head, half, STILL, scene)
    wanted = Matrix.Rotation(0.25 * take.weights[15, 0] + 0.1, 3, "X")
    np.testing.assert_allclose(rig.pose.bones["Jaw"].matrix_basis.to_3x3(), wanted, atol=1e-5)
    write_take(head, half, STILL, scene, "")
    at_frame(frame)
    np.testing.assert_allclose(rig.pose.bones["Jaw"].matrix_basis.to_3x3(), wanted, atol=1e-5)
    shown = parts["Teeth"].data.shape_keys.key_blocks["eyeBlinkLeft"].value
    assert shown == pytest.approx(take.weights[15, take.channels.index(BLINK)] / 2, abs=1e-5)


def test_a_live_face_moves_what_the_mapping_says_and_leaves_nothing() -> None:
    from facecap_addon.blender.scene.animation.live_face import LivePuppet
    from tests.blender.test_live_face import event_of

    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    store_mapping(head, MAPPING)
    before = all_of(parts)
    puppet = LivePuppet(head, (OPEN, "browInnerUp"), None, location=False)
    puppet.show(replace(event_of(make_take(), 0), weights=(0.5, 0.25)))
    np.testing.assert_allclose(rig.pose.bones["Jaw"].matrix_basis.to_3x3(), Matrix.Rotation(0.35, 3, "X"), atol=1e-5)
    assert rig.pose.bones["Brow"]["raise"] == pytest.approx(0.5)
    puppet.take_back()
    assert all_of(parts) == before


def test_the_table_offers_every_axis_of_a_bone() -> None:
    from facecap_addon.rig.mapping.mapping import BONE_AXES

    row = group_of(make_control_rig()["Head"]).links.add()
    assert tuple(item.identifier for item in row.bl_rna.properties["axis"].enum_items) == BONE_AXES


def test_a_request_bakes_through_a_mapping_without_a_window(tmp_path) -> None:
    from facecap_addon.blender.headless.requests import answer_request
    from facecap_addon.jobs.settings.output import OutputSettings
    from facecap_addon.rig.mapping.mapping_file import mapping_facts, save_mapping
    from facecap_addon.takes.npz import save_take

    make_control_rig()
    source, out = tmp_path / "rig.blend", tmp_path / "out.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(source), copy=True)
    take = make_take()
    save_take(tmp_path / "x.take.npz", take)
    save_mapping(tmp_path / "x.json", MAPPING)
    wish = OutputSettings(mapping=str(tmp_path / "x.json"), head_pose="none").keying()
    assert wish["mapping"] == mapping_facts(MAPPING)
    asked = {"blend": str(source), "object": "Head", "out": str(out), **wish}
    facts = answer_request({"do": "bake", "take": str(tmp_path / "x.take.npz"), **asked})
    assert set(facts["controls"]) == {"Jaw", "Brow", "Controls"}
    bpy.ops.wm.open_mainfile(filepath=str(out))
    assert mapping_of(bpy.data.objects["Head"]) == MAPPING
    at_frame(1 + take.time_s[10] * bpy.context.scene.render.fps)
    turn = bpy.data.objects["Rig"].pose.bones["Jaw"].matrix_basis.to_quaternion().angle
    assert turn == pytest.approx(0.5 * take.weights[10, 0] + 0.1, abs=0.05)
    wrong = mapping_facts(Mapping("Other rig", (Link(OPEN, Target("bone", "jaw_master", "rotation.x")),)))
    with pytest.raises(FacecapError, match="jaw_master"):
        answer_request({"do": "bake", "take": str(tmp_path / "x.take.npz"), **asked, "mapping": wrong})
    with pytest.raises(FacecapError, match="no preset and no file"):
        OutputSettings(mapping="no such preset").keying()
