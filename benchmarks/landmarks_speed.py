"""Speed of the landmark stage beside what onnxruntime alone takes for the same network calls.

`python -m benchmarks.landmarks_speed [VIDEO]`: prints frames per second of both, in one run on decoded frames in
memory, and their ratio; with VIDEO also the stage with decoding. Onnxruntime alone makes the calls one after the other,
on one thread and, for comparison, with all threads that it takes by default; the stage makes several calls at a time,
on one thread each. Without VIDEO the two Carphone frames of the tests are enlarged to 1280×720 and panned.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.landmarks.backends.blazeface import FULL_RANGE_FILE, SHORT_RANGE_FILE
from facecap_addon.landmarks.backends.mediapipe import LANDMARKS_FILE, MediaPipeLandmarker
from facecap_addon.landmarks.backends.model_files import MODELS_FOLDER
from facecap_addon.landmarks.tracking.observe import Accuracy, observe

TEST_DATA = Path(__file__).resolve().parents[1] / "tests" / "data"
FRAMES_IN_MEMORY = 240
PIECE = 40


@dataclass(frozen=True)
class Picture:
    """A decoded frame kept in memory."""

    index: int
    time_s: float
    image: NDArray[np.uint8]


class CountingSession:
    """Stands before an onnxruntime session: keeps its calls."""

    def __init__(self, session: Any, name: str) -> None:
        self.session = session
        self.name = name
        self.calls: list[tuple[list[str], NDArray[np.uint8]]] = []

    def run(self, outputs: list[str], feeds: dict[str, NDArray[np.uint8]]) -> Any:
        self.calls.append((outputs, feeds["image"]))
        return self.session.run(outputs, feeds)


def made_clip(count: int) -> list[Picture]:
    """A panned 1280×720 clip from the two test frames."""
    frames = [cv2.cvtColor(cv2.imread(str(TEST_DATA / f"carphone_{k}.png")), cv2.COLOR_BGR2RGB) for k in ("000", "060")]
    pictures: list[Picture] = []
    for i in range(count):
        blend = 0.5 - 0.5 * np.cos(i / 20)
        mixed = cv2.addWeighted(frames[0], 1 - blend, frames[1], blend, 0) if i % 2 else frames[i // 60 % 2]
        matrix = np.array([[5.0, 0.0, 200 + 40 * np.sin(i / 15)], [0.0, 5.0, 20 * np.cos(i / 11)]])
        pictures.append(Picture(i, i / 30, cv2.warpAffine(mixed, matrix, (1280, 720)).astype(np.uint8)))
    return pictures


def decoded(video: Path, count: int) -> list[Picture]:
    """The first frames of a video, in memory."""
    frames = itertools.islice(read_frames(open_footage(video)), count)
    return [Picture(frame.index, frame.time_s, frame.image) for frame in frames]


@dataclass(frozen=True)
class Speeds:
    """Frames per second of the stage, of onnxruntime alone on one thread and on all; and the median ratios to them."""

    stage: float
    alone: float
    alone_all_threads: float
    ratio: float
    ratio_all_threads: float


def measure(pictures: list[Picture], accuracy: Accuracy, rounds: int) -> Speeds:
    """The landmark stage, and the same network calls without it.

    They run one after the other on short pieces of the clip, so that a busy machine slows all alike.
    """
    landmarker = MediaPipeLandmarker()
    pieces = [pictures[i : i + PIECE] for i in range(0, len(pictures), PIECE)]
    default = {name: _default_session(name) for _, _, name in _holders(landmarker)}
    recorded: list[list[tuple[Any, Any, list[str], NDArray[np.uint8]]]] = []
    for piece in pieces:
        sessions = _count_calls(landmarker)
        for _ in observe(piece, landmarker, accuracy=accuracy):
            pass
        recorded.append([(s.session, default[s.name], *call) for s in sessions for call in s.calls])
        _stop_counting(landmarker)
    times: list[tuple[float, float, float]] = []
    for _ in range(rounds):
        for piece, calls in zip(pieces, recorded, strict=True):
            marks = [time.perf_counter()]
            for _ in observe(piece, landmarker, accuracy=accuracy):
                pass
            marks.append(time.perf_counter())
            for session, _, outputs, image in calls:
                session.run(outputs, {"image": image})
            marks.append(time.perf_counter())
            for _, session, outputs, image in calls:
                session.run(outputs, {"image": image})
            marks.append(time.perf_counter())
            times.append(tuple(np.diff(marks) / len(piece)))
    stage, alone, all_threads = np.array(times).T
    return Speeds(
        *(1 / float(np.median(seconds)) for seconds in (stage, alone, all_threads)),
        *(float(np.median(seconds / stage)) for seconds in (alone, all_threads)),
    )


def _holders(landmarker: MediaPipeLandmarker) -> Iterator[tuple[Any, str, str]]:
    """Who holds each network's session, in which attribute, and the network's file."""
    yield landmarker, "_network", LANDMARKS_FILE
    yield landmarker.detector.short_range, "session", SHORT_RANGE_FILE
    yield landmarker.detector.full_range, "session", FULL_RANGE_FILE


def _default_session(name: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(MODELS_FOLDER / name), providers=["CPUExecutionProvider"])


def _count_calls(landmarker: MediaPipeLandmarker) -> list[CountingSession]:
    sessions: list[CountingSession] = []
    for holder, name, file in _holders(landmarker):
        session = CountingSession(getattr(holder, name), file)
        sessions.append(session)
        object.__setattr__(holder, name, session)
    return sessions


def _stop_counting(landmarker: MediaPipeLandmarker) -> None:
    for holder, name, _ in _holders(landmarker):
        object.__setattr__(holder, name, getattr(holder, name).session)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, nargs="?", help="footage to use instead of the made clip")
    parser.add_argument("--rounds", type=int, default=3, help="times each piece of the clip is measured")
    options = parser.parse_args()
    pictures = decoded(options.video, FRAMES_IN_MEMORY) if options.video else made_clip(FRAMES_IN_MEMORY)
    height, width = pictures[0].image.shape[:2]
    print(f"{len(pictures)} frames of {width}×{height} in memory")
    for accuracy in ("normal", "high"):
        speeds = measure(pictures, accuracy, options.rounds)
        print(
            f"{accuracy:>6}: landmark stage {speeds.stage:6.1f} fps, onnxruntime alone {speeds.alone:6.1f} fps, "
            f"ratio {speeds.ratio:.2f}   (on all threads {speeds.alone_all_threads:.1f} fps, "
            f"ratio {speeds.ratio_all_threads:.2f})"
        )
    if options.video:
        landmarker, started, count = MediaPipeLandmarker(), time.perf_counter(), 0
        for _ in observe(read_frames(open_footage(options.video)), landmarker):
            count += 1
        print(f"normal, decoding included: {count / (time.perf_counter() - started):.1f} fps over {count} frames")


if __name__ == "__main__":
    main()
