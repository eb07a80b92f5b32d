"""Mappings in files: what is written is read back, what is none is refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.rig.mapping.mapping import Link, Mapping, Target
from facecap_addon.rig.mapping.mapping_file import load_mapping, mapping_facts, mapping_from, save_mapping

LONG = "9" * 400
KEY = '{"kind": "key", "name": "a"}'


def test_a_mapping_is_read_as_it_was_written(tmp_path: Path) -> None:
    mapping = Mapping(
        "größer",
        (
            Link("jawOpen", Target("key", "口を開ける", owner="Head"), 0.5, -0.1, ((0.0, 0.0), (1.0, 2.0)), sure=False),
            Link("jawOpen", Target("bone", "jaw", "rotation.x", "rig"), -0.3),
            Link("Key 1", Target("property", "smile", "jaw_master")),
            Link("Key 2", Target("property", "smile")),
        ),
        face_size_m=0.09,
        size_bones=("eye.L", "eye.R"),
    )
    path = tmp_path / "a.json"
    save_mapping(path, mapping)
    assert load_mapping(path) == mapping
    assert len(path.read_text(encoding="utf-8").splitlines()) == len(mapping.links) + 2
    assert mapping_from(json.loads(json.dumps(mapping_facts(mapping)))) == mapping
    save_mapping(path, Mapping("", ()))
    assert load_mapping(path) == Mapping("", ())


def test_what_is_as_usual_is_not_written() -> None:
    facts = mapping_facts(Mapping("a", (Link("jawOpen", Target("key", "k")),)))
    assert facts == {
        "facecap_mapping": 1,
        "name": "a",
        "links": [{"channel": "jawOpen", "target": {"kind": "key", "name": "k"}}],
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "not JSON"),
        ("[]", "no mapping"),
        ('{"links": []}', "no mapping"),
        ('{"facecap_mapping": 2, "links": []}', "version 2"),
        ('{"facecap_mapping": true, "links": []}', "version"),
        ('{"facecap_mapping": LONG, "links": []}', "version 999"),
        ('{"facecap_mapping": 1}', "no list"),
        ('{"facecap_mapping": 1, "links": {}}', "no list"),
        ('{"facecap_mapping": 1, "links": [], "sparkle": 1}', "no 'sparkle'"),
        ('{"facecap_mapping": 1, "links": [], "name": 7}', "'name' is '7'"),
        ('{"facecap_mapping": 1, "links": [], "face_size_m": -1}', "face_size_m"),
        ('{"facecap_mapping": 1, "links": [], "face_size_m": NaN}', "face_size_m"),
        ('{"facecap_mapping": 1, "links": [], "size_bones": ["eye.L"]}', "size_bones"),
        ('{"facecap_mapping": 1, "links": [], "size_bones": ["eye.L", 3]}', "size_bones"),
        ('{"facecap_mapping": 1, "links": [7]}', "not a JSON object"),
        ('{"facecap_mapping": 1, "links": [{"target": KEY}]}', "'channel'"),
        ('{"facecap_mapping": 1, "links": [{"channel": "", "target": KEY}]}', "'channel'"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a"}]}', "not a JSON object"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": KEY, "factor": NaN}]}', "'factor'"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": KEY, "factor": 1e999}]}', "'factor'"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": KEY, "factor": LONG}]}', "'factor'"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": KEY, "factor": true}]}', "'factor'"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": KEY, "offset": "1"}]}', "'offset'"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": KEY, "sure": 1}]}', "'sure'"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": KEY, "curve": 1}]}', "no list"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": KEY, "curve": [[0, 0]]}]}', "no list"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": KEY, "curve": [[0, 0], [1]]}]}', "cannot hold"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": KEY, "curve": [[0, 0], [1, NaN]]}]}', "cannot"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": KEY, "curve": [[1, 0], [1, 1]]}]}', "ascend"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": {"kind": "ear", "name": "a"}}]}', "kind 'ear'"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": {"kind": "bone", "name": "a"}}]}', "axis ''"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": {"kind": ["key"], "name": "a"}}]}', "kind"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": {"kind": "key", "name": LONG}}]}', "'name'"),
        ('{"facecap_mapping": 1, "links": [{"channel": "a", "target": {"kind": "key", "name": "LONG"}}]}', "'name'"),
    ],
)
def test_what_is_no_mapping_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text.replace("LONG", LONG).replace("KEY", KEY), encoding="utf-8")
    with pytest.raises(FacecapError, match=said):
        load_mapping(path)


def test_a_file_that_is_missing_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FacecapError, match="cannot be read"):
        load_mapping(tmp_path / "none.json")
    (tmp_path / "large.json").write_text(" " * 17_000_000)
    with pytest.raises(FacecapError, match="too large"):
        load_mapping(tmp_path / "large.json")
