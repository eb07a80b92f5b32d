"""Does a second camera see a jaw that is pushed forward? `python -m benchmarks.jaw_forward [--minutes 8]`.

Laine et al. (section 5.1) ask for a camera from the side because the front hardly shows it. `laine` learns from one
drawn performance, once from the front and the side, once from the front alone, each for equally many minutes of one
core, as the product has either (a symmetric face that one camera sees is also learned from in a mirror). Then both
watch the jaw go forward and back, alone, in new light. Printed, and kept in `benchmarks/results/laine_jaw_forward.txt`:
how far the solved chin goes forward for each millimetre that the true one does, how closely it follows, how far it is
off; the same key on the test shots, among all others; vertex RMSE there.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.equal_time import Variant, train_for
from benchmarks.learned_actor import RESULTS, actor_set, jaw_forward
from facecap_addon.footage.write import write_video
from facecap_addon.jobs.steps.sample_head import CACHE
from facecap_addon.jobs.training.dataset_shots import DRAWN_FPS, SIDE_YAW_RAD
from facecap_addon.learn.data.frames import read_shot_frames
from facecap_addon.learn.data.training_set import ShotFacts, ShotRows, TrainingSet, add_shot, open_set, save_set
from facecap_addon.learn.synthetic.footage import make_scene_look, project_landmarks, render_footage
from facecap_addon.refine.render_mesh import build_render_mesh
from facecap_addon.render.device import use_threads
from facecap_addon.rig.embedding import load_embedding
from facecap_addon.solvers.bundle import load_bundle
from facecap_addon.solvers.face_keypoints import extract_face_keypoints, extract_ibug_points
from facecap_addon.solvers.solver import TrainedSolver

LOOKS = (901, 902, 903)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=72.0)
    parser.add_argument("--minutes", type=float, default=8.0, help="of one core, for each network")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    use_threads(options.threads)
    both = open_set(actor_set(options.seconds, side=True, threads=options.threads))
    front = leave_out_side(both, both.folder.with_name(f"{both.folder.name}-front"))
    lines = [f"python -m benchmarks.jaw_forward --seconds {options.seconds:g} --minutes {options.minutes:g}"]
    for label, training_set in (("front and side", both), ("front", front)):
        out = training_set.folder / f"laine-{options.minutes:g}min.facecap"
        trained = train_for(Variant("laine"), training_set, out, options.minutes)
        slope, follows, off, moved = watched(training_set, out)
        said = [
            *trained.lines,
            jaw_forward(training_set.folder, out),
            f"{slope:.2f} mm forward for each true one, correlation {follows:.2f}, off by {off:.2f} mm "
            f"(the chin goes {moved:.1f} mm)",
        ]
        lines += [f"{label}: {line}" for line in said]
        print("\n".join(lines[-len(said) :]), flush=True)
    (RESULTS / "laine_jaw_forward.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def leave_out_side(training_set: TrainingSet, folder: Path) -> TrainingSet:
    """The same shots in a set of their own, whose second camera is left out."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(training_set.folder / "shots", folder / "shots")
    shots = tuple(
        replace(shot, video=str(training_set.resolve_video(shot).resolve()), side_video=None, side_size_px=None)
        for shot in training_set.shots
    )
    alone = replace(training_set, folder=folder, shots=shots, side_crop=None)
    save_set(alone)
    return alone


def watched(training_set: TrainingSet, out: Path) -> tuple[float, float, float, float]:
    """Slope, correlation, root-mean-square error (mm) and way (mm) of the chin, as a solver of a set sees it."""
    bundle = load_bundle(out)
    test = pushed_forward(training_set)
    frames = read_shot_frames(test, test.shots, bundle.facts.picture, lambda done, total: None)
    solver, moving = TrainedSolver(bundle, threads=2), bundle.moving
    rig = training_set.rig
    key = rig.deltas[rig.channels.index("jawForward")][moving]
    chin = np.linalg.norm(key, axis=1) > 0.8 * np.linalg.norm(key, axis=1).max()
    way = key[chin].mean(axis=0)
    ahead = way / np.linalg.norm(way)
    found = []
    for row in range(frames.count):
        vertices = solver.solve_crop(frames.read_pictures(np.array([row]))[0])
        found.append(float(((vertices - rig.neutral[moving])[chin] @ ahead).mean()))
    true = frames.weights[:, rig.channels.index("jawForward")] * np.linalg.norm(way)
    slope = float(np.polyfit(true, found, 1)[0])
    error = 1000 * float(np.sqrt(((np.array(found) - true) ** 2).mean()))
    return slope, float(np.corrcoef(found, true)[0, 1]), error, 1000 * float(np.ptp(true))


def pushed_forward(training_set: TrainingSet) -> TrainingSet:
    """A set of shots in which nothing moves but the jaw, forward and back, seen by the set's cameras."""
    folder = training_set.folder.parent / f"{training_set.folder.name}-jaw"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "footage").mkdir(parents=True)
    (folder / "shots").mkdir()
    rig = training_set.rig
    embedding = load_embedding(sorted(CACHE.glob("landmarks-*.npz"))[-1])
    actor = build_render_mesh(rig, embedding)
    time_s = np.arange(40) / DRAWN_FPS
    weights = np.zeros((len(time_s), len(rig.channels)))
    weights[:, rig.channels.index("jawForward")] = np.sin(np.pi * np.arange(40) / 39) ** 2
    head = np.zeros((len(time_s), 6))
    landmarks, size = project_landmarks(actor, weights, head)
    face, box = extract_face_keypoints(landmarks, size, embedding.scheme)
    rows = ShotRows(
        np.arange(40),
        time_s,
        weights.astype(np.float32),
        face,
        box,
        extract_ibug_points(landmarks, size, embedding.scheme),
    )
    aside = training_set.side_crop is not None
    out = replace(training_set, folder=folder, shots=())
    for seed in LOOKS:
        for ending, yaw in [("", 0.0), ("-side", SIDE_YAW_RAD)][: 2 if aside else 1]:
            pictures = render_footage(actor, weights, head, make_scene_look(seed), yaw_rad=yaw, seed=seed)
            path = folder / "footage" / f"jaw-{seed}{ending}.mp4"
            for _ in write_video(path, zip(time_s.tolist(), pictures, strict=True), quality=14):
                pass
        side = f"footage/jaw-{seed}-side.mp4" if aside else None
        facts = ShotFacts(
            f"jaw-{seed}",
            f"footage/jaw-{seed}.mp4",
            None,
            None,
            None,
            40,
            use="validation",
            side_video=side,
            source="drawn",
        )
        out = add_shot(out, facts, rows)
    return out


if __name__ == "__main__":
    main()
