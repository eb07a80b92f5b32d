"""Is a face told from others? `python -m benchmarks.likeness [--second FILE] CLIP:HEAD …`

Clips (take, ict, second and those of `benchmarks.seen` by name) are solved on heads (sample, ict, second) with a camera
that the fit finds. Printed is by how much refining sees proportions differ; below `SAME_FACE_MM` it takes the character
for the actor.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.deep_energies import DATA, SECOND, NothingKept, second_truth
from benchmarks.ground_truth import embedding_of, load_truth, observe_clip, response_of
from benchmarks.sample_head import sample_rig
from benchmarks.sample_take import CLIP
from benchmarks.seen import default_clips
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.footage.footage import open_footage
from facecap_addon.geometry.camera import centered_camera
from facecap_addon.jobs.steps.frame_access import FrameAccess
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.refine.finished_solve import FinishedSolve
from facecap_addon.refine.flow.optical_flow import DisFlow
from facecap_addon.refine.networks.landmark_module import open_module
from facecap_addon.refine.refine import SAME_FACE_MM, Callbacks, PictureModels, Refinement
from facecap_addon.refine.settings import DeepSettings
from facecap_addon.refine.shots import Shot
from facecap_addon.refine.views import first_view
from facecap_addon.rig.blendshapes import BlendshapeRig


def measure_pair(clip: Path, rig: BlendshapeRig, name: str) -> float:
    """Millimetres by which the head of a rig and the actor of a clip are seen to differ."""
    observations, embedding = observe_clip(clip), embedding_of(rig, name)
    take = solve_take(observations, rig, embedding, FitSettings(), response=response_of(rig, name))
    pictures = FrameAccess(open_footage(clip))
    view = first_view(centered_camera(*take.image_size, take.focal_px))
    try:
        return Refinement(
            FinishedSolve(take, observations, rig, embedding),
            [Shot(view, observations.landmarks_px, pictures, open_landmarker().region_of_landmarks)],
            PictureModels(open_module("mediapipe-478", None), DisFlow()),
            DeepSettings(),
            Callbacks(lambda *_: None, lambda *_: None),
            NothingKept(),
        ).measure_unlikeness()
    finally:
        pictures.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("pairs", nargs="*", default=["take:sample", "ict:ict", "second:second", "second:sample"])
    parser.add_argument("--second", type=Path, default=SECOND)
    options = parser.parse_args()
    clips = {clip.stem: clip for clip in default_clips()}
    clips |= {"take": CLIP, "ict": DATA / "renders" / "ict_rom.mp4", "second": options.second.with_suffix(".mp4")}
    heads = {
        "sample": (sample_rig, "sample_head"),
        "ict": (lambda: load_truth(DATA).rig, "ict_actor"),
        "second": (lambda: second_truth(options.second, DATA).rig, "second_person"),
    }
    for pair in options.pairs:
        clip, _, head = pair.partition(":")
        open_rig, name = heads[head]
        away_mm = measure_pair(clips[clip], open_rig(), name)
        print(f"{pair:24s} {away_mm:.2f} mm, {'the same' if away_mm < SAME_FACE_MM else 'another'} face", flush=True)


if __name__ == "__main__":
    main()
