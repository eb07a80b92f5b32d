"""Does a refined head show more of the footage? `python -m benchmarks.refined [CLIP…] [--seconds 2.4] [--looks N] …`

The clips of `benchmarks.seen` are solved on the sample head, which is nobody of them; their first seconds are refined,
and judged before and after, by the landmark network and, where it is installed, by dlib.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks.deep_energies import refine_solve
from benchmarks.dlib_judge import has_dlib
from benchmarks.ground_truth import embedding_of, observe_clip, response_of
from benchmarks.sample_head import sample_rig
from benchmarks.seen import Head, Seen, default_clips, judge, show
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.refine.finished_solve import FinishedSolve
from facecap_addon.refine.settings import DeepSettings
from facecap_addon.takes.merge import rows_of
from facecap_addon.takes.take import Take


def jitter(take: Take) -> float:
    """Mean absolute second difference of the weights, thousandths."""
    return float(np.abs(np.diff(take.weights, 2, axis=0)).mean()) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--seconds", type=float, default=2.4, help="from the first frame")
    parser.add_argument("--looks", type=int, default=DeepSettings().looks)
    parser.add_argument("--likeness", choices=("auto", "same", "other"), default="auto")
    parser.add_argument("--no-dlib", action="store_true", help="only the landmark network")
    options = parser.parse_args()
    settings = DeepSettings(looks=options.looks, likeness=options.likeness)
    rig = sample_rig()
    head = Head(rig, embedding_of(rig, "sample_head"))
    dlib = not options.no_dlib and has_dlib()
    before: list[Seen] = []
    after: list[Seen] = []
    for clip in options.clips or default_clips():
        observations = observe_clip(clip)
        response = response_of(rig, "sample_head")
        take = solve_take(observations, rig, head.embedding, FitSettings(), response=response)
        early = observations.time_s - observations.time_s[0] < options.seconds
        rows = np.flatnonzero(early)
        solve = FinishedSolve(take, observations, rig, head.embedding)
        began = time.perf_counter()
        refined = refine_solve(clip, solve, settings, (int(rows[0]), int(rows[-1])))
        seconds = (time.perf_counter() - began) / len(rows)
        shown = observations.part(rows)
        found = []
        for of in (take, refined.take):
            part = rows_of(of, early)
            found.append((judge(clip.stem, clip, shown, part, head, dlib=dlib, sheets=None), jitter(part)))
        before.append(found[0][0])
        after.append(found[1][0])
        print(f"{clip.stem}: {len(rows)} frames, {seconds:.2f} s a frame; {' '.join(refined.notes)}")
        for label, (seen, shakes) in zip(("solve", "refined"), found, strict=True):
            line = f"  {label:8s} network {seen.network.mean_correlation:.3f} / {seen.network.median_gain:.2f}"
            if seen.dlib is not None:
                line += f"   dlib {seen.dlib.mean_correlation:.3f} / {seen.dlib.median_gain:.2f}"
            print(f"{line}   jitter {shakes:.1f}", flush=True)
    for label, results in (("solve", before), ("refined", after)):
        print(f"\n{label}", end="")
        show(results)


if __name__ == "__main__":
    main()
