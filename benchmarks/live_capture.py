"""Live capture for a minute: `python -m benchmarks.live_capture [--method SOLVER.facecap] [--seconds 60] [--fps 60]`.

The sample take, forth and back at 1280×720, is played at its own rate into the live job, in a worker process as
Blender starts it; at 60 frames per second each of its frames is shown twice. Printed: frames dropped, latency from a
frame's due time to the owner's having it, whether latency grows, and how far the recording is from the truth, beside
the solve of the whole take.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from benchmarks.ground_truth import MOVING_M
from benchmarks.learned_actor import RESULTS, ROOT
from benchmarks.processor import processor
from benchmarks.sample_head import sample_rig
from benchmarks.sample_take import CLIP, TRUTH
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.footage.write import write_video
from facecap_addon.jobs.runtime.events import FaceEvent
from facecap_addon.jobs.runtime.runner import ProcessRunner
from facecap_addon.jobs.settings.live import LiveSettings
from facecap_addon.takes.measures.metrics import driven_rmse, moving_vertices
from facecap_addon.takes.npz import load_take

WORK = ROOT / ".cache" / "live"
TAKE_FPS, SIZE = 30, (1280, 720)


def clip_of(seconds: float, fps: int) -> tuple[Path, np.ndarray]:
    """The footage, made once, and (F,) which frame of the sample take each of its frames shows."""
    pictures = [frame.image for frame in read_frames(open_footage(CLIP))]
    there = np.arange(len(pictures))
    rows = np.resize(np.concatenate([there, there[-2:0:-1]]), round(seconds * TAKE_FPS)).repeat(fps // TAKE_FPS)
    path = WORK / f"take-{seconds:g}s-{fps}.mp4"
    if not path.is_file():
        WORK.mkdir(parents=True, exist_ok=True)
        big = []
        for picture in pictures:
            scale = SIZE[1] / picture.shape[0]
            wide = cv2.resize(picture, (round(picture.shape[1] * scale), SIZE[1]), interpolation=cv2.INTER_AREA)
            frame = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
            width = min(wide.shape[1], SIZE[0])
            left, cut = (SIZE[0] - width) // 2, (wide.shape[1] - width) // 2
            frame[:, left : left + width] = wide[:, cut : cut + width]
            big.append(frame)
        list(write_video(path, ((i / fps, big[row]) for i, row in enumerate(rows)), quality=14))
    return path, rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--method", default="landmarks")
    parser.add_argument("--fps", type=int, default=TAKE_FPS, choices=(TAKE_FPS, 2 * TAKE_FPS))
    options = parser.parse_args()
    video, rows = clip_of(options.seconds, options.fps)
    settings = LiveSettings(source=str(video), method=options.method, out=WORK, record=True)
    runner = ProcessRunner("live", settings)
    faces: list[tuple[float, float]] = []
    while not runner.done:
        for event in runner.poll():
            if isinstance(event, FaceEvent):
                faces.append((event.time_s, 1000 * (time.monotonic() - event.captured_s)))
        time.sleep(1 / 60)
    if runner.error is not None:
        raise SystemExit(f"{runner.error.what} {runner.error.way_out}")
    assert runner.result is not None
    facts = runner.result.result["facts"]
    times, late = np.array(faces).T
    thirds = [float(np.median(part)) for part in np.array_split(late, 3)]
    take, truth, rig = load_take(Path(runner.result.result["takes"][-1])), load_take(TRUTH), sample_rig()
    first = float(times[0])
    shown = rows[np.clip(np.round((take.time_s + first) * options.fps).astype(int), 0, len(rows) - 1)]
    moving = moving_vertices(rig.deltas, MOVING_M)
    columns = [truth.channels.index(c) for c in take.channels]
    error = driven_rmse(take.weights, truth.weights[shown][:, columns], rig.deltas, moving)[take.solved]
    lines = [
        f"python -m benchmarks.live_capture --seconds {options.seconds:g} --method {Path(options.method).name} "
        f"--fps {options.fps}",
        processor(),
        f"{facts['captured']:.0f} frames in {facts['seconds']:.1f} s, dropped {facts['dropped']:.0f} "
        f"({facts['dropped'] / facts['captured']:.2%})",
        f"due time to face in the worker: median {facts['latency_ms']:.1f} ms, p95 {facts['latency_p95_ms']:.1f} ms",
        f"due time to the owner (asking 60 times a second): median {np.median(late):.1f} ms, "
        f"p95 {np.percentile(late, 95):.1f} ms",
        f"median of the first, second and last third: {', '.join(f'{t:.1f}' for t in thirds)} ms",
        f"vertices that move: {1000 * np.sqrt((error**2).mean()):.2f} mm from the truth, causal and filtered",
    ]
    print("\n".join(lines))
    RESULTS.mkdir(exist_ok=True)
    name = "live_landmarks" if options.method == "landmarks" else "live_student"
    name += "" if options.fps == TAKE_FPS else f"_{options.fps}"
    (RESULTS / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
