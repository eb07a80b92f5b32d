"""`ridge` on a head and a render that are not ours: `python -m benchmarks.foreign_actor`, with the data in ../shared.

The ICT-FaceKit head with an identity of its own under recorded curves, rendered by Cycles: ten seconds. Learned are the
first six, one chooses the penalty, the last three are the test; nothing of FaceCap's drawings has to do with them.
Printed, and kept in `benchmarks/results/foreign_actor.txt`: error on the test, the mean pose's, the landmark fit's.
"""

from __future__ import annotations

import argparse
import shutil

import numpy as np

from benchmarks.ict import load_ict_rig
from benchmarks.learned_actor import RESULTS, ROOT, SET, finished
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.jobs.training.train import run as train
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.tracking.observe import observe
from facecap_addon.learn.data.crops import propose_crop
from facecap_addon.learn.data.training_set import ShotFacts, ShotRows, TrainingSet, add_shot, save_set
from facecap_addon.solvers.face_keypoints import extract_face_keypoints, extract_ibug_points

DATA = ROOT.parent / "shared" / "data"
PARTS = {"train": (0, 180), "validation": (180, 210), "test": (210, 300)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    folder = SET / "ict_rom"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "shots").mkdir(parents=True)
    video = DATA / "renders" / "ict_rom.mp4"
    with np.load(DATA / "renders" / "ict_rom_truth.npz", allow_pickle=False) as truth:
        rig = load_ict_rig(DATA / "rig" / "ict_facekit_arkit.npz", truth["neutral_m"])
        assert tuple(str(name) for name in truth["rig_names"]) == rig.channels
        weights, time_s = truth["rig_weights"].astype(np.float32), truth["time_s"].astype(np.float64)
    footage, landmarker = open_footage(video), open_landmarker(threads=options.threads)
    landmarks = np.stack([seen.landmarks_px for seen in observe(read_frames(footage), landmarker)])
    size, scheme = footage.size_px, landmarker.scheme
    face, box = extract_face_keypoints(landmarks, size, scheme)
    points = extract_ibug_points(landmarks, size, scheme)
    made = TrainingSet(folder, rig, crop=propose_crop(box, size), crop_is_own=True)
    for use, (first, last) in PARTS.items():
        rows = np.arange(first, last)
        facts = ShotFacts(use, str(video), None, None, None, len(rows), use=use, size_px=size)
        made = add_shot(made, facts, ShotRows(rows, time_s[rows], weights[rows], face[rows], box[rows], points[rows]))
    save_set(made)
    out = folder / "ridge.facecap"
    settings = TrainSettings(folder=folder, out=out, network="ridge", preset="preview", threads=options.threads)
    lines = ["python -m benchmarks.foreign_actor", *finished(train(settings)).lines]  # type: ignore[attr-defined]
    print("\n".join(lines))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "foreign_actor.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
