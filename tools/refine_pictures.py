"""Pictures of docs/refine.md: `python -m tools.refine_pictures [faces] [gap] [time] [again] [depth] [--takes FOLDER]`.

faces  lips and lids: the footage, the landmark fit, the refined take, and where each differs
gap    frames between refined ones: the footage, interpolation, optical flow, and where each differs
time   single frames and four ways to make them consistent: where each differs, and the head's errors over time
again  single frames, made consistent, and the expression estimated once more
depth  where the head is along the line of sight, by one camera and by two, against the truth

Refined takes are made now where the folder does not hold them: `benchmarks.deep_energies --only take --first 62
--frames 16 --methods default "without time" "not again" --save FOLDER` does.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.deep_energies import (
    METHODS,
    NothingKept,
    Scene,
    errors_of,
    landmark_fit,
    place_of_head,
    refine,
    saved_as,
    show,
    take_scene,
)
from benchmarks.infill import appearance_of, locate_points, true_state
from benchmarks.two_cameras import pair_scene, rendered_pair, side_shot
from facecap_addon.fit.energies.expression_prior import load_prior
from facecap_addon.fit.energies.weight_priors import channel_priors
from facecap_addon.footage.footage import open_footage
from facecap_addon.geometry.camera import centered_camera
from facecap_addon.jobs.steps.frame_access import FrameAccess
from facecap_addon.landmarks.regions import Region, crop, image_from_crop
from facecap_addon.refine.flow.face_motion import measure_face_motion
from facecap_addon.refine.flow.infill import infill, interpolate_gap
from facecap_addon.refine.flow.optical_flow import DisFlow, FootageFlow
from facecap_addon.refine.flow.rendered_flow import RenderedFlow
from facecap_addon.refine.flow.surface_points import ViewedPoints, sample_surface_points
from facecap_addon.refine.flow.temporal import refine_in_time
from facecap_addon.refine.render_mesh import RenderMesh, build_render_mesh
from facecap_addon.refine.settings import DeepSettings
from facecap_addon.refine.state import DeepState, camera_points
from facecap_addon.refine.take_state import state_of, with_state
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
WAYS_IN_TIME = ("averaging", "self flow", "plate flow", "hybrid")
COLOURS = ("#888", "#d2521e", "#2864c8", "#3c8c3c", "#8a4bb0")


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
        region, plate = self.close_up(row, around, side)
        shown = [plate]
        for state in states:
            drawn = self._draw(state, region, plate, side)
            shown += [drawn, show_difference(drawn, plate)]
        return np.concatenate(shown, axis=0)

    def differences(self, row: int, states: list[DeepState], around: tuple[int, ...], side: int) -> F32:
        """The footage, and under it the difference of each state, which shows more of little than the render does."""
        region, plate = self.close_up(row, around, side)
        shown = [show_difference(self._draw(state, region, plate, side), plate) for state in states]
        return np.concatenate([plate, *shown], axis=0)

    def close_up(self, row: int, around: tuple[int, ...], side: int) -> tuple[Region, F32]:
        """A square of the footage about some landmarks, side x side."""
        places = self.landmarks_px[row][list(around)]
        middle = places.mean(0)
        region = Region((float(middle[0]), float(middle[1])), float(np.ptp(places[:, 0])) * 2.0, 0.0)
        return region, crop(self.pictures(row), region, side).astype(np.float32) / 255

    def _draw(self, state: DeepState, region: Region, plate: F32, side: int) -> F32:
        points, triangles = camera_points(self.mesh, state), self.mesh.topology.triangles
        matrix = image_from_crop(region, 2 * side)[None]
        placed, places, depth = project_to_crop(points, self.view, matrix)
        folds = measure_ambient_occlusion(points[0], vertex_normals(points, triangles)[0], triangles)[None]
        lit, background = replace(self.look, occlusion=folds), background_of(torch.from_numpy(plate[None]))
        with torch.no_grad():  # compiled, where nobody wants derivatives
            return render(placed, places, depth, self.mesh.topology, lit, background, (side, side), 2)[0].numpy()


def show_difference(drawn: F32, plate: F32) -> F32:
    """Grey where a render is the footage."""
    return np.clip(0.5 + 1.5 * (drawn - plate), 0, 1)


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


def picture_in_time(stage: Stage, scene: Scene, single: Take) -> None:
    """Frames refined each for itself, then made consistent in four ways, as in figures 14 to 17 of Bao et al."""
    mesh, rows = stage.mesh, np.arange(FIRST, LAST + 1)
    viewed, state = ViewedPoints(mesh, sample_surface_points(mesh), stage.view), state_of(single, mesh)
    good = np.isin(np.arange(single.frame_count), rows)
    motion = measure_face_motion(viewed, FootageFlow(DisFlow(), stage.pictures), state, good, NothingKept())
    precision = channel_priors(scene.rig.channels, load_prior(), 1.0, 1.0).precision * 25
    states = {"each frame alone": state}
    for way in WAYS_IN_TIME:
        states[way] = refine_in_time(viewed, state, motion, good, single.time_s, precision, method=way)
    turned, placed = dict[str, NDArray[np.float64]](), dict[str, NDArray[np.float64]]()
    for name, of in states.items():
        take = with_state(single, of, good, mesh)
        show(name, errors_of(scene, take, rows))
        away, _, turn = place_of_head(scene, take, rows)
        turned[name], placed[name] = np.degrees(turn), np.linalg.norm(away, axis=1)
    columns = [
        stage.differences(row, [of.part(np.array([row])) for of in states.values()], LIPS, 160)
        for row in range(FIRST + 1, FIRST + 7)
    ]
    write_sheet(IMAGES / "refine-in-time.jpg", columns, 160, ("footage", *states))
    panels = [("the head is turned so many degrees wrong", turned), ("and is so many mm off its place", placed)]
    (IMAGES / "refine-in-time.svg").write_text(draw_panels(panels, single.time_s[rows]), encoding="utf-8")


def picture_again(stage: Stage, takes: dict[str, Take]) -> None:
    """What estimating the expression once more gives back, as in figure 18 of Bao et al."""
    states = [state_of(take, stage.mesh) for take in takes.values()]
    columns = [
        stage.differences(row, [of.part(np.array([row])) for of in states], LIPS, 160)
        for row in range(FIRST + 1, FIRST + 7)
    ]
    write_sheet(IMAGES / "refine-again.jpg", columns, 160, ("footage", *takes))


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
    panel = ("the head is so many mm too far from the camera, or too near", away)
    (IMAGES / "refine-depth.svg").write_text(draw_panels([panel], fit.time_s), encoding="utf-8")


def draw_panels(panels: list[tuple[str, dict[str, NDArray[np.float64]]]], time_s: NDArray[np.float64]) -> str:
    """An SVG of lines (F,) over time, named, in panels with a caption each, all with the same names."""
    width, height, left, apart = 560, 220, 60, 270
    parts = []
    for number, (caption, lines) in enumerate(panels):
        parts.append(f'<g transform="translate({left} {30 + number * apart})">')
        parts += [_draw_lines(lines, time_s, width, height), f'<text x="0" y="-10">{caption}</text></g>']
    under = 30 + (len(panels) - 1) * apart + height + 24
    at = left
    for name, colour in zip(panels[0][1], COLOURS, strict=False):
        parts.append(f'<text x="{at}" y="{under}" style="fill:{colour}">{name}</text>')
        at += 24 + 7 * len(name)
    style = "text{font:13px sans-serif;fill:#333}path{fill:none;stroke-width:2}.grid{stroke:#ddd;stroke-width:1}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + left + 30} {under + 16}">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


def _draw_lines(lines: dict[str, NDArray[np.float64]], time_s: NDArray[np.float64], width: int, height: int) -> str:
    low, high = min(0.0, *(v.min() for v in lines.values())), max(0.0, *(v.max() for v in lines.values()))
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    x = x_positions(time_s, width)

    def level(values: NDArray[np.float64] | float) -> NDArray[np.float64]:
        return (high - np.asarray(values)) / (high - low) * height

    parts = [
        f'<path class="grid" d="M0 {float(level(tick)):.1f}h{width}"/>'
        f'<text x="-8" y="{float(level(tick)) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        for tick in nice_ticks(low, high)
    ]
    for values, colour in zip(lines.values(), COLOURS, strict=False):
        parts.append(f'<path style="stroke:{colour}" d="{draw_line_path(x, level(values), width)}"/>')
    return "".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    everything = ("faces", "gap", "time", "again", "depth")
    parser.add_argument("which", nargs="*", choices=(*everything, []), help="if not given: all")
    parser.add_argument("--takes", type=Path, help="folder with refined takes of these frames")
    options = parser.parse_args()
    which = set(options.which or everything)
    if which != {"depth"}:
        scene = take_scene()
        fit = landmark_fit(scene)

        def refined_by(method: str) -> Take:
            kept = None if options.takes is None else options.takes / saved_as(scene, method)
            if kept is not None and kept.exists():
                return load_take(kept)
            return refine(scene, fit, METHODS[method], (FIRST, LAST)).take

        refined = refined_by("default")
        stage = open_stage(scene, refined)
        if "faces" in which:
            picture_faces(stage, fit, refined)
        if "gap" in which:
            picture_gap(stage, scene, refined)
        single = refined_by("without time") if which & {"time", "again"} else fit
        if "time" in which:
            picture_in_time(stage, scene, single)
        if "again" in which:
            smooth = refined_by("not again")
            picture_again(stage, {"each frame alone": single, "made consistent": smooth, "estimated again": refined})
    if "depth" in which:
        picture_depth()


if __name__ == "__main__":
    main()
