"""Renders the head under given curves to a video with its ground truth.

    python sample_scenes/render_take.py                            # the committed take_01: our own performance
    python sample_scenes/render_take.py --curves phone.csv --out mine --start 12 --seconds 8

Writes OUT.mp4, OUT.npz (the arrays of a Take, exact) and OUT.csv (Live Link Face). Curves of one's own are a take
(.npz) or a Live Link Face recording (.csv); the head then moves as they say. bpy and the project's packages are needed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from facecap_addon.errors import FacecapError  # noqa: E402
from facecap_addon.footage.write import write_video  # noqa: E402
from facecap_addon.landmarks.layout import MEDIAPIPE_478  # noqa: E402
from facecap_addon.rig.embedding import find_head_space  # noqa: E402
from facecap_addon.takes.formats.live_link import read_live_link_csv, write_live_link_csv  # noqa: E402
from facecap_addon.takes.npz import load_take, save_take  # noqa: E402
from facecap_addon.takes.take import REGIONS, STATUS_SOLVED, Take  # noqa: E402
from sample_scenes.head.arrays import HeadArrays, build_head_arrays  # noqa: E402
from sample_scenes.head.eye_keys import GAZE_DEGREES  # noqa: E402
from sample_scenes.head.keys import ARKIT_KEYS  # noqa: E402
from sample_scenes.head.landmarks import MeshLandmarks, load_landmarks  # noqa: E402
from sample_scenes.performance import FPS, Performance, perform  # noqa: E402
from sample_scenes.studio import CAMERA_FROM_WORLD, Studio, head_matrix, open_studio  # noqa: E402

F64 = NDArray[np.float64]
OUT = Path(__file__).resolve().with_name("take_01")
SIZE_PX, SAMPLES = 432, 12
LENS_MM, DISTANCE_M = 72.0, 0.58


def curves_from(path: Path, start_s: float, seconds: float) -> Performance:
    """Part of a take or a Live Link recording at 25 frames per second, with its head motion.

    Raises FacecapError if the file cannot be read, or ends before `start_s`.
    """
    take = load_take(path) if path.suffix.lower() == ".npz" else read_live_link_csv(path)
    frames = min(round(seconds * FPS), int((take.time_s[-1] - start_s) * FPS + 1e-6) + 1)
    if frames < 1:
        raise FacecapError(f"{path.name} ends before {start_s} s.", "Name an earlier --start.")
    time_s = start_s + np.arange(frames) / FPS
    weights = np.zeros((len(time_s), len(ARKIT_KEYS)))
    for i, name in enumerate(ARKIT_KEYS):
        if name in take.channels:
            weights[:, i] = np.interp(time_s, take.time_s, take.weights[:, take.channels.index(name)])
    nearest = np.rint(np.interp(time_s, take.time_s, np.arange(take.frame_count))).astype(np.intp)
    world = CAMERA_FROM_WORLD.T @ Rotation.from_quat(take.head_rotation_wxyz[nearest][:, [1, 2, 3, 0]]).as_matrix()
    yaw, pitch, roll = Rotation.from_matrix(world).as_euler("ZXY").T
    turn = np.stack([yaw, -pitch, roll], axis=1)
    still = np.zeros((len(time_s), 3))
    return Performance(time_s - start_s, np.clip(weights, 0, 1), turn, still)


def truth_of(performance: Performance, studio: Studio, head: HeadArrays, landmarks: MeshLandmarks) -> Take:
    """What a perfect solve of the rendered video would say."""
    frames = len(performance.time_s)
    names = list(ARKIT_KEYS)
    neutral, deltas = _landmark_geometry(head, landmarks)
    origin = np.linalg.inv(find_head_space(CAMERA_FROM_WORLD, neutral, MEDIAPIPE_478)[0])[:3, 3]
    rotation, translation = np.empty((frames, 3, 3)), np.empty((frames, 3))
    points = np.empty((frames, len(neutral), 2), np.float32)
    for f in range(frames):
        world = head_matrix(performance.turn_rad[f], performance.shift_m[f])
        rotation[f] = CAMERA_FROM_WORLD @ world[:3, :3]
        translation[f] = CAMERA_FROM_WORLD @ (world[:3, :3] @ origin + world[:3, 3] - studio.camera_m)
        shape = neutral + np.tensordot(performance.weights[f], deltas, axes=1)
        points[f] = studio.pixels(shape @ world[:3, :3].T + world[:3, 3])
    gaze = np.empty((frames, 2, 2))
    for i, side in enumerate(("Right", "Left")):
        to_left, to_right = ("Out", "In") if side == "Left" else ("In", "Out")
        for j, (more, less) in enumerate(((to_left, to_right), ("Up", "Down"))):
            up, down = (performance.weights[:, names.index(f"eyeLook{way}{side}")] for way in (more, less))
            gaze[:, i, j] = np.radians(up * GAZE_DEGREES[more] - down * GAZE_DEGREES[less])
    quaternion = Rotation.from_matrix(rotation).as_quat()[:, [3, 0, 1, 2]]
    quaternion *= np.where(quaternion[:, :1] < 0, -1, 1)
    return Take(
        time_s=performance.time_s,
        channels=ARKIT_KEYS,
        weights=performance.weights.astype(np.float32),
        head_rotation_wxyz=quaternion.astype(np.float32),
        head_translation_m=translation.astype(np.float32),
        gaze_rad=gaze.astype(np.float32),
        confidence=np.ones((frames, len(REGIONS)), np.float32),
        regions=REGIONS,
        status=np.full(frames, STATUS_SOLVED, np.int8),
        landmarks_px=points,
        residual_px=np.zeros(frames, np.float32),
        image_size=(studio.size_px, studio.size_px),
        focal_px=studio.focal_px,
        provenance={"source": "sample_scenes/render_take.py", "rig": "sample_scenes/head.blend"},
    )


def render(performance: Performance, studio: Studio, path: Path) -> None:
    """Render every frame and encode the video, completely or not at all."""
    began = time.perf_counter()
    frames = len(performance.time_s)
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "frame.png"

        def shoot(f: int) -> np.ndarray:
            weights = dict(zip(ARKIT_KEYS, performance.weights[f].tolist(), strict=True))
            studio.pose(weights, performance.turn_rad[f], performance.shift_m[f])
            studio.shoot(picture)
            return cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)

        for done in write_video(path, ((f / FPS, shoot(f)) for f in range(frames)), quality=17):
            left_s = (time.perf_counter() - began) / done * (frames - done)
            print(f"frame {done} of {frames}, {left_s:.0f} s left", file=sys.stderr)


def _landmark_geometry(head: HeadArrays, landmarks: MeshLandmarks) -> tuple[F64, F64]:
    """(L, 3) landmarks of the neutral and (52, L, 3) how each key moves them, m, Blender's axes."""
    neutral = landmarks.positions(head.neutral.astype(np.float64))
    deltas = np.stack([landmarks.positions(head.deltas[name].astype(np.float64)) for name in ARKIT_KEYS])
    return np.asarray(neutral), deltas


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help="without ending")
    parser.add_argument("--curves", type=Path, help="take .npz or Live Link .csv; absent: our own performance")
    parser.add_argument("--start", type=float, default=0.0, help="seconds into the curves")
    parser.add_argument("--seconds", type=float, default=9.0)
    parser.add_argument("--size", type=int, default=SIZE_PX, help="width and height, even")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--truth-only", action="store_true", help="write the truth, not the video")
    options = parser.parse_args(arguments)
    try:
        performance = curves_from(options.curves, options.start, options.seconds) if options.curves else perform()
    except FacecapError as error:
        parser.exit(2, f"{error}\n")
    studio = open_studio(options.size, options.samples, lens_mm=LENS_MM, distance_m=DISTANCE_M)
    truth = truth_of(performance, studio, build_head_arrays(), load_landmarks()[0])
    save_take(options.out.with_suffix(".npz"), truth)
    write_live_link_csv(options.out.with_suffix(".csv"), truth)
    if not options.truth_only:
        render(performance, studio, options.out.with_suffix(".mp4"))


if __name__ == "__main__":
    main()
