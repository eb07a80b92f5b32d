"""Actors and jobs: what a solve says of her, and a solve that knows her from before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.fit.actor.expression_holds import holds_at
from facecap_addon.jobs.settings.calibrate import CalibrateSettings
from facecap_addon.jobs.steps.marks import read_marks
from facecap_addon.takes.actor import load_actor, save_actor, write_json
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.region_scale import SCALED_REGIONS
from tests.jobs.solving import quick, run


def test_a_solve_tells_of_its_actor_and_takes_her_from_a_file_or_a_take(face_clip: Path, tmp_path: Path) -> None:
    first = run("solve", quick(face_clip, tmp_path / "one"))
    actor = load_take(Path(first["take"])).actor
    assert actor is not None
    told = json.loads((tmp_path / "one" / "summary.json").read_text(encoding="utf-8"))["actor"]
    assert set(told["scales"]) == set(SCALED_REGIONS) and 0.3 < told["proportions"]["mouth_width"] < 1.0
    assert told["scales"]["mouth"]["found"] == round(actor.scales["mouth"].found, 3)

    save_actor(tmp_path / "her.actor.json", actor)
    solved = [
        load_take(Path(run("solve", quick(face_clip, tmp_path / name, actor=path, brows_scale=110.0))["take"]))
        for name, path in (("two", tmp_path / "her.actor.json"), ("three", Path(first["take"])))
    ]
    np.testing.assert_array_equal(solved[0].weights, solved[1].weights)
    assert solved[0].actor is not None
    assert solved[0].actor.scales["brows"].used == 1.1 and solved[0].actor.scales["brows"].asked
    np.testing.assert_allclose(solved[0].actor.neutral_m, actor.neutral_m, atol=1e-3)


def test_an_actor_that_does_not_fit_is_refused_before_the_work(face_clip: Path, tmp_path: Path) -> None:
    first = run("solve", quick(face_clip, tmp_path / "one"))
    take = load_take(Path(first["take"]))
    assert take.actor is not None
    save_take(tmp_path / "old.take.npz", replace(take, actor=None))
    other = tmp_path / "other.actor.json"
    other.write_text(json.dumps({**write_json(take.actor), "scheme": "ibug-68"}), encoding="utf-8")
    for path, words in ((tmp_path / "old.take.npz", "does not know its actor"), (other, "ibug-68 landmarks")):
        with pytest.raises(FacecapError, match=words):
            run("solve", quick(face_clip, tmp_path / "out", actor=path))
    assert not (tmp_path / "out").exists()


def calibration(video: Path, out: Path, **more: object) -> CalibrateSettings:
    return CalibrateSettings(video=video, out=out, focal_px=500.0, **more)  # type: ignore[arg-type]


def test_a_calibration_by_marks_writes_an_actor_that_a_solve_takes(face_clip: Path, tmp_path: Path) -> None:
    marks = tmp_path / "marks.csv"
    marks.write_text("time,name\n1.2,Brows_Up\n0.3,neutral\n", encoding="utf-8")
    stages: list[str] = []
    told = run(
        "calibrate",
        calibration(face_clip, tmp_path / "actors", marks=marks),
        lambda progress, _: stages.append(progress.stage),
    )
    assert [hold["name"] for hold in told["holds"]] == ["neutral", "brows up"]
    assert {"landmarks", "fit", "files"} <= set(stages)
    actor = load_actor(Path(told["actor"]))
    assert told["actor"].endswith("face.actor.json") and Path(told["sheet"]).stat().st_size > 5000
    assert len(actor.face) and any("Not found" in line and "smile" in line for line in told["lines"])
    solved = load_take(Path(run("solve", quick(face_clip, tmp_path / "out", actor=Path(told["actor"])))["take"]))
    assert solved.actor is not None and solved.actor.gains == actor.gains
    again = run("calibrate", calibration(face_clip, tmp_path / "actors", marks=marks))
    assert again["actor"].endswith("face-2.actor.json")  # the first may have been edited


def test_a_clip_without_holds_is_told_so(face_clip: Path, tmp_path: Path) -> None:
    """A face that only drifts through the picture."""
    with pytest.raises(FacecapError, match="No holds were found"):
        run("calibrate", calibration(face_clip, tmp_path / "actors"))
    assert not list((tmp_path / "actors").glob("*.actor.json"))


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "0.5,neutral\n1,Frau\n", "no expression called 'Frau'"),
        ("a.csv", "0.5,smile\n", "no neutral face"),
        ("a.csv", "900,neutral\n", "No face is seen at 900"),
        ("a.csv", "soon,neutral\n", "a.csv cannot be read"),
        ("a.csv", "", "a.csv cannot be read"),
        ("a.csv", "0.5\n", "a.csv cannot be read"),
        ("a.json", '[{"time": 0.5}]', "a.json cannot be read"),
        ("a.json", "[[[", "a.json cannot be read"),
    ],
)
def test_marks_that_cannot_be_used_are_named(
    name: str, text: str, words: str, tmp_path: Path, solved_once: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(FacecapError, match=words):
        marks = read_marks(tmp_path / name)
        holds_at(load_take(solved_once), marks)


def test_marks_may_be_json_or_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[[2, "smile"], {"time": 0.5, "name": "neutral"}]', encoding="utf-8")
    (tmp_path / "b.csv").write_text("\ufefftime,name\n2.0, smile\n\n0.5,neutral\n", encoding="utf-8")
    assert read_marks(tmp_path / "a.json") == read_marks(tmp_path / "b.csv") == [(0.5, "neutral"), (2.0, "smile")]


@pytest.fixture(scope="module")
def solved_once(face_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(run("solve", quick(face_clip, tmp_path_factory.mktemp("solved")))["take"])
