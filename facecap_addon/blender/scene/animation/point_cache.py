"""A take as a point cache on its mesh: a file of every vertex, and the modifier that plays it.

The modifier integrates the cache with what the shape keys do, so that these stay free for corrections on top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from ....arrays import F32
from ....errors import FacecapError
from ....takes.between import find_between_rows, frame_rate
from ....takes.formats.point_cache import PointCache, read_point_cache, write_point_cache
from ....takes.take import Take
from ...present import scene_in, view_layer_in
from ..footage import scene_rate
from ..head.character import rest_axes
from ..objects import keys_of, mesh_of
from .bake import whole_frames

MODIFIER = "FaceCap points"


def bake_points(
    obj: bpy.types.Object, take: Take, path: Path, *, start_frame: float, scene: bpy.types.Scene, solved: Path | None
) -> int:
    """Write a cache with one sample per scene frame and play it on the mesh; its shape keys go to rest.

    Args:
        path: .pc2 or .mdd.  start_frame: scene frame at which the footage starts.
        solved: point cache that a trained solver wrote, in rig space, of the take's times; None: the keys.
    Returns:
        samples written.
    Raises:
        FacecapError: the take has no solved frame, or the cache belongs to another mesh.
    """
    count, rate = len(mesh_of(obj).vertices), scene_rate(scene)
    rows = np.flatnonzero(take.solved)
    span = take.time_s[rows] if len(rows) else take.time_s
    frames = whole_frames(span, scene, start_frame)
    at_s = (frames - start_frame) / rate
    # A face that no key can make lies in the solver's cache, whose samples have times of their own.
    if solved is None:
        samples = find_between_rows(take.time_s, take.solved, at_s).interpolate_meshes(_keyed_vertices(obj, take))
    else:
        cache = read_point_cache(solved)
        time_s = cache.times(frame_rate(take))
        apart = np.abs([time_s[0] - take.time_s[0], time_s[-1] - take.time_s[-1]]).max() * frame_rate(take)
        if cache.positions.shape[1] != count or apart > 1.0:
            raise FacecapError(f"{solved.name} belongs to another mesh or take.", "Solve again.")
        samples = _in_object_space(obj, cache, time_s, at_s)
    written = write_point_cache(path, samples, (frames - frames[0]) / rate, count, fps=rate)
    _play(obj, path, int(frames[0]), take.channels)
    return written


def play_cache(
    obj: bpy.types.Object, points: Path, path: Path, *, fps: float, start_frame: float, scene: bpy.types.Scene
) -> range:
    """Let a mesh play a cache in rig space (metres, the scene's axes): a copy in the object's own space, at the
    scene's rate.

    Args:
        points: the cache; its times count from the start of the footage.  path: .pc2 to write.
        fps: what the cache's frames are counted in, where it has no times.
        start_frame: scene frame at which the footage starts.
    Returns:
        the scene frames that it fills.
    Raises:
        FacecapError: the cache is damaged or belongs to another mesh.
    """
    cache = read_point_cache(points)
    count = len(mesh_of(obj).vertices)
    if cache.positions.shape[1] != count:
        raise FacecapError(
            f"{points.name} has {cache.positions.shape[1]} vertices, “{obj.name}” has {count}.",
            "Retarget onto this mesh again.",
        )
    rate, time_s = scene_rate(scene), cache.times(fps)
    frames = whole_frames(time_s, scene, start_frame)
    samples = _in_object_space(obj, cache, time_s, (frames - start_frame) / rate)
    write_point_cache(path, samples, (frames - frames[0]) / rate, count, fps=rate)
    play_written(obj, path, int(frames[0]))
    return range(int(frames[0]), int(frames[-1]) + 1)


def play_written(obj: bpy.types.Object, path: Path, first: int) -> None:
    """Let a mesh play a cache in its own coordinates; shape keys stay as they are, and act on top."""
    _play(obj, path, first, ())


def _keyed_vertices(obj: bpy.types.Object, take: Take) -> Callable[[int], F32]:
    """(V, 3) object coordinates of a row, as the shape keys give them."""
    keys = keys_of(obj)
    if keys is None:
        raise FacecapError(f"“{obj.name}” has no shape keys.", "Pick the mesh that was solved.")
    names = [name for name in take.channels if name in keys.key_blocks]
    columns = [take.channels.index(name) for name in names]
    rest = _coordinates(keys.reference_key)
    deltas = [_coordinates(keys.key_blocks[name]) - _coordinates(keys.key_blocks[name].relative_key) for name in names]
    flat = np.stack(deltas).reshape(len(names), -1) if names else np.zeros((0, rest.size), np.float32)

    def vertices(row: int) -> F32:
        return rest + (take.weights[row, columns].astype(np.float32) @ flat).reshape(-1, 3)

    return vertices


def _in_object_space(
    obj: bpy.types.Object, cache: PointCache, time_s: NDArray[np.float64], at_s: NDArray[np.float64]
) -> Iterator[F32]:
    """(V, 3) object coordinates at some times, out of a cache in rig space."""
    back = np.linalg.inv(rest_axes(obj)).astype(np.float32).T
    every = np.ones(len(time_s), np.bool_)
    return find_between_rows(time_s, every, at_s).interpolate_meshes(
        lambda row: np.asarray(cache.positions[row], np.float32) @ back
    )


def _coordinates(block: bpy.types.ShapeKey) -> F32:
    out = np.empty(3 * len(block.data), np.float32)
    block.points.foreach_get("co", out)
    return out.reshape(-1, 3)


def _play(obj: bpy.types.Object, path: Path, first: int, channels: tuple[str, ...]) -> None:
    """Put the modifier first, so that what follows sees the moved mesh, and bring the take's keys to rest.

    The action that moved them stays in the file; other keys stay as they are, and act on top.
    """
    modifier = obj.modifiers.get(MODIFIER) or obj.modifiers.new(MODIFIER, "MESH_CACHE")
    if not isinstance(modifier, bpy.types.MeshCacheModifier):
        raise FacecapError(
            f"“{obj.name}” has a modifier called “{MODIFIER}” that is no Mesh Cache.", "Rename it, and try again."
        )
    modifier.cache_format = "PC2" if path.suffix.lower() == ".pc2" else "MDD"
    modifier.filepath = str(path)
    modifier.forward_axis, modifier.up_axis = "POS_Y", "POS_Z"
    modifier.deform_mode, modifier.interpolation = "INTEGRATE", "LINEAR"
    modifier.play_mode, modifier.time_mode = "SCENE", "FRAME"
    modifier.frame_start, modifier.frame_scale = float(first), 1.0
    obj.modifiers.move(obj.modifiers.find(MODIFIER), 0)
    keys = keys_of(obj)
    if keys is not None:
        if keys.animation_data is not None and keys.animation_data.action is not None:
            keys.animation_data.action.use_fake_user = True
            keys.animation_data.action = None
        for block in keys.key_blocks[1:]:
            if block.name in channels:
                block.value = 0.0


def export_mesh(context: bpy.types.Context, obj: bpy.types.Object, path: Path) -> None:
    """Write one mesh over the scene's frames with Blender's exporter for Alembic or USD.

    Raises:
        FacecapError: the ending is neither, or Blender cannot write the file.
    """
    scene, layer = scene_in(context), view_layer_in(context)
    selected = list(context.selected_objects)
    active = layer.objects.active
    try:
        for other in selected:
            other.select_set(False)
        obj.select_set(True)
        layer.objects.active = obj
        if path.suffix.lower() == ".abc":
            bpy.ops.wm.alembic_export(
                filepath=str(path), selected=True, start=scene.frame_start, end=scene.frame_end, as_background_job=False
            )
        elif path.suffix.lower() in (".usd", ".usda", ".usdc"):
            bpy.ops.wm.usd_export(filepath=str(path), selected_objects_only=True, export_animation=True)
        else:
            raise FacecapError(f"{path.name} is neither Alembic nor USD.", "Give it the ending .abc or .usd.")
    except RuntimeError as error:
        raise FacecapError(f"Blender could not write {path.name}.", str(error)) from error
    finally:
        obj.select_set(obj in selected)
        for other in selected:
            other.select_set(True)
        layer.objects.active = active
    if not path.is_file():
        raise FacecapError(f"Blender wrote no {path.name}.", "Choose another folder.")
