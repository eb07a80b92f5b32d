"""Settings: described once, and the same through flags, JSON and back."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.jobs.cli.arguments import add_arguments, from_arguments
from facecap_addon.jobs.settings.solve import SolveSettings
from facecap_addon.settings_schema import (
    SettingField,
    fields_of,
    from_json,
    from_json_text,
    to_json,
)

FIELDS = fields_of(SolveSettings)
SMALL = {"video": "clip.mp4", "out": "results"}


def other_value(item: SettingField) -> Any:
    """A valid value that is not the default."""
    if item.kind == "bool":
        return not item.default
    if item.kind == "path":
        return Path("Ordner mit Ümläut") / "脸.mp4"
    if item.kind == "str":
        return item.choices[-1] if item.choices else "4.5s"
    low = item.min if item.min is not None else 0
    value = low + 1 if item.max is None else min(low + 1, item.max)
    return int(value) if item.kind == "int" else float(value) + 0.25


def everything() -> SolveSettings:
    return SolveSettings(**{item.name: other_value(item) for item in FIELDS})


@pytest.mark.parametrize("item", FIELDS, ids=lambda item: item.name)
def test_every_setting_is_described(item: SettingField) -> None:
    assert len(item.help) > 10
    if item.kind in ("int", "float"):
        assert item.min is not None
    if not item.required and item.default is not None and item.min is not None:
        assert item.default >= item.min


def test_json_gives_back_every_setting() -> None:
    settings = everything()
    assert from_json_text(SolveSettings, json.dumps(to_json(settings))) == settings


def test_flags_give_every_setting() -> None:
    wanted = everything()
    flags: list[str] = []
    for item in FIELDS:
        value = getattr(wanted, item.name)
        if item.kind == "bool":
            flags.append(item.flag if value else item.flag.replace("--", "--no-", 1))
        elif item.name != "video":
            flags += [item.flag, str(value)]
    parser = argparse.ArgumentParser()
    add_arguments(parser, SolveSettings, positional=("video",))
    assert from_arguments(SolveSettings, parser.parse_args([str(wanted.video), *flags])) == wanted


def test_what_is_not_given_is_the_default() -> None:
    assert from_json(SolveSettings, SMALL) == SolveSettings(video=Path("clip.mp4"), out=Path("results"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"smoothnes": 1}, "no setting called 'smoothnes'"),
        ({"smoothness": "much"}, "smoothness"),
        ({"smoothness": True}, "smoothness"),
        ({"smoothness": -1}, "outside its range"),
        ({"smoothness": float("nan")}, "outside its range"),
        ({"smoothness": None}, "no value"),
        ({"neutral_frame": 2.5}, "neutral_frame"),
        ({"gaze": "yes"}, "gaze"),
        ({"gaze": 1}, "gaze"),
        ({"video": ""}, "video"),
        ({"video": 7}, "video"),
    ],
)
def test_wrong_settings_are_refused_in_words(change: dict[str, Any], words: str) -> None:
    with pytest.raises(FacecapError) as caught:
        from_json(SolveSettings, SMALL | change)
    assert words in caught.value.what
    assert caught.value.way_out
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "[1]", "{", "null", '"x"'])
def test_text_that_is_no_settings_is_refused(text: str) -> None:
    with pytest.raises(FacecapError):
        from_json_text(SolveSettings, text)


def test_a_missing_required_setting_is_named() -> None:
    with pytest.raises(FacecapError, match="'out'"):
        from_json(SolveSettings, {"video": "clip.mp4"})
