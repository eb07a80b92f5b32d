"""Edit Landmarks: drag them over the character's surface to where they belong; the other side follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import bpy
from mathutils import Vector

from ....errors import FacecapError
from ... import session
from ...overlay.landmarks import embedding_path
from ...present import scene_in, settings_in, system_preferences
from ...properties.declare import BoolProperty, FloatVectorProperty, IntProperty, with_properties
from ...scene.objects import mesh_of
from ..base import FacecapOperator, OperatorReturn
from .viewport_tool import ViewportTool, main_region

if TYPE_CHECKING:
    import numpy as np
    from mathutils.bvhtree import BVHTree
    from numpy.typing import NDArray

    from ....rig.blendshapes import BlendshapeRig
    from ....rig.embedding import LandmarkEmbedding

_NEAR_PX = 25.0
_POINT, _HELD = (0.1, 0.85, 1.0, 0.9), (1.0, 0.5, 0.1, 1.0)
_HELP = "Drag: move a landmark over the surface · Enter or Esc: done · right click while dragging: take back"


@dataclass
class Surface:
    """A character's surface as it is shown, with its landmarks.

    Attributes:
        obj: the character.  rig: it, at rest.  embedding: its landmarks, with what was edited.
        vertices: (V, 3) world space, as shown.  tree: of these.
    """

    obj: bpy.types.Object
    rig: BlendshapeRig
    embedding: LandmarkEmbedding
    vertices: NDArray[np.float64]
    tree: BVHTree

    def landmarks(self) -> NDArray[np.float64]:
        """(L, 3) world space."""
        from ....rig.surface import place_points

        return place_points(self.vertices, self.rig.triangles, self.embedding.triangle, self.embedding.barycentric)


def read_surface(context: bpy.types.Context) -> Surface:
    """The surface of the scene's character. Raises FacecapError where its landmarks are not known, or not its own."""
    import numpy as np
    from mathutils.bvhtree import BVHTree

    from ....rig.embedding import edit_embedding, load_embedding
    from ...scene.head.character import extract_rig
    from ...scene.head.edited_landmarks import edits_of

    obj, path = settings_in(context).character, embedding_path(scene_in(context))
    if obj is None or path is None:
        raise FacecapError("The character's landmarks are not known yet.", "Solve once; then they can be edited.")
    rig = extract_rig(obj, bare=True)
    shown = obj.evaluated_get(context.evaluated_depsgraph_get())
    mesh = mesh_of(shown)
    if len(mesh.vertices) != rig.vertex_count:  # a modifier made another surface
        mesh = mesh_of(obj)
    embedding = load_embedding(path)
    if len(mesh.vertices) != rig.vertex_count or embedding.triangle.max(initial=0) >= len(rig.triangles):
        raise FacecapError(
            "The landmarks lie on another mesh than the one that is shown.",
            "Apply a Mirror modifier, or solve again after changing the mesh.",
        )
    flat = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", flat)
    matrix = np.array(shown.matrix_world, np.float64)
    vertices = flat.reshape(-1, 3).astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    tree = BVHTree.FromPolygons(vertices.tolist(), rig.triangles.tolist())
    assert tree is not None
    return Surface(obj, rig, edit_embedding(embedding, edits_of(obj), rig.triangles), vertices, tree)


def place_landmark(surface: Surface, landmark: int, triangle: int, at: NDArray[np.float64], *, mirrored: bool) -> int:
    """Put a landmark on a place of a surface, and its twin on the same place of the other side.

    Args:
        triangle: of the rig.  at: (3,) world space, in it.
        mirrored: whether the twin follows, where the mesh is symmetrical.
    Returns:
        how many landmarks were moved.
    """
    from ....landmarks.layout import layout_of
    from ....rig.landmark_edits import LandmarkEdits, topology_key
    from ....rig.mirrored_place import find_mirrored
    from ....rig.surface import find_nearest_barycentric, place_points
    from ...scene.head.edited_landmarks import edits_of, keep_edits

    rig, embedding = surface.rig, surface.embedding
    layout, key = layout_of(embedding.scheme), topology_key(rig.triangles)
    barycentric = find_nearest_barycentric(at, surface.vertices[rig.triangles[triangle]])
    edits = edits_of(surface.obj)
    if edits is None or (edits.scheme, edits.topology) != (embedding.scheme, key):
        edits = LandmarkEdits(embedding.scheme, topology=key)
    edits, count, twin = edits.with_place(landmark, triangle, barycentric), 1, int(layout.mirror[landmark])
    if mirrored and twin != landmark:
        rest = place_points(rig.neutral, rig.triangles, embedding.triangle, embedding.barycentric)
        other = find_mirrored(rig.neutral, rig.triangles, rest, layout, (triangle, barycentric))
        if other is not None:
            edits, count = edits.with_place(twin, *other), 2
    keep_edits(surface.obj, edits)
    return count


class _LandmarksNeeded(FacecapOperator):
    """Mixin: an operator on a character whose landmarks are known."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if settings_in(context).character is None:
            cls.poll_message_set("No character was chosen")
            return False
        if embedding_path(scene_in(context)) is None:
            cls.poll_message_set("Landmarks appear after the first solve")
            return False
        return True


@with_properties()
class FACECAP_OT_place_landmark(_LandmarksNeeded, bpy.types.Operator):
    bl_idname = "facecap.place_landmark"
    bl_label = "Place Landmark"
    bl_description = "Put a landmark on the nearest place of the character's surface; Edit Landmarks does it by hand"
    bl_options = {"UNDO", "INTERNAL"}

    landmark: int = IntProperty(name="Landmark", description="Number of the landmark", min=0)
    location: tuple[float, float, float] = FloatVectorProperty(
        name="Location", description="Where it belongs, in the world", size=3, subtype="TRANSLATION"
    )
    mirrored: bool = BoolProperty(
        name="Mirrored", description="Move its twin on the other side, too, where the mesh is symmetrical", default=True
    )

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        import numpy as np

        surface = read_surface(context)
        if self.landmark >= len(surface.embedding.triangle):
            raise FacecapError(f"There is no landmark {self.landmark}.", "Choose another one.")
        place, _, triangle, _ = surface.tree.find_nearest(Vector(self.location))
        if place is None or triangle is None:
            raise FacecapError("There is no surface.", "Choose a place on the character.")
        count = place_landmark(surface, self.landmark, triangle, np.array(place, np.float64), mirrored=self.mirrored)
        moved = "Landmark and its twin" if count == 2 else "Landmark"
        session.outcome = session.Outcome(True, [f"{moved} moved: the next solve uses it"])
        session.redraw(viewport=True)
        return {"FINISHED"}


class FACECAP_OT_reset_landmarks(FacecapOperator, bpy.types.Operator):
    bl_idname = "facecap.reset_landmarks"
    bl_label = "Reset Landmarks"
    bl_description = "Put all landmarks back to where they were found"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        from ...scene.head.edited_landmarks import is_edited

        character = settings_in(context).character
        if character is None or not is_edited(character):
            cls.poll_message_set("No landmark was moved")
            return False
        return True

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        from ...scene.head.edited_landmarks import forget_edits

        character = settings_in(context).character
        assert character is not None
        forget_edits(character)
        session.redraw(viewport=True)
        return {"FINISHED"}


class FACECAP_OT_edit_landmarks(ViewportTool, _LandmarksNeeded, bpy.types.Operator):
    bl_idname = "facecap.edit_landmarks"
    bl_label = "Edit Landmarks"
    bl_description = "Drag landmarks over the character's surface to where they belong; the next solve uses them"
    help = _HELP

    if TYPE_CHECKING:  # Blender takes annotations for properties
        _surface: Surface
        _area: bpy.types.Area
        _held: int | None
        _place: tuple[int, NDArray[np.float64]] | None
        _dragging: bool

    def run(self, context: bpy.types.Context) -> OperatorReturn:
        raise FacecapError("Landmarks are edited in a 3D view.", "From scripts use facecap.place_landmark.")

    def begin(self, context: bpy.types.Context) -> OperatorReturn:
        region, area = main_region(context), context.area
        assert area is not None
        self._surface, self._area, self._region = read_surface(context), area, region
        self._held, self._place, self._dragging = None, None, False
        return self.open_over(context)

    def handle(self, context: bpy.types.Context, event: bpy.types.Event) -> OperatorReturn:
        if settings_in(context).character is None:
            return self.close(context)
        at = (float(event.mouse_x - self._region.x), float(event.mouse_y - self._region.y))
        inside = 0 <= at[0] < self._region.width and 0 <= at[1] < self._region.height
        if event.type == "MOUSEMOVE":
            if self._dragging:
                self._place = self._hit(at) or self._place
            else:
                self._held = self._find(at) if inside else None
            session.redraw(viewport=True)
            return {"RUNNING_MODAL"} if self._dragging else {"PASS_THROUGH"}
        if event.type == "LEFTMOUSE" and event.value == "PRESS" and inside and not self._dragging:
            self._surface = read_surface(context)  # the frame may be another, or something was undone
            self._held, self._place = self._find(at), None
            self._dragging = self._held is not None
            return {"RUNNING_MODAL"} if self._dragging else {"PASS_THROUGH"}
        if event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._dragging:
            self._confirm(context)
            return {"RUNNING_MODAL"}
        if event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS" and self._dragging:
            self._dragging, self._place = False, None
            session.redraw(viewport=True)
            return {"RUNNING_MODAL"}
        if event.type in ("ESC", "RET", "NUMPAD_ENTER") and event.value == "PRESS":
            return self.close(context)
        return {"RUNNING_MODAL"} if self._dragging else {"PASS_THROUGH"}

    def _confirm(self, context: bpy.types.Context) -> None:
        """Keep where the landmark was dragged, as one undo step."""
        held, place = self._held, self._place
        self._dragging, self._place = False, None
        if held is not None and place is not None:
            bpy.ops.facecap.place_landmark(  # pyright: ignore[reportAttributeAccessIssue]
                "EXEC_DEFAULT", True, landmark=held, location=place[1].tolist()
            )
            self._surface = read_surface(context)
        session.redraw(viewport=True)

    def _find(self, at: tuple[float, float]) -> int | None:
        """The landmark that is seen nearest to a place in the region."""
        from bpy_extras.view3d_utils import location_3d_to_region_2d, region_2d_to_origin_3d

        view = self._view()
        if view is None:
            return None
        near, found = _NEAR_PX * system_preferences().ui_scale, None
        for landmark, place in enumerate(self._surface.landmarks().tolist()):
            seen = location_3d_to_region_2d(self._region, view, Vector(place))
            away = near if seen is None else (seen - Vector(at)).length
            if seen is None or away >= near:
                continue
            if self._is_seen(Vector(place), region_2d_to_origin_3d(self._region, view, (seen.x, seen.y))):
                near, found = away, landmark
        return found

    def _is_seen(self, place: Vector, origin: Vector) -> bool:
        way = place - origin
        hit, _, _, distance = self._surface.tree.ray_cast(origin, way.normalized())
        return hit is None or distance is None or distance > 0.98 * way.length

    def _hit(self, at: tuple[float, float]) -> tuple[int, NDArray[np.float64]] | None:
        """Triangle and place (3,) of the surface under a place in the region."""
        import numpy as np
        from bpy_extras.view3d_utils import region_2d_to_origin_3d, region_2d_to_vector_3d

        view = self._view()
        if view is None:
            return None
        origin = region_2d_to_origin_3d(self._region, view, at)
        hit, _, triangle, _ = self._surface.tree.ray_cast(origin, region_2d_to_vector_3d(self._region, view, at))
        return None if hit is None or triangle is None else (triangle, np.array(hit, np.float64))

    def _view(self) -> bpy.types.RegionView3D | None:
        space = self._area.spaces.active
        return space.region_3d if isinstance(space, bpy.types.SpaceView3D) else None

    def draw_over(self) -> None:
        if bpy.context.region != self._region:
            return
        from bpy_extras.view3d_utils import location_3d_to_region_2d

        from .correct_in_view import draw_points

        view, scale = self._view(), system_preferences().ui_scale
        if view is None:
            return
        places = self._surface.landmarks()
        if self._held is not None and self._place is not None:
            places[self._held] = self._place[1]
        seen = [location_3d_to_region_2d(self._region, view, Vector(place)) for place in places.tolist()]
        draw_points([(at.x, at.y) for at in seen if at is not None], _POINT, 3.0 * scale)
        held = None if self._held is None else seen[self._held]
        if held is not None:
            draw_points([(held.x, held.y)], _HELD, 9.0 * scale)


CLASSES = (FACECAP_OT_place_landmark, FACECAP_OT_reset_landmarks, FACECAP_OT_edit_landmarks)
