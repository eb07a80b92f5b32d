"""Stacks in files: what is written is read back, what is none is refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.takes.edits.evaluate import evaluate
from facecap_addon.takes.edits.kinds import KINDS, Calibration, Gain, Remap, Retime
from facecap_addon.takes.edits.stack_file import (
    facts_of,
    read_stack,
    shipped_presets,
    stack_facts,
    stack_from,
    write_stack,
)
from tests.unit.takes.edited import make_take

LONG = "9" * 400


def test_a_stack_is_read_as_it_was_written(tmp_path: Path) -> None:
    stack = (
        *(kind() for kind in KINDS),
        Gain(name="größer", on=False, solo=True, channels=("jawOpen", "x"), start_s=1.5, blend_in_s=0.2, factor=1.3),
        Calibration(levels=(("jawOpen", 0.25),)),
        Remap(points=((0.0, 0.5), (1.0, 0.75))),
        Retime(points=((0.0, 1.0), (2.0, 2.5)), side="left"),
    )
    write_stack(tmp_path / "a.edits.json", stack)
    assert read_stack(tmp_path / "a.edits.json") == stack
    assert stack_from(json.loads(json.dumps(stack_facts(stack)))) == stack
    assert facts_of(Gain(factor=1.3)) == {"edit": "gain", "factor": 1.3}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense", "not JSON"),
        ("[]", "no stack"),
        ('{"edits": []}', "no stack"),
        ('{"facecap_edits": 2, "edits": []}', "version 2"),
        ('{"facecap_edits": true, "edits": []}', "version"),
        ('{"facecap_edits": 1}', "no list"),
        ('{"facecap_edits": 1, "edits": {}}', "no list"),
        ('{"facecap_edits": 1, "edits": [7]}', "not a JSON object"),
        ('{"facecap_edits": 1, "edits": [{"edit": "sparkle"}]}', "no edit of the kind 'sparkle'"),
        ('{"facecap_edits": 1, "edits": [{"edit": ["gain"]}]}', "no edit of the kind"),
        ('{"facecap_edits": 1, "edits": [{"edit": "gain", "sparkle": 1}]}', "no setting called 'sparkle'"),
        ('{"facecap_edits": 1, "edits": [{"edit": "gain", "factor": "big"}]}', "'factor'"),
        ('{"facecap_edits": 1, "edits": [{"edit": "gain", "factor": 99}]}', "outside its range"),
        ('{"facecap_edits": 1, "edits": [{"edit": "gain", "region": "ear"}]}', "'ear'"),
        ('{"facecap_edits": 1, "edits": [{"edit": "gain", "channels": "jawOpen"}]}', "list"),
        ('{"facecap_edits": 1, "edits": [{"edit": "gain", "channels": [1]}]}', "cannot hold 1"),
        ('{"facecap_edits": 1, "edits": [{"edit": "gain", "points": [[0, 1]]}]}', "no setting called 'points'"),
        ('{"facecap_edits": 1, "edits": [{"edit": "remap", "points": [[0, 1, 2]]}]}', "pairs of numbers"),
        ('{"facecap_edits": 1, "edits": [{"edit": "remap", "points": [[0, NaN]]}]}', "pairs of numbers"),
        ('{"facecap_edits": 1, "edits": [{"edit": "gain", "start_s": NaN}]}', "'start_s' is nan"),
        ('{"facecap_edits": 1, "edits": [{"edit": "hold", "at_s": 1e999}]}', "'at_s' is inf"),
        ('{"facecap_edits": 1, "edits": [{"edit": "hold", "at_s": -LONG}]}', "'at_s' is -inf"),
        ('{"facecap_edits": 1, "edits": [{"edit": "filter", "radius": LONG}]}', "'radius' is inf"),
        ('{"facecap_edits": 1, "edits": [{"edit": "filter", "radius": NaN}]}', "'radius' cannot be nan"),
        ('{"facecap_edits": 1, "edits": [{"edit": "remap", "points": [[0, LONG]]}]}', "pairs of numbers"),
        ('{"facecap_edits": 1, "edits": [{"edit": "calibration", "levels": [["jawOpen", LONG]]}]}', "pairs of a"),
        ('{"facecap_edits": LONG, "edits": []}', "version 999"),
        ('{"facecap_edits": 1, "edits": [{"edit": "filter", "radius": 1, "order": 5}]}', "do not fit"),
    ],
)
def test_what_is_no_stack_is_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text.replace("LONG", LONG), encoding="utf-8")
    with pytest.raises(FacecapError, match=said):
        read_stack(path)


def test_a_file_that_is_missing_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FacecapError, match="cannot be read"):
        read_stack(tmp_path / "none.json")
    (tmp_path / "large.json").write_text(" " * 5_000_000)
    with pytest.raises(FacecapError, match="too large"):
        read_stack(tmp_path / "large.json")


def test_shipped_presets_can_be_evaluated() -> None:
    presets = shipped_presets()
    assert {"Stylized, Broad", "Speech Clean-Up", "Quiet Eyes"} <= set(presets)
    take = make_take(frames=60)
    for path in presets.values():
        stack = read_stack(path)
        assert stack and all(edit.name for edit in stack)
        assert (evaluate(take, stack).weights != take.weights).any()
