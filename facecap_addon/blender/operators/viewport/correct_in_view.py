"""Correct Landmarks: drag them over the footage, in a view through the solve's camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy

from ....errors import FacecapError
from ... import session
from ...corrections import eye_distance, landmarks_at, layout_in, row_of, take_of
from ...overlay.draw_handlers import point_shader
from ...overlay.picture_in_view import PictureInView, find_picture
from ...present import scene_in, settings_in, settings_of, system_preferences
from ..base import OperatorReturn, TakeNeeded
from ..take.corrections import NEEDS_TAKE
from .viewport_tool import ViewportTool, main_region

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ....landmarks.grips import Grip
    from ....takes.take import Take

_NEAR_PX, _SEEN_THROUGH = 30.0, 0.35
_POINT, _GRIPPED, _MOVED = (0.1, 0.85, 1.0, 0.9), (1.0, 0.85, 0.1, 1.0), (1.0, 0.35, 0.1, 1.0)
_HELP = "Drag: move landmarks · Arrow keys: other frames · Enter or Esc: done · right click while dragging: take back"


@dataclass
class Held:
    """What the mouse is over, or drags.

    Attributes:
        grip, picked: see `landmarks.grips`.  begun: (2,) px of the picture where the drag began; None: not dragged yet.
        offset: (2,) px of the picture, how far it was dragged.
    """

    grip: Grip
    picked: int
    begun: NDArray[np.float64] | None = None
    offset: NDArray[np.float64] | None = None


class FACECAP_OT_correct_landmarks(ViewportTool, TakeNeeded, bpy.types.Operator):
    bl_idname = "facecap.correct_landmarks"
    bl_label = "Correct Landmarks"
    bl_description = "Drag landmarks of this frame over the footage to where they belong; each drag can be undone"
    help = _HELP
    needs_take = NEEDS_TAKE

    if TYPE_CHECKING:  # Blender takes annotations for properties
        _take: Take
        _held: Held | None

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        raise FacecapError("Landmarks are dragged in a 3D view.", "From scripts use facecap.move_landmarks.")

    def begin(self, context: bpy.types.Context) -> OperatorReturn:
        from ...scene.camera_setup import solve_camera

        self._take, scene, region = take_of(scene_in(context)), scene_in(context), main_region(context)
        layout_in(self._take)
        landmarks_at(scene, self._take, row_of(scene, self._take, scene.frame_current_final))
        if find_picture(context, self._take.image_size) is None:
            camera = solve_camera(scene)
            if camera is None:
                raise FacecapError(
                    "There is no camera of the solve yet.", "Press Show Footage and Camera, then correct landmarks."
                )
            space, view = context.space_data, context.region_data
            assert isinstance(space, bpy.types.SpaceView3D) and view is not None
            space.use_local_camera, space.camera = True, camera  # the scene keeps its own
            view.view_perspective = "CAMERA"
        self._see_through(scene, _SEEN_THROUGH)
        self._region, self._held = region, None
        return self.open_over(context)

    def handle(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        picture = self._picture(context)
        if not settings_in(context).result.take or (picture is None and event.type in ("LEFTMOUSE", "RET", "ESC")):
            return self.close(context)
        dragging = self._held is not None and self._held.begun is not None
        at = (float(event.mouse_x - self._region.x), float(event.mouse_y - self._region.y))
        if event.type == "MOUSEMOVE" and picture is not None:
            if dragging:
                self._drag(picture, at)
            else:
                self._held = self._find(context, picture, at)
            session.redraw(viewport=True)
            return {"RUNNING_MODAL"} if dragging else {"PASS_THROUGH"}
        if event.type == "LEFTMOUSE" and picture is not None:
            if event.value == "PRESS" and not dragging:
                self._held = self._find(context, picture, at)
                if self._held is None:
                    return {"PASS_THROUGH"}  # a button of the panel, another editor
                self._held.begun = picture.to_picture(at)
                return {"RUNNING_MODAL"}
            if event.value == "RELEASE" and dragging:
                self._confirm(context)
                return {"RUNNING_MODAL"}
            return {"PASS_THROUGH"}
        if event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS" and dragging:
            self._held = None
            session.redraw(viewport=True)
            return {"RUNNING_MODAL"}
        if event.type in ("RET", "NUMPAD_ENTER") and event.value == "PRESS" and dragging:
            self._confirm(context)
            return {"RUNNING_MODAL"}
        if event.type in ("ESC", "RET", "NUMPAD_ENTER") and event.value == "PRESS":
            return self.close(context)
        return {"RUNNING_MODAL"} if dragging else {"PASS_THROUGH"}

    def _picture(self, context: bpy.types.Context) -> PictureInView | None:
        """Where the footage is in the view in which the operator began, wherever the mouse is now."""
        for area in context.screen.areas if context.screen is not None else ():
            if area.type == "VIEW_3D" and any(region == self._region for region in area.regions):
                with context.temp_override(area=area, region=self._region):
                    return find_picture(bpy.context, self._take.image_size)
        return None

    def _points(self, context: bpy.types.Context) -> NDArray[np.float64] | None:
        """(L, 2) px of the present frame's landmarks; None where it has none."""
        scene = scene_in(context)
        try:
            return landmarks_at(scene, self._take, row_of(scene, self._take, scene.frame_current_final))
        except FacecapError:
            return None

    def _find(self, context: bpy.types.Context, picture: PictureInView, at: tuple[float, float]) -> Held | None:
        import numpy as np

        from ....landmarks.grips import find_grip

        points = self._points(context)
        if points is None or not (0 <= at[0] < self._region.width and 0 <= at[1] < self._region.height):
            return None
        in_region = picture.to_region(points)
        kind = settings_in(context).corrections.grip.replace("_", " ")
        grip, picked = find_grip(layout_in(self._take), kind, in_region, np.asarray(at))
        near = np.linalg.norm(in_region[picked] - at) <= _NEAR_PX * system_preferences().ui_scale
        return Held(grip, picked) if near else None

    def _drag(self, picture: PictureInView, at: tuple[float, float]) -> None:
        assert self._held is not None and self._held.begun is not None
        self._held.offset = picture.to_picture(at) - self._held.begun

    def _confirm(self, context: bpy.types.Context) -> None:
        """Keep what was dragged, as one undo step."""
        held, self._held = self._held, None
        if held is not None and held.offset is not None and abs(held.offset).max() > 0:
            bpy.ops.facecap.move_landmarks(  # pyright: ignore[reportAttributeAccessIssue]
                "EXEC_DEFAULT",
                True,
                grip=settings_in(context).corrections.grip,
                landmark=held.picked,
                offset=held.offset.tolist(),
            )
        session.redraw(viewport=True)

    def _see_through(self, scene: bpy.types.Scene, most: float) -> None:
        """Show the head over the footage as solid as the scene wants it, or less."""
        from ...scene.head_over_footage import show_head_over_footage

        check = settings_of(scene).check
        show_head_over_footage(scene, min(check.head_opacity, most), check.wipe)

    def close(self, context: bpy.types.Context) -> OperatorReturn:
        """The head is as solid as before."""
        if getattr(self, "_drawing", None) is not None:
            self._see_through(scene_in(context), 1.0)
        return super().close(context)

    def draw_over(self) -> None:
        context = bpy.context
        points = self._points(context) if context.region == self._region else None
        picture = None if points is None else find_picture(context, self._take.image_size)
        if points is None or picture is None:
            return
        from ....landmarks.grips import drag

        held, moved = self._held, []
        if held is not None and held.offset is not None:
            layout = layout_in(self._take)
            radius = settings_in(context).corrections.radius / 100 * eye_distance(layout, points)
            moved, offsets = drag(points, held.grip, held.picked, held.offset, radius)
            points = points.copy()
            points[moved] += offsets
        at = picture.to_region(points)
        scale = system_preferences().ui_scale
        draw_points(at.tolist(), _POINT, 2.5 * scale)
        if len(moved):
            draw_points(at[moved].tolist(), _MOVED, 4.0 * scale)
        if held is not None:
            draw_points(at[held.grip.landmarks].tolist(), _GRIPPED, 6.0 * scale)


def draw_points(at: Sequence[Sequence[float]], color: tuple[float, float, float, float], size_px: float) -> None:
    """Draw points (x, y), px of the region."""
    import gpu
    from gpu_extras.batch import batch_for_shader

    shader = point_shader()
    gpu.state.blend_set("ALPHA")
    gpu.state.point_size_set(size_px)
    shader.bind()
    shader.uniform_float("color", color)
    batch_for_shader(shader, "POINTS", {"pos": at}).draw(shader)
    gpu.state.point_size_set(1.0)
    gpu.state.blend_set("NONE")


CLASSES = (FACECAP_OT_correct_landmarks,)
