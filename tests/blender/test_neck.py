"""The head's turn shared with the neck: both are keyed, and the head stands as it does alone."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
import pytest

from facecap_addon.blender.scene.animation.bake import apply_take
from facecap_addon.blender.scene.animation.bake_settings import BakeSettings
from facecap_addon.takes.versions import add_id
from tests.blender.control_rig import make_control_rig
from tests.blender.takes import make_take

FRAMES = (3, 17, 35)


def stand(rig: bpy.types.Object, take) -> list[np.ndarray]:
    """Where the head's bone is in the world at some frames."""
    found = []
    for row in FRAMES:
        frame = 1 + take.time_s[row] * 24
        bpy.context.scene.frame_set(int(frame), subframe=frame % 1)
        shown = rig.evaluated_get(bpy.context.evaluated_depsgraph_get())
        found.append(np.array(shown.matrix_world @ shown.pose.bones["Head"].matrix))
    return found


def turns(rig: bpy.types.Object, name: str) -> float:
    return rig.pose.bones[name].matrix_basis.to_quaternion().angle


@pytest.mark.parametrize("mode", ["QUATERNION", "XYZ"])
def test_neck_and_head_together_turn_as_the_head_alone(mode: str) -> None:
    parts = make_control_rig()
    head, rig = parts["Head"], parts["Rig"]
    for name in ("Neck", "Head"):
        rig.pose.bones[name].rotation_mode = mode
    take = add_id(make_take())
    alone = BakeSettings(head="bone", bone="Head", armature=rig)
    apply_take(head, take, alone)
    wanted, whole = stand(rig, take), turns(rig, "Head")
    for share in (0.4, 0.7):  # baked again, how the neck stands counts for nothing
        apply_take(head, take, replace(alone, neck_share=share))
        for found, before in zip(stand(rig, take), wanted, strict=True):
            np.testing.assert_allclose(found, before, atol=2e-4)
        assert turns(rig, "Neck") == pytest.approx(share * whole, abs=2e-3)
        assert turns(rig, "Head") == pytest.approx((1 - share) * whole, abs=2e-3)
    apply_take(head, take, alone)
    np.testing.assert_allclose(stand(rig, take), wanted, atol=2e-4)
    assert turns(rig, "Neck") == pytest.approx(0.0, abs=1e-4)


def test_without_a_neck_the_head_turns_alone_and_it_is_said() -> None:
    parts = make_control_rig()
    rig = parts["Rig"]
    rig.data.bones["Neck"].name = "Vertebra"
    settings = BakeSettings(head="bone", bone="Head", armature=rig, neck_share=0.5)
    report = apply_take(parts["Head"], make_take(), settings)
    assert any("neck's by its name" in remark for remark in report.remarks)
