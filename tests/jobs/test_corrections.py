"""Corrections in the solve job: what is near is solved anew and merged, the rest stays to the bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.footage.footage import Footage
from facecap_addon.jobs.settings.solve import SolveSettings
from facecap_addon.jobs.steps.results.into_take import REFINED, Base, Corrected, merge_into, near_spans
from facecap_addon.rig.blendshapes import save_rig
from facecap_addon.takes.corrections import (
    Correction,
    changed_spans,
    corrections_of,
    load_corrections,
    save_corrections,
)
from facecap_addon.takes.merge import rows_of, solved_spans
from facecap_addon.takes.names import Origin
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.versions import add_id
from tests.jobs.solving import quick, run
from tests.unit.rig.test_landmark_edits import lower_brows
from tests.unit.takes.test_corrections import flat_take

FPS = 25.0


def solve(video: Path, out: Path, **more: object) -> dict:
    return run("solve", quick(video, out, **more))


def test_only_what_is_near_is_solved_anew_and_a_deleted_correction_is_taken_back(
    face_clip: Path, tmp_path: Path
) -> None:
    out, path = tmp_path / "out", tmp_path / "face.corrections.json"
    solve(face_clip, out)
    whole = load_take(out / "face.take.npz")
    corrections = [
        Correction(8 / FPS, pose={"jawOpen": 0.9}, reach_s=0.08),
        Correction(30 / FPS, pose={"mouthPucker": 0.8}, reach_s=0.08),
    ]
    save_corrections(path, corrections)
    result = solve(face_clip, out, corrections=path)
    now = load_take(out / "face.take.npz")
    assert now.frame_count == 40 and result["summary"]["landmarks_reused"]
    assert now.weights[8, now.channels.index("jawOpen")] == pytest.approx(0.9, abs=0.02)
    assert now.weights[30, now.channels.index("mouthPucker")] == pytest.approx(0.8, abs=0.02)
    far = np.r_[0:2, 15:24, 37:40]
    for name in ("weights", "head_rotation_wxyz", "head_translation_m", "gaze_rad", "landmarks_px"):
        np.testing.assert_array_equal(getattr(now, name)[far], getattr(whole, name)[far], err_msg=name)
    assert len(corrections_of(now)) == 2 and len(solved_spans(now)) == 2
    np.testing.assert_array_equal(load_take(Path(result["before"])).weights, whole.weights)

    with pytest.raises(FacecapError, match="already"):
        solve(face_clip, out, corrections=path)
    save_corrections(path, corrections[1:])
    solve(face_clip, out, corrections=path)
    back = load_take(out / "face.take.npz")
    assert np.abs(back.weights[:15] - whole.weights[:15]).max() < 0.1
    np.testing.assert_array_equal(back.weights[15:], now.weights[15:])
    assert [one.time_s for one in corrections_of(back)] == [pytest.approx(30 / FPS)]


def test_a_correction_of_the_last_frame_is_in_the_take_although_files_round_its_time(tmp_path: Path) -> None:
    take = flat_take(180)
    whole = SolveSettings(video=tmp_path / "talk.mp4", out=tmp_path)
    base = Base(take, tmp_path / "talk.take.npz", whole, cast(Footage, None))  # merging opens no footage
    save_corrections(tmp_path / "c.json", [Correction(float(take.time_s[-1]), pose={"jawOpen": 0.5})])
    corrections = load_corrections(tmp_path / "c.json")
    assert corrections[0].time_s > take.time_s[-1]  # rounded up
    spans = tuple(changed_spans([], corrections))
    part = rows_of(take, near_spans(take.time_s, spans))
    merged = merge_into(base, part, whole, Origin("talk.mp4", "1"), None, [], Corrected(corrections, spans))
    assert not changed_spans(corrections_of(merged), corrections)
    again = replace(base, take=merged)
    removed = merge_into(again, part, whole, Origin("talk.mp4", "1"), None, [], Corrected((), spans))
    assert not corrections_of(removed)


def test_what_is_near_goes_into_no_take_of_another_character(face_clip: Path, tmp_path: Path) -> None:
    out, path, other = tmp_path / "out", tmp_path / "face.corrections.json", tmp_path / "other.rig.npz"
    solve(face_clip, out)
    whole = load_take(out / "face.take.npz")
    save_corrections(path, [Correction(8 / FPS, pose={"jawOpen": 0.9}, reach_s=0.08)])
    save_rig(other, lower_brows()[0])
    with pytest.raises(FacecapError, match="another character"):
        solve(face_clip, out, corrections=path, character=str(other))
    np.testing.assert_array_equal(load_take(out / "face.take.npz").weights, whole.weights)


def test_refining_says_that_it_knows_no_corrections(face_clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    path = tmp_path / "face.corrections.json"
    save_corrections(path, [Correction(0.2, pose={"jawOpen": 0.9})])
    with pytest.raises(FacecapError, match="Refining"):
        solve(face_clip, tmp_path / "out", corrections=path, method="deep")


def test_landmarks_moved_on_the_character_arrive_in_the_solve(face_clip: Path, tmp_path: Path) -> None:
    lowered = lower_brows()[0]
    paths = {"found": tmp_path / "found.rig.npz", "moved": tmp_path / "moved.rig.npz"}
    save_rig(paths["found"], replace(lowered, edits=None))
    save_rig(paths["moved"], lowered)
    takes = {}
    for name, path in paths.items():
        solve(face_clip, tmp_path / name, character=str(path), adapt=False)
        takes[name] = load_take(tmp_path / name / "face.take.npz")
    brows = [k for k, channel in enumerate(takes["found"].channels) if channel.startswith("brow")]
    # Against lower landmarks on the character the actor's brows are higher: she frowns less and raises them more.
    up = [1 if "Up" in takes["found"].channels[k] else -1 for k in brows]
    change = (takes["moved"].weights - takes["found"].weights)[:, brows].mean(0) * up
    assert change.sum() > 0.1


def test_what_refining_found_stays_under_a_correction(face_clip: Path, tmp_path: Path) -> None:
    """The refined take is the fit with a known offset: it must be there still, also near the corrected frame."""
    out, path = tmp_path / "out", tmp_path / "face.corrections.json"
    solve(face_clip, out)
    fitted = load_take(out / "face.take.npz")
    smile, jaw = (fitted.channels.index(name) for name in ("mouthSmileLeft", "jawOpen"))
    weights = fitted.weights.copy()
    weights[:, smile] = np.clip(weights[:, smile] + 0.2, 0, 1)
    moved = fitted.head_translation_m + np.float32(0.001)
    refined = add_id(
        replace(fitted, weights=weights, head_translation_m=moved, provenance={**fitted.provenance, REFINED: {}})
    )
    save_take(out / "face.take.npz", refined)
    save_corrections(path, [Correction(20 / FPS, pose={"jawOpen": 0.9}, reach_s=0.12)])
    solve(face_clip, out, corrections=path)
    now = load_take(out / "face.take.npz")
    assert now.weights[20, jaw] == pytest.approx(0.9, abs=1e-3) and REFINED in now.provenance
    assert now.weights[19, jaw] > fitted.weights[19, jaw] + 0.2
    np.testing.assert_allclose(now.weights[:, smile], refined.weights[:, smile], atol=0.05)
    np.testing.assert_allclose(now.head_translation_m, moved, atol=1e-5)
    far = np.r_[0:8, 32:40]
    np.testing.assert_array_equal(now.weights[far], refined.weights[far])
    save_corrections(path, [Correction(20 / FPS, pose={"jawOpen": 0.5}, reach_s=0.12)])
    solve(face_clip, out, corrections=path)
    again = load_take(out / "face.take.npz")
    assert again.weights[20, jaw] == pytest.approx(0.5, abs=1e-3)
    save_corrections(path, [])
    solve(face_clip, out, corrections=path)
    back = load_take(out / "face.take.npz")
    np.testing.assert_allclose(back.weights, refined.weights, atol=0.05)
