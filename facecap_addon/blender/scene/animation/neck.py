"""The head's turn shared with the neck: the neck takes a part, the head the rest, and both together are the whole."""

from __future__ import annotations

import bpy
from mathutils import Matrix, Quaternion

from ..head.rest import rest_matrix, rest_pose
from ..objects import owner_of


def find_neck(head: bpy.types.PoseBone) -> bpy.types.PoseBone | None:
    """The bone above a head's that is the neck's by its name; of several, the nearest to the head."""
    return next((bone for bone in head.parent_recursive if "neck" in bone.name.lower()), None)


def split_motion(
    neck: bpy.types.PoseBone, head: bpy.types.PoseBone, motion: list[Matrix], share: float
) -> tuple[list[Matrix], list[Matrix]]:
    """Own transforms of neck and head (before their parents) for each world motion of the head from its rest.

    The neck only turns, about its own root; the head makes up for it, by turning and by its place.

    Args:
        share: of the turn that the neck takes, 0 to 1.
    """
    world = rest_matrix(owner_of(head))
    undo = world.inverted_safe()
    parent = head.parent
    assert parent is not None
    neck_rest = rest_pose(neck)
    # What is between neck and head follows the neck; how the neck stands now is none of its rest.
    settle = neck_rest @ neck.matrix.inverted_safe()
    parent_rest, head_rest = settle @ parent.matrix, settle @ rest_pose(head)
    root = Matrix.Translation(neck_rest.translation)
    above = neck.parent
    necks: list[Matrix] = []
    heads: list[Matrix] = []
    before = Quaternion()
    for moved in motion:
        whole = undo @ moved @ world
        turn = whole.to_quaternion()
        turn.make_compatible(before)
        before = turn
        part = root @ Quaternion().slerp(turn, share).to_matrix().to_4x4() @ root.inverted()
        necks.append(_own(neck, part @ neck_rest, None if above is None else above.matrix))
        heads.append(_own(head, whole @ head_rest, part @ parent_rest))
    return necks, heads


def _own(bone: bpy.types.PoseBone, posed: Matrix, parent: Matrix | None) -> Matrix:
    """The own transform of a bone that stands so, in its armature's space, under a parent that stands so."""
    local = (
        {}
        if parent is None or bone.parent is None
        else {
            "parent_matrix": parent,
            "parent_matrix_local": bone.parent.bone.matrix_local,
        }
    )
    return bone.bone.convert_local_to_pose(posed, bone.bone.matrix_local, invert=True, **local)
