"""The stage around a solved character: the camera that filmed, light, the footage beside the head, a view of both."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ...takes.merge import reference_pose
from ...takes.take import Take
from .animation.bake import head_from_rig
from .animation.head_pose import camera_from_rig, world_from_camera
from .editors import open_editors
from .footage import load_clip, set_backdrop
from .head.character import metres_per_unit
from .head.rest import rest_matrix
from .objects import camera_of, mesh_of
from .placing import around, way_to_a_free_place

CAMERA, KEY_LIGHT, FILL_LIGHT, PLATE = "FaceCap camera", "FaceCap key light", "FaceCap fill light", "FaceCap footage"
_SENSOR_MM = 36.0
_LONE_HEAD_M = 0.3  # how tall a head is taken to be where there is none


def add_camera(
    scene: bpy.types.Scene,
    obj: bpy.types.Object,
    take: Take,
    footage: Path | None,
    start_frame: int,
    *,
    set_render: bool = True,
) -> bpy.types.Object:
    """The camera of the solve, at the place from which it filmed the resting head, with the footage as backdrop.

    Made once; called again, it is moved to the new take. With `set_render` it becomes the scene's camera and the scene
    gets the footage's picture size.
    """
    camera = _object(scene, CAMERA, lambda: bpy.data.cameras.new(CAMERA))
    width, height = take.image_size
    lens = camera_of(camera)
    # The picture's longer side is the sensor's, whatever the scene renders: else head and footage would not meet.
    lens.sensor_fit = "HORIZONTAL" if width >= height else "VERTICAL"
    lens.sensor_width = lens.sensor_height = _SENSOR_MM
    lens.lens = max(1.0, take.focal_px / max(width, height) * _SENSOR_MM)
    away = float(np.median(take.head_translation_m[take.solved][:, 2])) / metres_per_unit()
    _clip(lens, away)
    lens.display_size = 0.02 * away
    rests = reference_pose(take)[None]
    poses = camera_from_rig(rests[:, :4], rests[:, 4:], head_from_rig(take))
    camera.matrix_world = world_from_camera(obj, poses[0])
    if set_render:
        scene.camera = camera
        scene.render.resolution_x, scene.render.resolution_y = width, height
        scene.render.resolution_percentage = 100
    if footage is not None:
        of_frame = frame_aspect(scene)
        covers = width / height < of_frame if width >= height else width / height > of_frame
        set_backdrop(camera, load_clip(footage, start_frame=start_frame), covers=covers)
    return camera


def solve_camera(scene: bpy.types.Scene) -> bpy.types.Object | None:
    """The camera of the scene's solve, if it is there."""
    camera = scene.objects.get(CAMERA)
    return camera if camera is not None and isinstance(camera.data, bpy.types.Camera) else None


def picture_corners(scene: bpy.types.Scene, camera: bpy.types.Object, size_px: tuple[int, int]) -> list[Vector]:
    """Lower left, lower right and upper left corner of the footage's picture, in the camera's own space.

    Args:
        size_px: (width, height) of the footage; its longer side is the camera's sensor.
    """
    low, high = around(camera_of(camera).view_frame(scene=scene))
    middle, depth = (low + high) / 2, high.z
    half_width, half_height = (high.x - low.x) / 2, (high.y - low.y) / 2
    wide, tall = size_px
    if camera_of(camera).sensor_fit == "VERTICAL":
        half_width = half_height * wide / tall
    else:
        half_height = half_width * tall / wide
    return [
        Vector((middle.x + x * half_width, middle.y + y * half_height, depth)) for x, y in ((-1, -1), (1, -1), (-1, 1))
    ]


def frame_aspect(scene: bpy.types.Scene) -> float:
    """Width of the scene's rendered picture over its height."""
    render = scene.render
    return render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)


def add_lights(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    """A key and a fill light in front of the head, where the scene has no light yet."""
    if any(other.type == "LIGHT" for other in scene.objects):
        return
    low, high = _bounds(obj)
    center, size = (low + high) / 2, (high - low).length
    for name, side, strength in ((KEY_LIGHT, -0.8, 1.0), (FILL_LIGHT, 1.2, 0.35)):
        light = _object(scene, name, lambda name=name: bpy.data.lights.new(name, "AREA"))
        if not isinstance(light.data, bpy.types.AreaLight):
            continue  # something else of that name
        place = center + Vector((side, -1.6, 0.8)) * size
        metres = size * metres_per_unit()
        light.data.energy = 60.0 * strength * (metres / 0.4) ** 2
        light.data.size = size
        light.matrix_world = Matrix.Translation(place) @ (center - place).to_track_quat("-Z", "Y").to_matrix().to_4x4()
        light.hide_set(True, view_layer=scene.view_layers[0])  # lights the render; its outline would cross the view


def add_plate(
    scene: bpy.types.Scene,
    obj: bpy.types.Object | None,
    footage: Path,
    size_px: tuple[int, int],
    start_frame: int,
    *,
    take: Take | None = None,
) -> bpy.types.Object | None:
    """The footage, playing, on a plate beside the head, with the face about as tall as the head.

    Made once; called again, it shows the other footage. None where Blender cannot show it: keys do not depend on it.

    Args:
        obj: the character; without one the plate stands alone.  footage: a video that Blender shows rightly.
        size_px: (width, height) of its upright picture.  take: its solve, if there is one; tells the face's size.
    """
    try:
        image = bpy.data.images.load(str(footage), check_existing=True)
    except RuntimeError:
        return None
    plate = _object(scene, PLATE, lambda: None)
    plate.empty_display_type = "IMAGE"
    plate.data = image  # pyright: ignore[reportAttributeAccessIssue]  the stub knows no pictures of empties
    user = plate.image_user
    user.frame_start, user.frame_offset = start_frame, 0
    user.frame_duration = max(1, int(image.frame_duration))
    user.use_auto_refresh = True
    half = _LONE_HEAD_M / 2 / metres_per_unit()
    low, high = (Vector((-half, -half, 0)), Vector((half, half, 2 * half))) if obj is None else _bounds(obj)
    head_height = high.z - low.z
    width, height = size_px
    plate_height = 1.3 * head_height
    if take is not None and take.solved.any():
        distance = float(np.median(take.head_translation_m[take.solved][:, 2])) / metres_per_unit()
        plate_height = min(max(distance * height / take.focal_px, head_height), plate_height)
    plate.empty_display_size = plate_height * max(width, height) / height
    plate_width = plate_height * width / height
    place = Vector((low.x - 0.55 * plate_width - 0.1 * head_height, (low.y + high.y) / 2, (low.z + high.z) / 2))
    half = Vector((plate_width / 2, 0.01 * plate_width, plate_height / 2))
    place.x += way_to_a_free_place(scene, place - half, place + half, side=-1)
    plate.matrix_world = Matrix.Translation(place) @ Matrix.Rotation(math.radians(90), 4, "X")
    return plate


def frame_views(scene: bpy.types.Scene, obj: bpy.types.Object) -> None:
    """Turn every 3D view of the file to the head (and the plate beside it), from the front, lit and in colour."""
    low, high = _bounds(obj)
    plate = scene.objects.get(PLATE)
    if plate is not None:
        half = plate.empty_display_size * 0.5
        low = Vector((plate.matrix_world.translation.x - half, low.y, low.z))
    center, extent = (low + high) / 2, max(high.x - low.x, high.z - low.z)
    for space in open_editors(bpy.types.SpaceView3D):
        _clip(space, extent)
        space.shading.type = "SOLID"
        space.shading.color_type = "VERTEX" if len(mesh_of(obj).color_attributes) else "MATERIAL"
        overlay, view = space.overlay, space.region_3d
        overlay.show_floor = overlay.show_axis_x = overlay.show_axis_y = overlay.show_cursor = False
        if view is None:
            continue
        view.view_perspective = "ORTHO"  # beside the plate a perspective view would show the head from the side
        view.view_rotation = Matrix.Rotation(math.radians(90), 3, "X").to_quaternion()
        view.view_location = center
        view.view_distance = 1.35 * extent


def _clip(shows: bpy.types.Camera | bpy.types.SpaceView3D, away: float) -> None:
    """Let a camera or view show what is some distance away, be it a doll's head or a giant's."""
    shows.clip_start = min(0.01 / metres_per_unit(), 0.02 * away)
    shows.clip_end = max(shows.clip_end, 20.0 * away)


def _bounds(obj: bpy.types.Object) -> tuple[Vector, Vector]:
    """The resting character's bounding box in the world."""
    rest = rest_matrix(obj)
    return around(rest @ Vector(corner) for corner in obj.bound_box)


def _object(scene: bpy.types.Scene, name: str, make_data) -> bpy.types.Object:
    """The scene's object of that name, made if it is not there."""
    found = scene.objects.get(name)
    if found is None:
        found = bpy.data.objects.new(name, make_data())
        scene.collection.objects.link(found)
    return found
