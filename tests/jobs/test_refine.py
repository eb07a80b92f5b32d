"""Refining a solve: better where it looked, untouched where it did not, and words where it cannot."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.jobs.refine import take_in
from facecap_addon.jobs.runtime.events import JobResult, decode_event
from facecap_addon.jobs.runtime.progress import Progress
from facecap_addon.jobs.settings.refine import RefineSettings
from facecap_addon.jobs.settings.solve import SolveSettings
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.take import STATUS_INFILLED, STATUS_SOLVED
from tests.jobs.solving import facecap, half_written, run, steps_of
from tests.unit.takes.test_between import make_take

pytest.importorskip("torch")
pytest.importorskip("numba")

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "sample_scenes" / "take_01.mp4"
BEGIN, END = 60, 67
"""Frames of the clip that are solved."""
FIRST, LAST = 2, 5
"""Frames of the take that are refined."""


@pytest.fixture(scope="module")
def solved(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A solve of part of the sample take, with the known camera."""
    out = tmp_path_factory.mktemp("refine")
    part = {"start": str(BEGIN), "end": str(END)}
    settings = SolveSettings(video=CLIP, out=out, **part, focal_px=864.0, report=False, blend=False, live_link=False)
    run("solve", settings)
    return out


def quick(folder: Path, **more: object) -> RefineSettings:
    """Few frames, few looks, no slow files."""
    chosen = {"start": FIRST, "end": LAST, "looks": 1, "blend": False, "report": False}
    return RefineSettings(folder=folder, **(chosen | more))  # type: ignore[arg-type]


def test_what_was_made_of_a_solve_is_not_chosen(tmp_path: Path) -> None:
    solve = make_take(np.arange(3) / 25)
    made = {f"talk.{how}": {} for how in ("filtered", "refined", "edited")}
    made |= {f"mine-{how}": {how: {}} for how in ("filtered", "refined", "edited")}
    for name, facts in made.items():
        save_take(tmp_path / f"{name}.take.npz", replace(solve, provenance=dict(facts)))
    with pytest.raises(FacecapError, match="holds no solve"):
        take_in(RefineSettings(folder=tmp_path))
    save_take(tmp_path / "talk.take.npz", solve)
    assert take_in(RefineSettings(folder=tmp_path)) == tmp_path / "talk.take.npz"
    save_take(tmp_path / "walk.take.npz", solve)
    with pytest.raises(FacecapError, match="holds 2 takes"):
        take_in(RefineSettings(folder=tmp_path))


def lip_error_mm(folder: Path, name: str, rows: slice) -> float:
    """RMSE of the jaw's and the lips' keys' effect against the truth of the sample take."""
    from facecap_addon.jobs.steps.sample_head import CACHE
    from facecap_addon.rig.blendshapes import load_rig

    rig = load_rig(sorted(CACHE.glob("rig-*.npz"))[-1])
    truth, take = load_take(CLIP.with_suffix(".npz")), load_take(folder / name)
    order = [truth.channels.index(channel) for channel in take.channels]
    difference = take.weights[rows] - truth.weights[BEGIN : END + 1, order][rows]
    moving = rig.deltas[:, np.linalg.norm(rig.deltas, axis=2).max(0) > 0.002]
    return float(np.sqrt((np.tensordot(difference, moving, axes=1) ** 2).sum(-1).mean())) * 1000


def test_a_refined_range_is_nearer_the_truth_and_the_rest_is_as_it_was(solved: Path) -> None:
    before = load_take(solved / "take_01.take.npz")
    stages: list[str] = []
    facts = run("refine", quick(solved, report=True), lambda progress, _: stages.append(progress.stage))
    after = load_take(Path(facts["take"]))
    rows = slice(FIRST, LAST + 1)
    passes = ("head", "flow", "time", "shape", "head again", "face", "expression")
    assert tuple(stage for stage in dict.fromkeys(stages) if stage in passes) == passes
    assert lip_error_mm(solved, "take_01.refined.take.npz", rows) < lip_error_mm(solved, "take_01.take.npz", rows)
    outside = np.ones(before.frame_count, bool)
    outside[rows] = False
    np.testing.assert_array_equal(after.weights[outside], before.weights[outside])
    np.testing.assert_array_equal(after.head_translation_m[outside], before.head_translation_m[outside])
    assert (after.weights >= 0).all() and (after.weights <= 1).all()
    assert after.provenance["method"] == "deep energies"
    # The solve itself stays; the refinement lies beside it.
    np.testing.assert_array_equal(load_take(solved / "take_01.take.npz").weights, before.weights)
    assert Path(facts["report"]).read_text(encoding="utf-8").count("data:image/jpeg") >= 1
    assert (solved / ".take_01.facecap" / "live.jpg").is_file()
    refinement = json.loads(Path(facts["summary_path"]).read_text(encoding="utf-8"))["refinement"]
    assert refinement["frames_failed"] == 0
    assert 0.1 < refinement["landmark_error_mm"] < 2.5  # it did look: a face pass compares pictures alone
    assert not half_written(solved)


def test_frames_named_by_hand_are_filled_by_flow(solved: Path) -> None:
    facts = run("refine", quick(solved, infill_frames="3-4", temporal="none"))
    after = load_take(Path(facts["take"]))
    assert (after.status[3:5] == STATUS_INFILLED).all()
    assert (np.delete(after.status, [3, 4]) == STATUS_SOLVED).all()
    assert any("optical flow" in warning for warning in facts["summary"]["warnings"])
    truth = load_take(CLIP.with_suffix(".npz"))
    shift = after.head_translation_m[3] - after.head_translation_m[2]
    true = truth.head_translation_m[BEGIN + 3] - truth.head_translation_m[BEGIN + 2]
    assert np.linalg.norm(shift - true) < 0.002


def test_a_refinement_that_was_stopped_goes_on_by_the_command_line(solved: Path) -> None:
    settings = quick(solved, end=FIRST + 1, temporal="none")
    steps = steps_of("refine", settings)
    assert any(progress.stage == "face" for progress in steps)
    steps.close()
    done = facecap(
        "refine", solved, "--start", FIRST, "--end", FIRST + 1, "--looks", 1, "--temporal", "none",
        "--no-blend", "--no-report", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    events = [decode_event(line) for line in done.stdout.splitlines()]
    stages = [event.stage for event in events if isinstance(event, Progress)]
    assert stages.count("head") == 2  # begun and done: its part was kept
    last = events[-1]
    assert isinstance(last, JobResult) and last.result["take"].endswith("take_01.refined.take.npz")
    assert not half_written(solved)


def test_a_damaged_part_is_made_again_and_another_way_through_time_starts_from_its_own_heads(solved: Path) -> None:
    def refined(method: str) -> np.ndarray:
        run("refine", quick(solved, end=LAST - 1, temporal=method, reestimate=False))
        return load_take(solved / "take_01.refined.take.npz").weights

    whole = refined("averaging")
    parts = sorted((solved / ".take_01.facecap").glob("refine-*/face-*.npz"))
    assert parts
    for part in parts:
        part.write_bytes(part.read_bytes()[:2000])
    np.testing.assert_allclose(refined("averaging"), whole, atol=1e-5)
    # What is kept of one run is not taken for a run with other settings.
    after_another = refined("plate flow")
    for part in (solved / ".take_01.facecap").glob("refine-*/*.npz"):
        part.unlink()
    np.testing.assert_allclose(refined("plate flow"), after_another, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"folder": ROOT / "docs"}, "holds no solve"),
        ({"folder": ROOT / "nowhere"}, "There is no folder"),
        ({"infill_frames": "3-x"}, "names no frames"),
        ({"start": 7, "end": 6}, "no solved frame"),
        ({"cameras": ROOT / "README.md"}, "list of cameras"),
    ],
)
def test_what_cannot_be_refined_is_said(solved: Path, change: dict[str, object], words: str) -> None:
    folder = change.pop("folder", solved)
    assert isinstance(folder, Path)
    with pytest.raises(FacecapError, match=words):
        run("refine", quick(folder, **change))


def test_without_torch_it_says_how_to_get_it(solved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "torch" else found(name, *more)
    )
    for job, settings in (
        ("refine", quick(solved)),
        ("solve", SolveSettings(video=CLIP, out=solved, method="deep")),
    ):
        with pytest.raises(FacecapError, match="fast solve"):
            run(job, settings)
