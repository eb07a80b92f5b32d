"""Flags of the command line, from the fields of a settings dataclass."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, TypeVar

from ...settings_schema import SettingField, checked, choices_text, fields_of, from_json, range_text

Settings = TypeVar("Settings")


class _Given(argparse.Action):
    """Checks a flag's value against its field and stores it."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, item: SettingField, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, **kwargs)
        self.item = item

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any) -> None:
        value = values
        if self.item.kind in ("int", "float"):
            try:
                value = float(values)
            except ValueError:
                value = values
        setattr(namespace, self.dest, checked(self.item, value))


def add_arguments(parser: argparse.ArgumentParser, settings_type: type, *, positional: Sequence[str] = ()) -> None:
    """Give `parser` one argument per field: `--name VALUE`, or `--name/--no-name` for a yes-or-no field."""
    for item in fields_of(settings_type):
        text = item.help.replace("%", "%%") + _facts_text(item).replace("%", "%%")
        if item.name in positional:
            parser.add_argument(item.name, action=_Given, item=item, metavar=item.name.upper(), help=text)
            continue
        _add_flag(parser, item, item.flag, text)
        if item.former_name:
            _add_flag(parser, item, "--" + item.former_name.replace("_", "-"), argparse.SUPPRESS)


def _add_flag(parser: argparse.ArgumentParser, item: SettingField, flag: str, text: str) -> None:
    if item.kind == "bool":
        parser.add_argument(
            flag, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, dest=item.name, help=text
        )
        return
    metavar = {"int": "N", "float": "X", "path": "PATH"}.get(item.kind, item.name.upper())
    parser.add_argument(
        flag,
        action=_Given,
        item=item,
        dest=item.name,
        required=item.required,
        default=argparse.SUPPRESS,
        metavar="{" + ",".join(choices_text(item)) + "}" if item.choices else metavar,
        help=text,
    )


def from_arguments(settings_type: type[Settings], arguments: argparse.Namespace) -> Settings:
    """Build settings from what a parser with `add_arguments` returned; other attributes are ignored."""
    names = {item.name for item in fields_of(settings_type)}
    return from_json(settings_type, {name: value for name, value in vars(arguments).items() if name in names})


def _facts_text(item: SettingField) -> str:
    facts = [f"in {item.unit}"] if item.unit else []
    if item.min is not None or item.max is not None:
        facts.append(range_text(item).removeprefix("a value ").removeprefix("of "))
    if not item.required and item.default is not None:
        facts.append(f"default {item.default}")
    return f" ({'; '.join(facts)})" if facts else ""
