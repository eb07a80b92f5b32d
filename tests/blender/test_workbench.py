"""Our rasteriser against Blender's own Workbench: the same camera sees the same head."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import bpy
import numpy as np
import pytest

from facecap_addon.blender.scene.cameras import camera_from_world, pinhole_of
from facecap_addon.blender.scene.head.character import extract_rig
from tests.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
SIZE = (200, 160)


def workbench(blend: Path, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) depth, m, and (H, W) whether there is anything; the test is skipped where Workbench cannot run."""
    if bpy.app.version >= (5, 0, 0):
        pytest.skip("Blender 5 has another compositor")
    script = Path(__file__).with_name("workbench_picture.py")
    command = [sys.executable, str(script), str(blend), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    paths = [next(folder.glob(f"{name}*.exr"), None) for name in ("depth", "alpha")]
    if paths[0] is None or paths[1] is None:
        pytest.skip(f"Workbench cannot render here: {done.stderr[-200:]}")
    cv2 = pytest.importorskip("cv2")
    depth, alpha = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., 0] for path in paths)
    return depth, alpha > 0.5


def test_depth_and_mask_are_workbenchs(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from facecap_addon.render.camera import intrinsics_of, project
    from facecap_addon.render.fragments import barycentrics, interpolate, rasterise

    os.environ["OPENCV_IO_ENABLE_OPENEXR"] = "1"
    bpy.ops.wm.open_mainfile(filepath=str(ROOT / "sample_scenes" / "head.blend"))
    scene = bpy.context.scene
    head = next(o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys)
    head.data.shape_keys.key_blocks["jawOpen"].value = 0.7
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (0.1, -0.7, 0.05), (1.5, 0.05, 0.12)
    camera.data.lens, camera.data.shift_x, camera.data.shift_y = 60.0, 0.07, -0.05
    camera.data.sensor_fit, camera.data.sensor_height = "VERTICAL", 22.0
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.resolution_x, scene.render.resolution_y = SIZE
    scene.render.resolution_percentage = 100
    scene.render.pixel_aspect_y = 1.2
    bpy.context.view_layer.update()
    blend = tmp_path / "scene.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), copy=True)
    rig = extract_rig(head)
    weights = np.zeros(len(rig.channels), np.float32)
    weights[rig.channels.index("jawOpen")] = 0.7
    matrix = camera_from_world(camera)
    placed = np.array(head.matrix_world.translation)
    points = (rig.vertices_at(weights) + placed) @ matrix[:3, :3].T + matrix[:3, 3]
    points = torch.from_numpy(points[None].astype(np.float32))
    places, depth = project(points, intrinsics_of(pinhole_of(camera, scene, SIZE)))
    fragments = rasterise(places, depth, torch.from_numpy(rig.triangles), SIZE[1], SIZE[0])
    ours = np.full(SIZE[0] * SIZE[1], np.nan, np.float32)
    ours[fragments.pixel.numpy()] = interpolate(depth[..., None], barycentrics(places, depth, fragments), fragments)[
        :, 0
    ].numpy()
    ours = ours.reshape(SIZE[1], SIZE[0])
    theirs, there = workbench(blend, tmp_path)
    here = np.isfinite(ours)
    assert 0.2 < here.mean() < 0.8
    assert (here != there).mean() < 0.002  # a pixel of the outline may fall to either side
    both = here & there
    away = np.abs(ours - theirs)[both] * 1000
    assert np.median(away) < 0.02
    assert np.quantile(away, 0.98) < 0.5
