"""One camera against two (Bao et al. figure 13): `python -m benchmarks.two_cameras [--first N] [--frames N]`.

Cycles renders part of the sample performance for the take's own camera and for one that stands to the character's
left. Both are known. The take refined from the first alone and from both is compared with the truth: where the head is
in depth, and how far the face's skin is from its true place.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.deep_energies import Errors, Scene, errors_of, landmark_fit, refine, show, take_scene
from benchmarks.ground_truth import CACHE, observe_clip
from facecap_addon.footage.footage import open_footage
from facecap_addon.geometry.camera import centered_camera
from facecap_addon.jobs.steps.frame_access import FrameAccess
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.refine.settings import DeepSettings
from facecap_addon.refine.shots import Shot
from facecap_addon.refine.views import View

F64 = NDArray[np.float64]


def rendered_pair(first: int, count: int, aside_deg: float) -> tuple[Path, Path, View]:
    """The clips of both cameras, rendered once, and the second camera, so many degrees to the side."""
    from sample_scenes.performance import Performance, perform
    from sample_scenes.render_take import DISTANCE_M, LENS_MM, SAMPLES, SIZE_PX, render
    from sample_scenes.studio import CAMERA_FROM_WORLD, SENSOR_MM, TARGET_M, open_studio

    straight = TARGET_M - np.array([0.0, DISTANCE_M, 0.0])
    angle = np.radians(aside_deg)
    around = np.array([[np.cos(angle), -np.sin(angle), 0.0], [np.sin(angle), np.cos(angle), 0.0], [0.0, 0.0, 1.0]])
    aside = TARGET_M + around @ (straight - TARGET_M)
    turned = CAMERA_FROM_WORLD @ around.T
    from_first = np.eye(4)
    from_first[:3, :3] = turned @ CAMERA_FROM_WORLD.T
    from_first[:3, 3] = turned @ (straight - aside)
    clips = [CACHE / f"pair_{name}_{first}_{count}_{aside_deg:.0f}.mp4" for name in ("front", "side")]
    if not all(clip.is_file() for clip in clips):
        whole = perform()
        rows = slice(first, first + count)
        part = Performance(np.arange(count) / 25.0, whole.weights[rows], whole.turn_rad[rows], whole.shift_m[rows])
        studio = open_studio(SIZE_PX, SAMPLES, lens_mm=LENS_MM, distance_m=DISTANCE_M)
        CACHE.mkdir(parents=True, exist_ok=True)
        for clip, place, yaw in zip(clips, (straight, aside), (0.0, angle), strict=True):
            studio.scene.camera.location = place.tolist()
            studio.scene.camera.rotation_euler = (np.pi / 2, 0.0, yaw)
            render(part, studio, clip)
    camera = centered_camera(SIZE_PX, SIZE_PX, LENS_MM / SENSOR_MM * SIZE_PX)
    return clips[0], clips[1], View(camera, from_first)


def pair_scene(clip: Path, first: int, count: int) -> Scene:
    """The rendered part of the sample take."""
    scene = take_scene()
    rows = slice(first, first + count)
    return replace(
        scene,
        name="pair",
        clip=clip,
        observations=observe_clip(clip),
        weights=scene.weights[rows],
        camera_from_rig=scene.camera_from_rig[rows],
    )


@contextmanager
def side_shot(clip: Path, view: View) -> Iterator[Shot]:
    """The second camera's footage, for a refinement."""
    pictures = FrameAccess(open_footage(clip))
    try:
        yield Shot(view, observe_clip(clip).landmarks_px, pictures, open_landmarker().region_of_landmarks)
    finally:
        pictures.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--first", type=int, default=60)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--angle", type=float, default=40.0, help="degrees between the cameras")
    options = parser.parse_args()
    front, side, view = rendered_pair(options.first, options.frames, options.angle)
    scene = pair_scene(front, options.first, options.frames)
    fit = landmark_fit(scene)
    rows = np.arange(fit.frame_count)
    last = options.first + options.frames - 1
    print(f"frames {options.first} to {last}, second camera {options.angle:.0f}° to the side")
    show("landmark fit", errors_of(scene, fit, rows))
    one = errors_of(scene, refine(scene, fit, DeepSettings()).take, rows)
    show("one camera", one)
    with side_shot(side, view) as further:
        two = errors_of(scene, refine(scene, fit, DeepSettings(), extra=[further]).take, rows)
    show("two cameras", two)
    _ratio(one, two)


def _ratio(one: Errors, two: Errors) -> None:
    depth, fine = one.depth_mm / two.depth_mm, one.fine_mm / two.fine_mm
    print(f"  with two cameras: depth of the head {depth:.1f} times lower, lips and lids {fine:.1f} times")


if __name__ == "__main__":
    main()
