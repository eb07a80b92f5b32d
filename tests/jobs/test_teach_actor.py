"""Corrected poses teach an actor from the command line, as Blender's button does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.fit.actor.channel_gains import learn_from_corrections
from facecap_addon.jobs.cli.main import main
from facecap_addon.jobs.settings.teach_actor import TeachActorSettings
from facecap_addon.takes.actor import load_actor, save_actor
from facecap_addon.takes.corrections import Correction, add_corrections, save_corrections
from facecap_addon.takes.npz import save_take
from tests.jobs.solving import run
from tests.unit.takes.edited import make_take, of
from tests.unit.takes.test_actor import some_actor

SMILE = "mouthSmileLeft"


def test_poses_of_a_file_teach_what_the_take_shows_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    take = replace(make_take(), actor=replace(some_actor(), gains={}))
    save_take(tmp_path / "talk.take.npz", take)
    rows = np.flatnonzero((of(take, SMILE) > 0.25) & take.solved)[:4]
    wanted = [float(of(take, SMILE)[row]) / 0.6 for row in rows]
    poses = [Correction(float(take.time_s[row]), pose={SMILE: want}) for row, want in zip(rows, wanted, strict=True)]
    save_corrections(tmp_path / "talk.corrections.json", poses)
    given = ["--corrections", str(tmp_path / "talk.corrections.json")]
    assert main(["teach-actor", str(tmp_path / "talk.take.npz"), *given]) == 0
    gain = load_actor(tmp_path / "talk.actor.json").gains[SMILE].gain
    seen = [float(of(take, SMILE)[row]) for row in rows]
    assert gain == learn_from_corrections({}, {SMILE: list(zip(seen, wanted, strict=True))})[SMILE].gain
    assert 1.2 < gain < 1 / 0.6 and f"{SMILE} ×{gain:.2f}" in capsys.readouterr().out
    assert main(["teach-actor", str(tmp_path / "talk.take.npz"), *given]) == 0  # the former file stays
    assert len(list(tmp_path.glob("*.actor.json"))) == 2


def test_a_take_that_has_reached_its_poses_tells_only_what_was_seen_before(tmp_path: Path) -> None:
    take = replace(make_take(), actor=replace(some_actor(), gains={}))
    one = Correction(float(take.time_s[10]), pose={SMILE: 0.9}, seen={SMILE: 0.5})
    other = Correction(float(take.time_s[20]), pose={SMILE: 0.9})
    save_take(tmp_path / "talk.take.npz", add_corrections(take, [one, other]))
    result = run("teach-actor", TeachActorSettings(take=tmp_path / "talk.take.npz"))
    assert result["gains"] == {SMILE: learn_from_corrections({}, {SMILE: [(0.5, 0.9)]})[SMILE].gain}


def test_without_poses_or_without_an_actor_it_is_said_what_to_do(tmp_path: Path) -> None:
    take = tmp_path / "talk.take.npz"
    save_take(take, make_take())
    with pytest.raises(FacecapError, match="no corrected pose"):
        run("teach-actor", TeachActorSettings(take=take))
    poses = tmp_path / "a.corrections.json"
    save_corrections(poses, [Correction(float(make_take().time_s[10]), pose={SMILE: 0.9})])
    with pytest.raises(FacecapError, match="does not know its actor"):
        run("teach-actor", TeachActorSettings(take=take, corrections=poses))
    save_actor(tmp_path / "mia.actor.json", some_actor())
    given = TeachActorSettings(
        take=take, corrections=poses, actor=tmp_path / "mia.actor.json", out=tmp_path / "b.actor.json"
    )
    assert run("teach-actor", given)["actor"] == str(tmp_path / "b.actor.json")
