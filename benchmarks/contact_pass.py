"""Do lips and lids that touch touch in what a solver gives? `python -m benchmarks.contact_pass [--network ridge]`.

The solver that `benchmarks.learned_actor` trained on three minutes, on its validation and test shots: drawn keys say
which of the gaps between lips and lids are closed. Printed, and kept in `benchmarks/results/contact_pass_NETWORK.txt`,
before the pass and after: how wide gaps are that are truly closed, and how many by more than 0.3 mm; how many that are
truly open by more than 1.5 mm are closed; vertex RMSE of the whole face.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.learned_actor import RESULTS, SET
from facecap_addon.fit.contact_pass import ContactPass
from facecap_addon.fit.energies.landmark_terms import LIPS
from facecap_addon.jobs.steps.character import characters_in, embedding_of
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.learn.data.frames import read_shot_frames
from facecap_addon.learn.data.training_set import ShotFacts, TrainingSet, open_set
from facecap_addon.solvers.bundle import load_bundle
from facecap_addon.solvers.eye_alignment import align_eyes, fit_eye_alignment
from facecap_addon.solvers.solver import TrainedSolver
from facecap_addon.solvers.vertices_to_weights import WeightFitter

CLOSED_MM, SLIT_MM, OPEN_MM, MOVING_M = 0.2, 0.3, 1.5, 5e-4


def solve_shots(training_set: TrainingSet, path: Path, shots: tuple[ShotFacts, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(N, K) weights that a solver of vertices gives, and the true ones."""
    bundle, rig = load_bundle(path), training_set.rig
    kind, solver = bundle.facts.picture, TrainedSolver(bundle)
    frames = read_shot_frames(training_set, shots, kind, lambda *_: None, kept_only=True)
    found = []
    for i in range(frames.count):
        picture = frames.read_pictures(np.array([i]))
        if bundle.facts.aligned_eyes is not None:
            at = (frames.face[i] * (kind.width, kind.height) - 0.5)[None].astype(np.float32)
            to = np.array(bundle.facts.aligned_eyes, np.float32)
            picture = align_eyes(picture, fit_eye_alignment(at, to))
        found.append(solver.solve_crop(picture[0]))
    fitter = WeightFitter(rig.neutral[bundle.moving], rig.deltas[:, bundle.moving], rig.ranges)
    return fitter.fit(np.stack(found))[0], frames.weights


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--network", default="ridge")
    parser.add_argument("--set", type=Path, default=SET / "180s")
    options = parser.parse_args()
    training_set = open_set(options.set)
    rig, splits = training_set.rig, training_set.split_shots()
    embedding = embedding_of(rig, open_landmarker(), characters_in(training_set.folder))
    contact = ContactPass(rig, embedding)
    moving = np.flatnonzero(np.linalg.norm(rig.deltas, axis=2).max(0) > MOVING_M)
    lines = [f"python -m benchmarks.contact_pass --network {options.network}"]
    for name, shots in (("validation", splits.validation), ("test", splits.test)):
        found, true = solve_shots(training_set, options.set / f"{options.network}-preview.facecap", shots)
        closed = contact.close(found)
        truly = contact.measure_open_mm(true)
        wanted = rig.vertices_at(true)[:, moving]
        for label, weights in (("before", found), ("after", closed)):
            gaps = contact.measure_open_mm(weights)
            parts = []
            for what, members in (("lips", contact.groups == LIPS), ("lids", contact.groups != LIPS)):
                shut, opened = (truly[:, members] < CLOSED_MM), (truly[:, members] > OPEN_MM)
                gap = np.maximum(gaps[:, members], 0)
                parts.append(
                    f"{what}: {gap[shut].mean():.2f} mm where closed, {(gap[shut] > SLIT_MM).mean():.1%} of "
                    f"{shut.sum()} more than {SLIT_MM} mm, {(gap[opened] < SLIT_MM).mean():.2%} of {opened.sum()} open "
                    "ones closed"
                )
            error = 1000 * float(np.sqrt(((rig.vertices_at(weights)[:, moving] - wanted) ** 2).sum(-1).mean()))
            lines.append(f"{name} shots, {label}: {'; '.join(parts)}; whole face {error:.2f} mm")
            print(lines[-1], flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"contact_pass_{options.network}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
