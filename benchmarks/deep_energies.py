"""Deep energies against rendered truth: `python -m benchmarks.deep_energies [--only NAME…] [--methods NAME…]`.

The clips were rendered by Cycles, not by our own renderer: `sample_scenes/take_01.mp4`, `renders/ict_rom.mp4` of the
development data and, with `--only second`, the person of `benchmarks.render_truth` that is kept apart. The camera is
known, or found from the footage (`--unknown-camera`). The landmark fit and the take refined from it are compared with
the truth: vertex RMSE of the skin around lips and lids and of all skin that moves (eyeballs, teeth and tongue do not
count), head rotation and translation, seconds per frame. `--only across` moves the sample head by the second person's
clip: its weights, put on that person by name, are compared. Real clips: `benchmarks.refined`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from benchmarks.ground_truth import (
    ROOT,
    SKIN,
    Truth,
    accuracy_of,
    driven,
    embedding_of,
    load_truth,
    observe_clip,
    read_truth,
    response_of,
)
from benchmarks.sample_head import sample_rig
from benchmarks.sample_take import CLIP, TRUTH
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.footage.footage import open_footage
from facecap_addon.geometry.camera import centered_camera
from facecap_addon.jobs.steps.frame_access import FrameAccess
from facecap_addon.landmarks.layout import MEDIAPIPE_478
from facecap_addon.landmarks.observations import Observations
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.refine.finished_solve import FinishedSolve
from facecap_addon.refine.flow.optical_flow import DisFlow
from facecap_addon.refine.networks.landmark_module import open_module
from facecap_addon.refine.refine import Callbacks, PictureModels, Refinement, RefineResult
from facecap_addon.refine.settings import DeepSettings
from facecap_addon.refine.shots import Shot
from facecap_addon.refine.views import first_view
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.rig.embedding import LandmarkEmbedding, find_head_space
from facecap_addon.rig.network_response import NetworkResponse
from facecap_addon.rig.surface import place_points
from facecap_addon.takes.merge import rows_of
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.take import Take
from sample_scenes.head.arrays import build_head_arrays
from sample_scenes.head.landmarks import load_landmarks
from sample_scenes.studio import CAMERA_FROM_WORLD, TARGET_M

F64 = NDArray[np.float64]
DATA, SECOND = ROOT.parent / "shared" / "data", ROOT / "build" / "second_rom.npz"
SCENES = ("take", "ict", "second")
NEAR_M, MOVING_M = 0.005, 0.0005
SECOND_M = 0.62
"""How far from the second person the camera stands, as `benchmarks.render_truth` has it."""


METHODS = {
    "default": DeepSettings(),
    "without time": DeepSettings(temporal="none", reestimate=False),
    "not again": DeepSettings(reestimate=False),
    "same face": DeepSettings(likeness="same"),
    # Bao et al.: jaw and mouth from rest, squares of what the network sees and λ alone, no pixels, no other prior.
    "paper": DeepSettings(schedule="paper", picture=0.0, prior=0.0, temporal="plate flow"),
    "paper, our prior": DeepSettings(schedule="paper"),
}


@dataclass(frozen=True)
class Scene:
    """A rendered clip and everything that is true of it.

    Attributes:
        name, clip: what it is and where.  rig, embedding, response, observations: as for a solve.
        weights: (F, K).  camera_from_rig: (F, 4, 4) m.  focal_px: of the camera.
        skin: (V,) bool, vertices that count.
    """

    name: str
    clip: Path
    rig: BlendshapeRig
    embedding: LandmarkEmbedding
    response: NetworkResponse
    observations: Observations
    weights: NDArray[np.float32]
    camera_from_rig: F64
    focal_px: float
    skin: NDArray[np.bool_]


@dataclass(frozen=True)
class Errors:
    """How far a take is from the truth.

    Attributes:
        fine_mm: vertex RMSE around lips and lids.  lips_mm, lids_mm: of either.  all_mm: of all that moves.
        turn_deg: median error of the head's rotation.  shift_mm: RMS of its place.  depth_mm: of its depth alone.
        bend: mean absolute second difference of the head's place, mm.
    """

    fine_mm: float
    lips_mm: float
    lids_mm: float
    all_mm: float
    turn_deg: float
    shift_mm: float
    depth_mm: float
    bend: float


def take_scene() -> Scene:
    """The sample take on the head that it shows."""
    rig = sample_rig()
    truth = load_take(TRUTH)
    matrices = _matrices(truth.head_rotation_wxyz, truth.head_translation_m)
    head = build_head_arrays()
    landmarks = np.asarray(load_landmarks()[0].positions(head.neutral.astype(np.float64)))
    skin = np.zeros(rig.vertex_count, bool)
    skin[head.parts["skin"]] = True
    return Scene(
        "take_01",
        CLIP,
        rig,
        embedding_of(rig, "sample_head"),
        response_of(rig, "sample_head"),
        observe_clip(CLIP),
        truth.weights[:, [truth.channels.index(name) for name in rig.channels]],
        matrices @ find_head_space(CAMERA_FROM_WORLD, landmarks, MEDIAPIPE_478)[0],
        truth.focal_px,
        skin,
    )


def ict_scene(data: Path) -> Scene:
    """The ICT head under recorded curves."""
    return _scene_of(load_truth(data), data / "renders" / "ict_rom_truth.npz", "ict_actor")


def second_scene(path: Path, data: Path) -> Scene:
    """The person of `benchmarks.render_truth`."""
    return _scene_of(second_truth(path, data), path, "second_person")


def open_scene(name: str, second: Path = SECOND, data: Path = DATA) -> Scene:
    """One of SCENES."""
    if name == "take":
        return take_scene()
    return ict_scene(data) if name == "ict" else second_scene(second, data)


def second_truth(path: Path, data: Path) -> Truth:
    """What is true of that person's clip, which lies beside its truth."""
    return read_truth(path, path.with_suffix(".mp4"), data)


def _scene_of(truth: Truth, path: Path, name: str) -> Scene:
    """The actor's own head, whose cameras stand in the file of its truth; embedding and response are kept by name."""
    with np.load(path, allow_pickle=False) as arrays:
        world_from_camera = arrays["world_from_camera"]
        if np.allclose(world_from_camera, np.eye(4)):  # truths that were rendered earlier say so: the studio's, ahead
            world_from_camera = np.array([[1, 0, 0, 0], [0, 0, -1, -SECOND_M], [0, 1, 0, 0], [0, 0, 0, 1]], np.float64)
            world_from_camera[:3, 3] += TARGET_M
        blender = np.linalg.inv(world_from_camera) @ arrays["world_from_head"]
    skin = np.zeros(truth.rig.vertex_count, bool)
    skin[:SKIN] = True
    return Scene(
        truth.clip.stem,
        truth.clip,
        truth.rig,
        embedding_of(truth.rig, name),
        response_of(truth.rig, name),
        observe_clip(truth.clip),
        truth.rig_weights,
        np.diag([1.0, -1.0, -1.0, 1.0]) @ blender,
        truth.focal_px,
        skin,
    )


def saved_as(scene: Scene, method: str) -> str:
    """The name under which `--save` keeps a refined take."""
    return f"{scene.name}.{method.replace(' ', '_')}.take.npz"


def landmark_fit(scene: Scene, *, known_camera: bool = True) -> Take:
    """The scene solved by the landmark fit, with the known camera or one that it finds itself."""
    settings = FitSettings(focal_px=scene.focal_px if known_camera else None)
    return solve_take(scene.observations, scene.rig, scene.embedding, settings, response=scene.response)


class NothingKept:
    """Keeps parts in memory only; implements `refine.chunk_store.ChunkStore`."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, NDArray[Any]]] = {}

    def load(self, name: str) -> dict[str, NDArray[Any]] | None:
        return self._parts.get(name)

    def save(self, name: str, arrays: dict[str, NDArray[Any]]) -> None:
        self._parts[name] = arrays


def refine(
    scene: Scene,
    take: Take,
    settings: DeepSettings,
    rows: tuple[int, int] | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    extra: list[Shot] | None = None,
) -> RefineResult:
    """Refine a take of the scene with the camera that it was solved with."""
    solve = FinishedSolve(take, scene.observations, scene.rig, scene.embedding)
    return refine_solve(scene.clip, solve, settings, rows, progress, extra)


def refine_solve(
    clip: Path,
    solve: FinishedSolve,
    settings: DeepSettings,
    rows: tuple[int, int] | None = None,
    progress: Callable[[str, int, int], None] = lambda *_: None,
    extra: list[Shot] | None = None,
) -> RefineResult:
    """Refine a solve of a clip, or rows of it, and keep nothing."""
    landmarker = open_landmarker()
    pictures = FrameAccess(open_footage(clip))
    view = first_view(centered_camera(*solve.take.image_size, solve.take.focal_px))
    shot = Shot(view, solve.observations.landmarks_px, pictures, landmarker.region_of_landmarks)
    try:
        return Refinement(
            solve,
            [shot, *(extra or [])],
            PictureModels(open_module("mediapipe-478", None), DisFlow()),
            settings,
            Callbacks(progress, lambda *_: None),
            NothingKept(),
            rows=rows,
        ).run()
    finally:
        pictures.close()


def errors_of(scene: Scene, take: Take, rows: NDArray[np.intp]) -> Errors:
    """Compare some rows of a take with the truth."""
    difference = take.weights[rows] - scene.weights[rows]
    moving = (np.linalg.norm(scene.rig.deltas, axis=2).max(0) > MOVING_M) & scene.skin
    lips, lids = (_near(scene, names) & moving for names in (_LIPS, _LIDS))

    def rmse(members: NDArray[np.bool_]) -> float:
        moved = np.tensordot(difference, scene.rig.deltas[:, members], axes=1)
        return float(np.sqrt((moved**2).sum(-1).mean())) * 1000

    away, place, turn = place_of_head(scene, take, rows)
    bend = np.abs(np.diff(place, 2, axis=0)).mean() if len(rows) > 2 else 0.0
    return Errors(
        rmse(lips | lids),
        rmse(lips),
        rmse(lids),
        rmse(moving),
        float(np.degrees(np.median(turn))),
        float(np.sqrt((away**2).sum(1).mean())),
        float(np.sqrt((away[:, 2] ** 2).mean())),
        float(bend),
    )


def place_of_head(scene: Scene, take: Take, rows: NDArray[np.intp]) -> tuple[F64, F64, F64]:
    """(F, 3) mm by which the head is off in the camera's space, (F, 3) mm where it is, (F,) rad it is turned wrong."""
    solved = _matrices(take.head_rotation_wxyz, take.head_translation_m) @ scene.embedding.head_from_rig
    solved, true = solved[rows], scene.camera_from_rig[rows]
    turn = Rotation.from_matrix(solved[:, :3, :3] @ true[:, :3, :3].transpose(0, 2, 1)).magnitude()
    origin = np.linalg.inv(scene.embedding.head_from_rig)[:, 3]
    return ((solved - true) @ origin)[:, :3] * 1000, (solved @ origin)[:, :3] * 1000, turn


_LIPS = ("lips_outer_upper", "lips_outer_lower", "lips_inner_upper", "lips_inner_lower")
_LIDS = ("upper_lid_right", "lower_lid_right", "upper_lid_left", "lower_lid_left")


def _near(scene: Scene, names: tuple[str, ...]) -> NDArray[np.bool_]:
    """(V,) vertices of the neutral within 5 mm of some landmarks."""
    landmarks = sorted({i for name in names for i in getattr(MEDIAPIPE_478, name)})
    embedding = scene.embedding
    places = place_points(scene.rig.neutral, scene.rig.triangles, embedding.triangle, embedding.barycentric)
    return cKDTree(places[landmarks]).query(scene.rig.neutral)[0] < NEAR_M


def _matrices(wxyz: NDArray[np.floating], translation: NDArray[np.floating]) -> F64:
    out = np.tile(np.eye(4), (len(wxyz), 1, 1))
    out[:, :3, :3] = Rotation.from_quat(wxyz[:, [1, 2, 3, 0]].astype(np.float64)).as_matrix()
    out[:, :3, 3] = translation
    return out


def show(label: str, errors: Errors) -> None:
    """Print one line."""
    print(
        f"  {label:14s} lips and lids {errors.fine_mm:.2f} mm (lips {errors.lips_mm:.2f}, lids {errors.lids_mm:.2f}), "
        f"all {errors.all_mm:.2f} mm, rotation {errors.turn_deg:.2f}°, translation {errors.shift_mm:.1f} mm "
        f"(depth {errors.depth_mm:.1f}), bend {errors.bend:.3f} mm",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--second", type=Path, default=SECOND)
    parser.add_argument("--only", nargs="+", choices=(*SCENES, "across"), default=["take", "ict"])
    parser.add_argument("--unknown-camera", action="store_true", help="the landmark fit finds the focal length")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--frames", type=int, default=100_000, help="how many, from the first")
    parser.add_argument("--save", type=Path, help="folder for the refined takes")
    parser.add_argument("--methods", nargs="+", choices=tuple(METHODS), default=["default"])
    options = parser.parse_args()
    for name in options.only:
        if name == "across":
            measure_across(second_truth(options.second, options.data), options)
            continue
        scene = open_scene(name, options.second, options.data)
        fit = landmark_fit(scene, known_camera=not options.unknown_camera)
        last = min(options.first + options.frames, fit.frame_count) - 1
        rows = np.arange(options.first, last + 1)
        print(
            f"{scene.name}, frames {options.first} to {last}, focal length {fit.focal_px / scene.focal_px:.2f} of true"
        )
        show("landmark fit", errors_of(scene, fit, rows))
        for label in options.methods:
            settings = METHODS[label]
            began = time.perf_counter()
            refined = refine(scene, fit, settings, (options.first, last))
            seconds = (time.perf_counter() - began) / len(rows)
            show(label, errors_of(scene, refined.take, rows))
            print(f"    {seconds:.2f} s a frame; {' '.join(refined.notes)}", flush=True)
            if options.save is not None:
                save_take(options.save / saved_as(scene, label), refined.take)


def measure_across(truth: Truth, options: argparse.Namespace) -> None:
    """The sample head moved by another person, whose own keys take its weights by name."""
    rig, observations = sample_rig(), observe_clip(truth.clip)
    embedding = embedding_of(rig, "sample_head")
    settings = FitSettings(focal_px=None if options.unknown_camera else truth.focal_px)
    fit = solve_take(observations, rig, embedding, settings, response=response_of(rig, "sample_head"))
    last = min(options.first + options.frames, fit.frame_count) - 1
    rows = np.arange(options.first, last + 1)
    part = replace(truth, weights=truth.weights[rows], rig_weights=truth.rig_weights[rows])
    print(f"{truth.clip.stem} on the sample head, frames {options.first} to {last}")

    def show_accuracy(label: str, take: Take) -> None:
        chosen = rows_of(take, np.isin(np.arange(take.frame_count), rows))
        found = accuracy_of(chosen, driven(truth.rig_names, chosen.channels, chosen.weights), part)
        print(f"  {label:14s} all {found.rmse_mm:.2f} mm, correlation of keys {found.correlation:.3f}", flush=True)

    show_accuracy("landmark fit", fit)
    for label in options.methods:
        solve = FinishedSolve(fit, observations, rig, embedding)
        refined = refine_solve(truth.clip, solve, METHODS[label], (options.first, last))
        show_accuracy(label, refined.take)
        print(f"    {' '.join(refined.notes)}", flush=True)


if __name__ == "__main__":
    main()
