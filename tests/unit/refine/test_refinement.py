"""A whole refinement of a short take that our own renderer drew: which frames are solved by what, and what is said."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from facecap_addon.landmarks.observations import Observations  # noqa: E402
from facecap_addon.landmarks.registry import open_landmarker  # noqa: E402
from facecap_addon.refine.finished_solve import FinishedSolve  # noqa: E402
from facecap_addon.refine.flow.optical_flow import DisFlow  # noqa: E402
from facecap_addon.refine.networks.landmark_module import open_module  # noqa: E402
from facecap_addon.refine.refine import Callbacks, PictureModels, Refinement, RefineResult  # noqa: E402
from facecap_addon.refine.settings import DeepSettings  # noqa: E402
from facecap_addon.refine.shots import Shot  # noqa: E402
from facecap_addon.refine.state import DeepState  # noqa: E402
from facecap_addon.refine.take_state import with_state  # noqa: E402
from facecap_addon.takes.corrections import Correction, add_corrections, corrections_of  # noqa: E402
from facecap_addon.takes.take import STATUS_INFILLED, STATUS_MISSING, STATUS_SOLVED, Take  # noqa: E402
from tests.unit.deep_scene import FOCAL_PX, SIZE, frames, one, picture, render_mesh, view  # noqa: E402
from tests.unit.refine.test_deep_energy import aside  # noqa: E402
from tests.unit.sample import posed_take, sample  # noqa: E402

COUNT = 4
TRUE = frames(15).part(slice(5, 5 + COUNT))
QUICK = DeepSettings(looks=1, likeness="other", temporal="none", prior=0.1)


class Memory:
    """Keeps finished parts; a `ChunkStore`."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, np.ndarray]] = {}

    def load(self, name: str) -> dict[str, np.ndarray] | None:
        return self.parts.get(name)

    def save(self, name: str, arrays: dict[str, np.ndarray]) -> None:
        self.parts[name] = arrays


@lru_cache(maxsize=2)
def shot_from(*, the_side: bool) -> Shot:
    """A camera's footage of the true frames, and what was found in it."""
    camera = aside() if the_side else view()
    landmarker = open_landmarker()
    pictures = [picture(one(TRUE, row), camera) for row in range(COUNT)]
    regions = [landmarker.region_of_face(landmarker.find_faces(drawn)[0]) for drawn in pictures]
    found = [
        landmarker.landmarks_in_regions(drawn, [region])[0] for drawn, region in zip(pictures, regions, strict=True)
    ]
    landmarks = np.stack([seen.landmarks_px for seen in found]).astype(np.float32)
    return Shot(camera, landmarks, pictures.__getitem__, landmarker.region_of_landmarks)


def take_of(state: DeepState, missing: tuple[int, ...] = ()) -> Take:
    """A solve that holds a state; what is missing holds nothing."""
    take = posed_take(state.weights, np.zeros((COUNT, 3)), fps=25.0, size=SIZE, focal_px=FOCAL_PX)
    take = with_state(take, state, np.ones(COUNT, bool), render_mesh())
    status = take.status.copy()
    status[list(missing)] = STATUS_MISSING
    there = (status == STATUS_SOLVED)[:, None]
    return replace(
        take,
        status=status,
        weights=np.where(there, take.weights, 0),
        head_translation_m=np.where(there, take.head_translation_m, 0),
        head_rotation_wxyz=np.where(there, take.head_rotation_wxyz, np.float32([1, 0, 0, 0])),
    )


def refined(take: Take, settings: DeepSettings, shots: list[Shot], **more: Any) -> RefineResult:
    """The take refined with the sample head, which it shows."""
    first = shots[0]
    seen = Observations(
        time_s=take.time_s,
        frame_index=np.arange(COUNT),
        landmarks_px=first.landmarks_px,
        depth_px=np.zeros(first.landmarks_px.shape[:2], np.float32),
        presence=first.seen.astype(np.float32),
        confidence=np.ones(first.landmarks_px.shape[:2], np.float32),
        scheme="mediapipe-478",
        image_size=SIZE,
        model_version="drawn",
    )
    solve = FinishedSolve(take, seen, sample().rig, sample().embedding)
    models = PictureModels(open_module("mediapipe-478", None), DisFlow())
    nobody = Callbacks(lambda *_: None, lambda *_: None)
    return Refinement(solve, shots, models, settings, nobody, Memory(), **more).run()


def test_a_face_that_the_first_camera_loses_and_another_sees_is_solved_by_that_one(models: Path) -> None:
    """Flow would follow what hides the face there."""
    first, second = shot_from(the_side=False), shot_from(the_side=True)
    take = take_of(TRUE, missing=(2,))
    lost = first.landmarks_px.copy()
    lost[2] = np.nan
    hidden = replace(
        first, landmarks_px=lost, picture=lambda row: first.picture(row) if row != 2 else 0 * first.picture(0)
    )
    # The character is a little smaller than life, and so is the room around it.
    second = replace(second, view=second.view.scale(render_mesh().scale))
    result = refined(take, QUICK, [hidden, second])
    assert result.take.status.tolist() == [STATUS_SOLVED, STATUS_SOLVED, STATUS_INFILLED, STATUS_SOLVED]
    assert any("2) were solved by further cameras alone" in note for note in result.notes), result.notes
    assert np.isfinite(result.error_mm[2])
    assert np.linalg.norm(result.take.head_translation_m[2] - take_of(TRUE).head_translation_m[2]) < 0.004


def test_frames_that_flow_cannot_solve_stay_as_they_were_and_are_named(models: Path) -> None:
    take = add_corrections(take_of(TRUE), [Correction(0.12, pose={"jawOpen": 0.5})])
    settings = replace(QUICK, infill_frames="0,2", infill=False)
    result = refined(take, settings, [shot_from(the_side=False)])
    assert not corrections_of(result.take)  # what is refined is not what was corrected
    assert result.take.status.tolist() == [STATUS_SOLVED, STATUS_SOLVED, STATUS_INFILLED, STATUS_SOLVED]
    np.testing.assert_array_equal(result.take.weights[0], take.weights[0])
    assert any("could not solve 0: they lie at an end of the take" in note for note in result.notes), result.notes


def test_the_papers_own_stages_build_the_mouth_up_from_nothing(models: Path) -> None:
    """Whatever the solve's mouth is like; what they do not move stays the solve's."""
    wrong = TRUE.part(slice(None))
    opening, brow = (render_mesh().channels.index(name) for name in ("jawOpen", "browInnerUp"))
    wrong.weights[:, opening] = 0.0
    wrong.weights[:, brow] = 0.3
    settings = replace(QUICK, schedule="paper", prior=0.0, reestimate=False)
    first = shot_from(the_side=False)
    result = refined(take_of(wrong), settings, [first], rows=(1, 1))
    assert not result.failed.any()
    away = result.take.weights[1, opening] - TRUE.weights[1, opening]
    assert TRUE.weights[1, opening] > 0.3
    assert abs(away) < 0.15, result.take.weights[1, opening]
    np.testing.assert_allclose(result.take.weights[1, brow], 0.3)
