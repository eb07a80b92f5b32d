"""A solver that finds landmarks itself: without a landmark network it still has a head, and a wall has no face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facecap_addon.footage.footage import open_footage  # noqa: E402
from facecap_addon.footage.read import read_frames  # noqa: E402
from facecap_addon.footage.write import write_video  # noqa: E402
from facecap_addon.landmarks.layout import MEDIAPIPE_OF_IBUG  # noqa: E402
from facecap_addon.landmarks.registry import open_landmarker  # noqa: E402
from facecap_addon.landmarks.tracking.face_gate import FaceGate  # noqa: E402
from facecap_addon.learn.export.onnx_export import to_onnx  # noqa: E402
from facecap_addon.rig.blendshapes import BlendshapeRig, load_rig  # noqa: E402
from facecap_addon.solvers.bundle import SolverBundle, SolverFacts, save_bundle  # noqa: E402
from facecap_addon.solvers.crop import Framing, PictureKind  # noqa: E402
from facecap_addon.solvers.face_keypoints import extract_face_keypoints  # noqa: E402
from facecap_addon.takes.npz import load_take  # noqa: E402
from tests.jobs.solving import quick, run  # noqa: E402

CLIP = Path(__file__).resolve().parents[2] / "sample_scenes" / "take_01.mp4"
FRAMES, FOCAL_PX = 6, 864.0


class Remembered(torch.nn.Module):
    """A face that is the same whatever the picture."""

    def __init__(self, weights: np.ndarray, points: np.ndarray) -> None:
        super().__init__()
        self.weights, self.points = torch.from_numpy(weights), torch.from_numpy(points)

    def forward(self, picture):  # type: ignore[no-untyped-def]
        nothing = 0 * picture.mean((1, 2, 3))[:, None]
        return nothing + self.weights, nothing + self.points


def write_solver(path: Path, rig: BlendshapeRig, weights: np.ndarray, points: np.ndarray, framing: Framing) -> Path:
    """A solver that sees the middle of a wide picture, and always the same face in it."""
    network = Remembered(weights, points.ravel())
    model = to_onnx(network, {"picture": torch.zeros(1, 1, 32, 32)}, ("weights", "landmarks"))
    facts = SolverFacts(
        "still", "weights", (0.25, 0.0, 0.5, 1.0), None, PictureKind(32, 32), 0.5, 0.2, rig.channels,
        rig.vertex_count, {}, framing=framing,
    )  # fmt: skip
    save_bundle(path, SolverBundle(facts, {"face": model}, np.zeros(0, np.int32), rig.neutral))
    return path


@pytest.mark.usefixtures("models")
def test_lids_that_a_solver_leaves_open_by_a_slit_are_shut_unless_it_is_asked_not_to(tmp_path: Path) -> None:
    from facecap_addon.jobs.steps.sample_head import CACHE

    rig = load_rig(sorted(CACHE.glob("rig-*.npz"))[-1])
    blinks = [rig.channels.index(f"eyeBlink{side}") for side in ("Left", "Right")]
    weights = np.zeros(len(rig.channels), np.float32)
    weights[blinks] = 0.94
    frame = next(iter(read_frames(open_footage(CLIP))))
    size = open_footage(CLIP).size_px
    seen = FaceGate(open_landmarker()).look(frame)
    assert seen is not None
    points = ((seen.landmarks_px[list(MEDIAPIPE_OF_IBUG)] + 0.5) / size - (0.25, 0)) * (2, 1)  # in parts of the crop
    framing = Framing(size, 30.0, (0.2, 0.2, 0.8, 0.8))
    solver = write_solver(tmp_path / "slit.facecap", rig, weights, points.astype(np.float32), framing)
    lids = []
    for contact in (True, False):
        settings = quick(
            CLIP, tmp_path / str(contact), method=str(solver), head=False, focal_px=FOCAL_PX, end="2", contact=contact
        )
        take = load_take(Path(run("solve", settings)["take"]))
        lids.append(take.weights[take.solved][:, [take.channels.index(rig.channels[k]) for k in blinks]])
    assert lids[0].min() > 0.97
    np.testing.assert_allclose(lids[1], 0.94, atol=1e-5)


@pytest.mark.usefixtures("models")
def test_a_solvers_own_landmarks_give_the_head_where_no_landmark_network_is_asked(tmp_path: Path) -> None:
    from facecap_addon.jobs.steps.sample_head import CACHE

    frames = [frame for frame, _ in zip(read_frames(open_footage(CLIP)), range(FRAMES), strict=False)]
    size = (frames[0].image.shape[1], frames[0].image.shape[0])
    seen = FaceGate(open_landmarker()).look(frames[0])
    assert seen is not None
    points = ((seen.landmarks_px[list(MEDIAPIPE_OF_IBUG)] + 0.5) / size).astype(np.float32)
    quiet = quick(CLIP, tmp_path / "landmarks", end=str(FRAMES - 1), focal_px=FOCAL_PX)
    wanted = load_take(Path(run("solve", quiet)["take"]))
    rig = load_rig(sorted(CACHE.glob("rig-*.npz"))[-1])
    rest = np.zeros(len(rig.channels), np.float32)
    # It learned from pictures twice as wide, of which it saw the middle; the clip is that middle.
    box = extract_face_keypoints(seen.landmarks_px[None], size, "mediapipe-478")[1][0].tolist()
    framing = Framing((2 * size[0], size[1]), 30.0, (box[0], box[1], box[2], box[3]))
    solver = write_solver(tmp_path / "still.facecap", rig, rest, points, framing)
    shown = [frame.image if i != 3 else np.full_like(frame.image, 90) for i, frame in enumerate(frames)]
    video = tmp_path / "seen.mp4"
    list(write_video(video, ((i / 30, image) for i, image in enumerate(shown)), quality=8))
    settings = quick(video, tmp_path / "own", method=str(solver), head=False, focal_px=FOCAL_PX)
    facts_of_run = run("solve", settings)
    assert any("its crop is placed about the face" in note for note in facts_of_run["summary"]["warnings"])
    take = load_take(Path(facts_of_run["take"]))
    assert take.solved.tolist() == [True, True, True, False, True, True]
    assert take.confidence[3].max() == 0 and np.isnan(take.landmarks_px[3]).all()
    np.testing.assert_allclose(take.landmarks_px[0], points * size - 0.5, atol=0.02 * size[0])
    # The head stands where the landmark fit has it, nearly: the mouth of this face is at rest.
    np.testing.assert_allclose(take.head_translation_m[0], wanted.head_translation_m[0], atol=0.03)
    assert np.isfinite(take.residual_px[take.solved]).all() and take.residual_px[0] < 8
