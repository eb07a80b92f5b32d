"""Speed and memory of a whole solve: `python -m benchmarks.solve_speed [--video CLIP] [--peer PYTHON]`.

A talking clip is scaled to 1280×720 and repeated to about twenty seconds, then solved by the command line in a process
of its own, as a user does. Printed: frames per second of the whole solve without interpreter start-up (decoding,
landmarks, fit, take, CSV, report and .blend; and once more with the preview video), of each stage, the landmark stage's
share, and peak memory for this clip and for one several times as long. With `--peer`, a Python in which
`mediapipe==0.10.21` and `av` are installed, MediaPipe's own FaceMesh sees the same clip in turn with the solves.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.processor import processor
from facecap_addon.arrays import U8
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.footage.write import write_video
from tools.fetch_clip import fetch_clip

ROOT = Path(__file__).resolve().parents[1]
SIZE = (1280, 720)
FPS = 25
MEASURE = """
import json, resource, sys
from facecap_addon.jobs.cli.main import main
code = main(sys.argv[2:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
open(sys.argv[1], "w").write(json.dumps({"code": code, "peak": peak}))
"""
# MediaPipe's own network over a clip, decoding included, without the time to import it.
PEER = """
import sys, time, av, mediapipe
mesh = mediapipe.solutions.face_mesh.FaceMesh(static_image_mode=False, refine_landmarks=True)
began, seen = time.perf_counter(), 0
with av.open(sys.argv[1]) as clip:
    for frame in clip.decode(clip.streams.video[0]):
        seen += mesh.process(frame.to_ndarray(format="rgb24")).multi_face_landmarks is not None
print(time.perf_counter() - began, seen)
"""
PEER_RUNS = 3


@dataclass(frozen=True)
class Measured:
    """One solve."""

    summary: dict[str, Any]
    peak_mb: float

    def stage_fps(self, *names: str) -> float:
        """Frames per second of some stages together."""
        return self.summary["frames_decoded"] / sum(self.summary["seconds"][name] for name in names)


def make_clip(source: Path, target: Path, frames: int) -> None:
    """Scale a clip to the height of a 1280×720 picture and play it back and forth until there are enough frames."""
    pictures = [frame.image for frame in read_frames(open_footage(source))]
    order = [*range(len(pictures)), *range(len(pictures) - 2, 0, -1)]

    def canvas_of(picture: U8) -> U8:
        scale = SIZE[1] / picture.shape[0]
        scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        canvas = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
        width = min(scaled.shape[1], SIZE[0])
        left = (SIZE[0] - width) // 2
        canvas[:, left : left + width] = scaled[:, :width]
        return canvas

    shown = ((index / FPS, canvas_of(pictures[order[index % len(order)]])) for index in range(frames))
    for _ in write_video(target, shown, quality=18):
        pass


def measure(video: Path, out: Path, *flags: str) -> Measured:
    """Solve a clip in a process of its own."""
    note = out.with_suffix(".json")
    command = [sys.executable, "-c", MEASURE, str(note), "solve", str(video), "--out", str(out), *flags]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    facts = json.loads(note.read_text())
    if facts["code"] != 0:
        raise SystemExit(f"the solve ended with code {facts['code']}: facecap solve {video} --out {out}")
    return Measured(json.loads((out / "summary.json").read_text(encoding="utf-8")), facts["peak"] / 1e6)


def compare_with_peer(video: Path, folder: Path, python: Path) -> None:
    """Solve and MediaPipe's FaceMesh in turn on the same clip; prints how many times its speed the solve has."""
    ours, theirs = [], []
    for run in range(PEER_RUNS):
        command = [str(python), "-c", PEER, str(video)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        theirs.append(float(done.stdout.split()[-2]))
        ours.append(float(measure(video, folder / f"peer-{run}").summary["seconds"]["total"]))
    ratios = sorted(their / our for their, our in zip(theirs, ours, strict=True))
    shown = [", ".join(f"{one:.2f}" for one in times) for times in (theirs, ours)]
    print(f"FaceMesh with decoding  {shown[0]} s, whole solve {shown[1]} s:")
    print(
        f"solve against FaceMesh  {ratios[len(ratios) // 2]:.2f} times its speed ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )


def report(name: str, measured: Measured) -> None:
    seconds = measured.summary["seconds"]
    parts = ", ".join(f"{stage} {value:.2f}" for stage, value in seconds.items() if stage != "total" and value >= 0.005)
    print(
        f"{name}: {measured.summary['frames_decoded']} frames in {seconds['total']:.2f} s = "
        f"{measured.summary['fps']:.1f} fps  ({parts} s)"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--video", type=Path, help="clip to scale; default: the Carphone talker")
    parser.add_argument("--frames", type=int, default=500)
    parser.add_argument("--peer", type=Path, help="Python with mediapipe==0.10.21 and av, to compare with")
    parser.add_argument("--longer", type=int, default=4, help="how many times as long the second clip is")
    options = parser.parse_args()
    source = options.video or fetch_clip()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip, long_clip = folder / "talker.mp4", folder / "long.mp4"
        make_clip(source, clip, options.frames)
        print(f"{source.name} at {SIZE[0]}×{SIZE[1]}, {processor()}")
        solve = measure(clip, folder / "default")
        if options.peer is not None:
            compare_with_peer(clip, folder, options.peer)
        report("whole solve            ", solve)
        report("with the preview video ", measure(clip, folder / "full", "--preview"))
        landmarks, fit = solve.stage_fps("landmarks"), solve.stage_fps("fit")
        share = solve.summary["seconds"]["landmarks"] / solve.summary["seconds"]["total"]
        print(f"decoding and landmarks  {landmarks:.1f} fps, {share:.0%} of the solve's time")
        print(f"fit alone               {fit:.1f} fps")
        make_clip(source, long_clip, options.frames * options.longer)
        longer = measure(long_clip, folder / "long")
        report(f"{options.longer} times as long        ", longer)
        growth = longer.peak_mb - solve.peak_mb
        per_hour = growth / (options.frames * (options.longer - 1)) * 3600 * FPS
        print(
            f"peak memory             {solve.peak_mb:.0f} MB, {options.longer} times as long {longer.peak_mb:.0f} MB, "
            f"ratio {longer.peak_mb / solve.peak_mb:.2f}, {per_hour:.0f} MB per hour of footage"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
