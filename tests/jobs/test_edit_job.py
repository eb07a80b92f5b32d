"""Edits as a job: the take stays, the edited one lies beside it and says what was done."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from facecap_addon import api
from facecap_addon.errors import FacecapError
from facecap_addon.jobs.cli.main import main
from facecap_addon.takes.edits.kinds import Gain, LipSeal, Retime
from facecap_addon.takes.edits.stack_file import write_stack
from facecap_addon.takes.formats.live_link import read_live_link_csv
from facecap_addon.takes.npz import load_take, save_take
from tests.unit.takes.edited import make_take, of


@pytest.fixture
def take(tmp_path: Path) -> Path:
    save_take(tmp_path / "talk.take.npz", make_take())
    return tmp_path / "talk.take.npz"


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    write_stack(tmp_path / "broad.edits.json", [Gain(region="mouth", factor=1.5), Gain(factor=3, on=False), LipSeal()])
    return tmp_path / "broad.edits.json"


def test_a_take_is_edited_and_stays(take: Path, stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    solve = take.read_bytes()
    assert main(["edit", str(take), "--stack", str(stack)]) == 0
    assert take.read_bytes() == solve
    assert "2 of 3 edits: Gain, Lip Seal" in capsys.readouterr().out
    before, after = load_take(take), load_take(take.with_name("talk.edited.take.npz"))
    np.testing.assert_allclose(of(after, "mouthSmileLeft"), 1.5 * of(before, "mouthSmileLeft"), rtol=1e-5)
    assert after.provenance["edits"] == [
        {"edit": "filter"},
        {"edit": "gain", "region": "mouth", "factor": 1.5},
        {"edit": "lip-seal"},
    ]
    assert after.provenance["edited"]["from"] == "talk.take.npz"
    csv = read_live_link_csv(take.with_name("talk.edited.livelink.csv"))
    np.testing.assert_allclose(of(csv, "mouthSmileLeft"), of(after, "mouthSmileLeft"), atol=1e-6)
    assert "<svg" in take.with_name("talk.edited.edit.svg").read_text()


def test_a_second_stack_keeps_what_the_first_made(take: Path, stack: Path) -> None:
    first = api.edit_take(take, stack, plot=False, live_link=False)
    second = api.edit_take(take, "Quiet Eyes", plot=False, live_link=False)
    assert (first.weights != second.weights).any()
    kept = [load_take(path) for path in take.parent.rglob("*edited*.take.npz")]
    assert any((one.weights == first.weights).all() for one in kept)


def test_a_take_that_begins_before_its_footage_keeps_its_pace_in_the_csv(take: Path, stack: Path) -> None:
    write_stack(stack, [Retime(offset_s=-0.4)])
    after = api.edit_take(take, stack, plot=False)
    assert after.time_s[0] == pytest.approx(-0.4)
    csv = read_live_link_csv(take.with_name("talk.edited.livelink.csv"))
    np.testing.assert_allclose(csv.time_s - csv.time_s[0], after.time_s + 0.4, atol=1e-4)


def test_without_a_character_keys_go_to_one(take: Path, stack: Path) -> None:
    before = load_take(take)
    write_stack(stack, [Gain(channels=("jawOpen",), factor=10)])
    after = api.edit_take(take, stack, plot=False)
    assert of(after, "jawOpen").max() == 1.0 and of(before, "jawOpen").max() < 0.5


def test_what_is_no_stack_is_said(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["edit", str(take), "--stack", "nowhere.json"]) == 2
    assert "cannot be read" in capsys.readouterr().err
    with pytest.raises(FacecapError):
        api.edit_take(take, take)


def test_how_far_a_retime_moves_keys_is_told_at_equal_times(
    take: Path, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_stack(stack, [Retime(offset_s=0.2)])
    assert main(["edit", str(take), "--stack", str(stack)]) == 0
    said = capsys.readouterr().out
    before, after = load_take(take), load_take(take.with_name("talk.edited.take.npz"))
    at = after.time_s[(after.time_s >= before.time_s[0]) & (after.time_s <= before.time_s[-1])]
    apart = [
        np.interp(at, before.time_s, before.weights[:, k]) - np.interp(at, after.time_s, after.weights[:, k])
        for k in range(len(before.channels))
    ]
    assert np.abs(apart).max() > 0.05
    assert f"no key moved by more than {np.abs(apart).max():.3f}" in said
