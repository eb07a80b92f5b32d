"""Pictures of docs/refine.md: `python -m tools.refine_pictures [faces] [gap] [depth] [--refined TAKE]`.

faces  lips and lids: the footage, the landmark fit, the refined take, and where each differs
gap    frames between refined ones: the footage, interpolation, optical flow, and where each differs
depth  where the head is along the line of sight, by one camera and by two, against the truth
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.deep_energies import Scene, landmark_fit, place_of_head, refine, take_scene
from benchmarks.infill import appearance_of, locate_points, true_state
from benchmarks.two_cameras import pair_scene, rendered_pair, side_shot
from facecap_addon.fit.energies.expression_prior import load_prior
from facecap_addon.fit.energies.weight_priors import channel_priors
from facecap_addon.footage.footage import open_footage
from facecap_addon.geometry.camera import centered_camera
from facecap_addon.jobs.steps.frame_access import FrameAccess
from facecap_addon.landmarks.regions import Region, crop, image_from_crop
from facecap_addon.refine.flow.infill import infill, interpolate_gap
from facecap_addon.refine.flow.optical_flow import DisFlow, FootageFlow
from facecap_addon.refine.flow.rendered_flow import RenderedFlow
from facecap_addon.refine.flow.surface_points import ViewedPoints, sample_surface_points
from facecap_addon.refine.render_mesh import RenderMesh, build_render_mesh
from facecap_addon.refine.settings import DeepSettings
from facecap_addon.refine.state import DeepState, camera_points
from facecap_addon.refine.take_state import state_of
from facecap_addon.refine.views import View, first_view, project_to_crop
from facecap_addon.render.ambient_occlusion import measure_ambient_occlusion
from facecap_addon.render.renderer import Appearance, background_of, render
from facecap_addon.render.shading import vertex_normals
from facecap_addon.reports.svg_plots import draw_line_path, nice_ticks, x_positions
from facecap_addon.takes.npz import load_take
from facecap_addon.takes.take import Take

F32 = NDArray[np.float32]
IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
FIRST, LAST = 62, 77
LIPS, LIDS = (61, 291, 0, 17), (33, 133, 159, 145)
GAP_FRAMES = 6


@dataclass(frozen=True)
class Stage:
    """What is drawn, by which camera, in which light, beside which footage."""

    mesh: RenderMesh
    view: View
    look: Appearance
    pictures: FrameAccess
    landmarks_px: NDArray[np.float32]

    def column(self, row: int, states: list[DeepState], around: tuple[int, ...], side: int) -> F32:
        """The footage, and under it each state (of one frame) and its difference, about some landmarks."""
        places = self.landmarks_px[row][list(around)]
        middle = places.mean(0)
        region = Region((float(middle[0]), float(middle[1])), float(np.ptp(places[:, 0])) * 2.0, 0.0)
        plate = crop(self.pictures(row), region, side).astype(np.float32) / 255
        shown = [plate]
        for state in states:
            drawn = self._draw(state, region, plate, side)
            shown += [drawn, np.clip(0.5 + 1.5 * (drawn - plate), 0, 1)]
        return np.concatenate(shown, axis=0)

    def _draw(self, state: DeepState, region: Region, plate: F32, side: int) -> F32:
        points, triangles = camera_points(self.mesh, state), self.mesh.topology.triangles
        matrix = image_from_crop(region, 2 * side)[None]
        placed, places, depth = project_to_crop(points, self.view, matrix)
        folds = measure_ambient_occlusion(points[0], vertex_normals(points, triangles)[0], triangles)[None]
        lit, background = replace(self.look, occlusion=folds), background_of(torch.from_numpy(plate[None]))
        with torch.no_grad():  # compiled, where nobody wants derivatives
            return render(placed, places, depth, self.mesh.topology, lit, background, (side, side), 2)[0].numpy()


def open_stage(scene: Scene, take: Take) -> Stage:
    """The sample take's own camera, skin and light."""
    mesh = build_render_mesh(scene.rig, scene.embedding)
    view = first_view(centered_camera(*take.image_size, scene.focal_px))
    pictures = FrameAccess(open_footage(scene.clip))
    look = appearance_of(
        mesh, state_of(take, mesh).part(slice(FIRST, LAST + 1)), view, lambda row: pictures(FIRST + row)
    )
    return Stage(mesh, view, look, pictures, scene.observations.landmarks_px)


def write_sheet(path: Path, columns: list[F32], side: int, names: tuple[str, ...]) -> None:
    """Columns side by side, the rows named."""
    sheet = (np.concatenate(columns, axis=1) * 255).astype(np.uint8)
    for i, text in enumerate(names):
        for colour, width in (((20, 20, 20), 3), ((255, 255, 255), 1)):
            cv2.putText(sheet, text, (6, i * side + 18), cv2.FONT_HERSHEY_DUPLEX, 0.5, colour, width, cv2.LINE_AA)
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 86])


def picture_faces(stage: Stage, fit: Take, refined: Take) -> None:
    """Lips in frames that speak, and the right eye's lids through a blink."""
    fitted, better = (state_of(take, stage.mesh) for take in (fit, refined))
    blink = fit.weights[FIRST : LAST + 1, fit.channels.index("eyeBlinkRight")]
    shut = FIRST + int(np.argmax(blink))
    chosen = [(row, LIPS) for row in (62, 67, 72, 77)]
    chosen += [(row, LIDS) for row in sorted({max(shut - 3, FIRST), shut, min(shut + 3, LAST)})]
    one = [(row, around, [of.part(np.array([row])) for of in (fitted, better)]) for row, around in chosen]
    columns = [stage.column(row, states, around, 190) for row, around, states in one]
    names = ("footage", "landmark fit", "difference", "refined", "difference")
    write_sheet(IMAGES / "refine-before-after.jpg", columns, 190, names)


def picture_gap(stage: Stage, scene: Scene, refined: Take) -> None:
    """The gap within the range in which interpolation goes furthest wrong."""
    mesh, points = stage.mesh, sample_surface_points(stage.mesh)
    viewed, state, true = ViewedPoints(mesh, points, stage.view), state_of(refined, mesh), true_state(scene, mesh)
    places, time_s = locate_points(mesh, points, true), refined.time_s

    def missed(first: int) -> float:
        between = interpolate_gap(true, first - 1, first + GAP_FRAMES, time_s)
        return float(((locate_points(mesh, points, between) - places[first : first + GAP_FRAMES]) ** 2).mean())

    first = max(range(FIRST + 2, LAST - GAP_FRAMES - 1), key=missed)
    after = first + GAP_FRAMES
    priors = channel_priors(scene.rig.channels, load_prior(), 1.0, 1.0)
    line = interpolate_gap(state, first - 1, after, time_s)
    flown = infill(
        *(viewed, FootageFlow(DisFlow(), stage.pictures), state, (first, after - 1), time_s),
        *(priors.precision, priors.smooth),
        renders=RenderedFlow(DisFlow(), viewed, stage.look),
    )
    columns = []
    for row in range(first - 1, after + 1):
        inside = first <= row < after
        one = np.array([row - first if inside else row])
        states = [(of if inside else state).part(one) for of in (line, flown)]
        columns.append(stage.column(row, states, LIPS, 160))
    names = ("footage", "interpolation", "difference", "optical flow", "difference")
    write_sheet(IMAGES / "refine-gap.jpg", columns, 160, names)
    print(f"gap: frames {first} to {after - 1}")


def picture_depth(first: int = 60, count: int = 12) -> None:
    """Errors of the head's depth over time: landmark fit, refined by one camera, refined by two."""
    front, side, view = rendered_pair(first, count, 40.0)
    scene = pair_scene(front, first, count)
    fit = landmark_fit(scene)
    one = refine(scene, fit, DeepSettings()).take
    with side_shot(side, view) as further:
        two = refine(scene, fit, DeepSettings(), extra=[further]).take
    rows = np.arange(count)
    lines = {"landmark fit": fit, "refined, one camera": one, "refined, two cameras 40° apart": two}
    away = {name: place_of_head(scene, take, rows)[0][:, 2] for name, take in lines.items()}
    for name, values in away.items():
        print(f"{name}: {np.sqrt((values**2).mean()):.2f} mm off in depth")
    (IMAGES / "refine-depth.svg").write_text(draw_depths(away, fit.time_s), encoding="utf-8")


def draw_depths(away: dict[str, NDArray[np.float64]], time_s: NDArray[np.float64]) -> str:
    """An SVG of errors (F,) mm over time."""
    width, height, left = 560, 220, 60
    low, high = min(0.0, *(v.min() for v in away.values())), max(0.0, *(v.max() for v in away.values()))
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    x = x_positions(time_s, width)

    def level(mm: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return (high - np.asarray(mm)) / (high - low) * height

    parts = [
        f'<path class="grid" d="M0 {float(level(tick)):.1f}h{width}"/>'
        f'<text x="-8" y="{float(level(tick)) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        for tick in nice_ticks(low, high)
    ]
    for number, ((name, values), colour) in enumerate(zip(away.items(), ("#888", "#d2521e", "#2864c8"), strict=True)):
        parts.append(f'<path style="stroke:{colour}" d="{draw_line_path(x, level(values), width)}"/>')
        parts.append(f'<text x="{number * 190}" y="{height + 24}" style="fill:{colour}">{name}</text>')
    parts.append('<text x="0" y="-10">the head is so many mm too far from the camera, or too near</text>')
    style = "text{font:13px sans-serif;fill:#333}path{fill:none;stroke-width:2}.grid{stroke:#ddd;stroke-width:1}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + left + 30} {height + 70}">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>'
        f'<g transform="translate({left} 30)">{"".join(parts)}</g></svg>\n'
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("which", nargs="*", choices=("faces", "gap", "depth", []), help="if not given: all")
    parser.add_argument("--refined", type=Path, help="a refined take of these frames; if not given: refined now")
    options = parser.parse_args()
    which = options.which or ["faces", "gap", "depth"]
    if "faces" in which or "gap" in which:
        scene = take_scene()
        fit = landmark_fit(scene)
        kept = options.refined
        refined = load_take(kept) if kept is not None else refine(scene, fit, DeepSettings(), (FIRST, LAST)).take
        stage = open_stage(scene, refined)
        if "faces" in which:
            picture_faces(stage, fit, refined)
        if "gap" in which:
            picture_gap(stage, scene, refined)
    if "depth" in which:
        picture_depth()


if __name__ == "__main__":
    main()
