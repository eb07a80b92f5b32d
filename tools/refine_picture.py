"""The before-and-after picture of docs/refine.md: `python -m tools.refine_picture`.

Frames of the sample take: the footage, the landmark fit's render, the refined one's, and where each differs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.deep_energies import landmark_fit, refine, take_scene
from facecap_addon.footage.footage import open_footage
from facecap_addon.geometry.camera import centered_camera
from facecap_addon.jobs.steps.frame_access import FrameAccess
from facecap_addon.landmarks.regions import Region, crop, image_from_crop
from facecap_addon.refine.energies.appearance import estimate_appearance, observe_surface
from facecap_addon.refine.render_mesh import build_render_mesh
from facecap_addon.refine.settings import DeepSettings
from facecap_addon.refine.state import camera_points
from facecap_addon.refine.take_state import state_of
from facecap_addon.refine.views import first_view, project_to_crop
from facecap_addon.render.ambient_occlusion import measure_ambient_occlusion
from facecap_addon.render.renderer import background_of, render
from facecap_addon.render.shading import vertex_normals

OUT = Path(__file__).resolve().parent.parent / "docs" / "images" / "refine-before-after.jpg"
ROWS = (62, 68, 74, 80)
SIDE = 260


def main() -> None:
    import torch

    scene = take_scene()
    fit = landmark_fit(scene)
    refined = refine(scene, fit, DeepSettings(), (58, 84)).take
    mesh = build_render_mesh(scene.rig, scene.embedding)
    view = first_view(centered_camera(*fit.image_size, scene.focal_px))
    pictures = FrameAccess(open_footage(scene.clip))
    columns: list[NDArray[np.float32]] = []
    sightings = [observe_surface(mesh, state_of(refined, mesh).part(np.array([r])), view, pictures(r)) for r in ROWS]
    look = estimate_appearance(mesh, sightings, own_colors=True)
    for row in ROWS:
        lips = scene.observations.landmarks_px[row][[61, 291, 0, 17]]
        middle = lips.mean(0)
        region = Region((float(middle[0]), float(middle[1])), float(np.ptp(lips[:, 0])) * 2.0, 0.0)
        plate = crop(pictures(row), region, SIDE).astype(np.float32) / 255
        shown = [plate]
        for take in (fit, refined):
            points = camera_points(mesh, state_of(take, mesh).part(np.array([row])))
            matrix = image_from_crop(region, 2 * SIDE)[None]
            placed, places, depth = project_to_crop(points, view, matrix)
            normals = vertex_normals(points, mesh.topology.triangles)
            occlusion = measure_ambient_occlusion(points[0], normals[0], mesh.topology.triangles)[None]
            background = background_of(torch.from_numpy(plate[None]))
            lit = replace(look, occlusion=occlusion)
            drawn = render(placed, places, depth, mesh.topology, lit, background, (SIDE, SIDE), 2)[0].numpy()
            shown += [drawn, np.clip(0.5 + 1.5 * (drawn - plate), 0, 1)]
        columns.append(np.concatenate(shown, axis=0))
    sheet = (np.concatenate(columns, axis=1) * 255).astype(np.uint8)
    for i, text in enumerate(("footage", "landmark fit", "difference", "refined", "difference")):
        place = (8, i * SIDE + 22)
        cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_DUPLEX, 0.6, (20, 20, 20), 3, cv2.LINE_AA)
        cv2.putText(sheet, text, place, cv2.FONT_HERSHEY_DUPLEX, 0.6, (255, 255, 255), 1, cv2.LINE_AA)
    cv2.imwrite(str(OUT), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
