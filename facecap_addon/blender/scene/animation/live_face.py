"""A live face on a character: values of shape keys and the head's pose, without keys, taken back when it ends."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ....geometry.quaternions import HEAD_FRONT_WXYZ
from ....jobs.runtime.events import FaceEvent
from ....rig.mapping.evaluate import evaluate
from ..controls.hold import put_back, read_values, set_targets
from ..controls.stored_mapping import mapping_of
from ..controls.targets import controls_of
from ..head.rest import TRANSFORMS, rest_matrix
from ..objects import key_blocks_of
from .head_pose import camera_from_rig, place_head, placement_of, world_motion


class LivePuppet:
    """Moves a character.

    Args:
        obj: a mesh object with shape keys.  channels: their names, in the order of the faces' weights.
        target: what the head's pose moves: an object, a pose bone or None.  location: whether it is moved, too.
        parts: other meshes of the character that have such keys.
    """

    def __init__(
        self,
        obj: bpy.types.Object,
        channels: tuple[str, ...],
        target: bpy.types.Object | bpy.types.PoseBone | None,
        *,
        location: bool,
        parts: Sequence[bpy.types.Object] = (),
    ) -> None:
        # A mapping moves other things than keys: what it may move is remembered whole.
        self._mapping, self._channels = mapping_of(obj), channels
        self._controls = None if self._mapping is None else controls_of(obj)
        self._values = {} if self._controls is None else read_values(self._controls)
        every = (
            []
            if self._mapping is not None
            else [{block.name: block for block in key_blocks_of(mesh)} for mesh in (obj, *parts)]
        )
        self._obj, self._target, self._location = obj, target, location
        self._blocks = [[b for blocks in every if (b := blocks.get(channel)) is not None] for channel in channels]
        self._before = [[block.value for block in blocks] for blocks in self._blocks]
        self._pose_before = [] if target is None else [(name, tuple(getattr(target, name))) for name in TRANSFORMS]
        self._placed = placement_of(target if isinstance(target, bpy.types.Object) else obj)
        self._rest = rest_matrix(obj)
        self._head_from_rig: NDArray[np.float64] | None = None
        self._reference: NDArray[np.float64] | None = None

    def show(self, face: FaceEvent) -> None:
        """Give the character a face."""
        if face.head_from_rig:
            self._head_from_rig = np.array(face.head_from_rig).reshape(4, 4)
        if self._mapping is not None:
            weights = np.array([face.weights], np.float32)
            targets, values = evaluate(self._mapping, self._channels, weights)
            set_targets(self._obj, dict(zip(targets, values[0].tolist(), strict=True)), controls=self._controls)
        for blocks, weight in zip(self._blocks, face.weights, strict=False):
            for block in blocks:
                block.value = min(max(weight, block.slider_min), block.slider_max)
        if self._target is not None and face.head_wxyz:
            pose = camera_from_rig(np.array([face.head_wxyz]), np.array([face.head_m]), self._head_from_rig)[0]
            reference = self._reference
            if reference is None:  # a head that looks into the camera looks ahead, wherever it is
                front = np.array([HEAD_FRONT_WXYZ])
                reference = camera_from_rig(front, np.array([face.head_m]), self._head_from_rig)[0]
                self._reference = reference
            moved = world_motion(self._obj, np.stack([reference, pose]), 0, rest=self._rest)[1]
            place_head(self._target, moved, self._placed, location=self._location)

    def rest_here(self) -> None:
        """The next face's head is at the place where the character rests."""
        self._reference = None

    def take_back(self) -> None:
        """Put everything back as it was."""
        if self._controls is not None:
            put_back(self._controls, self._values)
        for blocks, values in zip(self._blocks, self._before, strict=True):
            for block, value in zip(blocks, values, strict=True):
                block.value = value
        for name, values in self._pose_before:
            setattr(self._target, name, values)
