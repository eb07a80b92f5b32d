"""Mapping as a job and a command: files that fit together, and words for what cannot be."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.foreign_rigs import disguise, meanings_of, restyle
from facecap_addon.errors import FacecapError
from facecap_addon.jobs.cli.main import main
from facecap_addon.jobs.registry import MAP
from facecap_addon.jobs.runtime.run_job import run_job
from facecap_addon.jobs.settings.map import MapSettings
from facecap_addon.rig.blendshapes import save_rig
from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.rig.mapping.evaluate import evaluate
from facecap_addon.rig.mapping.mapping_file import load_mapping
from facecap_addon.takes.npz import load_take, save_take
from tests.unit.sample import sample
from tests.unit.takes.edited import make_take


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """The sample head with Character Creator's names."""
    head = sample().rig
    names = tuple(load_preset_names()[channel] for channel in head.channels)
    save_rig(tmp_path / "named.npz", replace(head, channels=names))
    return tmp_path / "named.npz"


def load_preset_names() -> dict[str, str]:
    from facecap_addon.rig.mapping.presets import shipped_presets

    preset = load_mapping(shipped_presets()["Character Creator 3 ExPlus"])
    return {link.channel: link.target.name for link in preset.links}


def test_names_alone_need_no_landmarks(named: Path, tmp_path: Path) -> None:
    out = tmp_path / "m" / "named.mapping.json"
    result = run_job(MAP, MapSettings(character=str(named), out=out))
    mapping = load_mapping(result.mapping)
    assert {link.channel: link.target.name for link in mapping.links} == load_preset_names()
    assert all(link.sure for link in mapping.links)
    assert not list(out.parent.glob(".characters.facecap/landmarks-*"))
    table = result.table.read_text(encoding="utf-8")
    assert "A25_Jaw_Open" in table and "not sure" not in table and "move nothing: none" in table


def test_foreign_names_are_guessed_by_motion(tmp_path: Path) -> None:
    head = sample()
    foreign = disguise("foreign", restyle(head.rig), head.embedding, meanings_of(head.rig.channels), "japanese")
    save_rig(tmp_path / "foreign.npz", foreign.rig)
    result = run_job(MAP, MapSettings(character=str(tmp_path / "foreign.npz"), out=tmp_path / "f.mapping.json"))
    truth = {name: meaning[0][0] for name, meaning in zip(foreign.rig.channels, foreign.truth, strict=True) if meaning}
    links = load_mapping(result.mapping).links
    assert sum(truth[link.target.name] == link.channel for link in links) >= 0.95 * len(ARKIT_CHANNELS)
    alone = run_job(
        MAP, MapSettings(character=str(tmp_path / "foreign.npz"), out=tmp_path / "g.mapping.json", motion=False)
    )
    assert load_mapping(alone.mapping).links == ()


@pytest.mark.parametrize("as_json", [False, True])
def test_a_takes_values_are_written_under_the_names_of_the_targets(named: Path, tmp_path: Path, as_json: bool) -> None:
    take = make_take(frames=12)
    status = take.status.copy()
    status[3] = 0
    take = replace(take, status=status)
    save_take(tmp_path / "talk.take.npz", take)
    settings = MapSettings(
        character=str(named), take=tmp_path / "talk.take.npz", out=tmp_path / "a.mapping.json", json_values=as_json
    )
    result = run_job(MAP, settings)
    assert result.values is not None and result.values.name == f"talk.mapped.{'json' if as_json else 'csv'}"
    targets, wanted = evaluate(
        load_mapping(result.mapping), take.channels, load_take(tmp_path / "talk.take.npz").weights
    )
    text = result.values.read_text(encoding="utf-8")
    if as_json:
        facts = json.loads(text)
        names, rows, times = [one["name"] for one in facts["targets"]], facts["values"], facts["time_s"]
        assert rows[3] is None
    else:
        head, *cells = csv.reader(text.splitlines())
        names, rows, times = head[1:], [row[1:] for row in cells], [float(row[0]) for row in cells]
        assert set(rows[3]) == {""}
    assert names == [target.name for target in targets]
    kept = [k for k in range(12) if k != 3]
    np.testing.assert_allclose(np.array([rows[k] for k in kept], float), wanted[kept], atol=1e-6)
    np.testing.assert_allclose(times, take.time_s, atol=1e-6)


def test_a_preset_is_kept_to_what_is_there(named: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.mapping.json"
    run_job(MAP, MapSettings(character=str(named), preset="Character Creator 3 ExPlus", out=out))
    assert len(load_mapping(out).links) == 52
    again = run_job(MAP, MapSettings(character=str(named), preset=str(out), out=tmp_path / "b.mapping.json"))
    assert load_mapping(again.mapping) == load_mapping(out)
    with pytest.raises(FacecapError, match="none of the targets of “VRoid”"):
        run_job(MAP, MapSettings(character=str(named), preset="VRoid", out=out))
    with pytest.raises(FacecapError, match="no preset and no file “Nobody”"):
        run_job(MAP, MapSettings(character=str(named), preset="Nobody", out=out))


def test_the_command(named: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["map", str(named), "--out", str(tmp_path / "c.mapping.json")]) == 0
    assert "52 of 52 channels move 52 of 52 keys" in capsys.readouterr().out
    assert main(["map", str(tmp_path / "none.blend")]) == 2
