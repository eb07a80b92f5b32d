"""Settings as frozen dataclasses: one description of every field, from which everything else is derived.

A field is declared with `setting(default, help=…, unit=…, min=…, max=…, choices=…)`. The command line's flags, the
worker's JSON request, the panel's properties and the table in the guide all come from `fields_of`.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .errors import FacecapError
from .json_types import Facts

Settings = TypeVar("Settings")
SettingValue = bool | int | float | str | Path | None
"""What a setting can be."""
_KINDS = {"bool": "bool", "int": "int", "float": "float", "str": "str", "Path": "path"}


@dataclass(frozen=True)
class SettingField:
    """One field of a settings dataclass, in plain facts.

    Attributes:
        name: field name.
        kind: "bool", "int", "float", "str" or "path".
        optional: whether None is allowed; None then means "not given" or "automatic".
        required: whether it has no default.
        default: the default, None if required.
        help: one sentence for people.
        unit: "px", "mm", "fps", … or "".
        min, max: smallest and largest value, None where there is no limit.
        choices: allowed values, empty where anything goes.
        or_file: ending of files that are allowed besides the choices, or "".
        flag: the command line's flag, `--like-this`.
        label: what the panel calls it; "" for its name in title case.
        tooltip: what the panel says of it; "" for the help.
        choice_labels: what the panel calls choices, each with a tooltip; a choice that has none by its own name.
        former_name: what older versions called the field, or ""; it is still read.
        former_choices: what older versions called choices, with their present names; they are still read.
    """

    name: str
    kind: str
    optional: bool
    required: bool
    default: SettingValue
    help: str
    unit: str
    min: float | None
    max: float | None
    choices: tuple[str, ...]
    or_file: str
    flag: str
    label: str
    tooltip: str
    choice_labels: Mapping[str, tuple[str, str]]
    former_name: str
    former_choices: Mapping[str, str]


def setting(
    default: Any = dataclasses.MISSING,
    *,
    help: str,
    unit: str = "",
    min: float | None = None,
    max: float | None = None,
    choices: Sequence[str] = (),
    or_file: str = "",
    flag: str = "",
    label: str = "",
    tooltip: str = "",
    choice_labels: Mapping[str, tuple[str, str]] | None = None,
    former_name: str = "",
    former_choices: Mapping[str, str] | None = None,
) -> Any:
    """A dataclass field with its description (see `SettingField` for the meaning of each argument)."""
    facts = {
        "help": help,
        "unit": unit,
        "min": min,
        "max": max,
        "choices": tuple(choices),
        "or_file": or_file,
        "flag": flag,
        "label": label,
        "tooltip": tooltip,
        "choice_labels": choice_labels or {},
        "former_name": former_name,
        "former_choices": former_choices or {},
    }
    if default is dataclasses.MISSING:
        return dataclasses.field(metadata=facts)
    return dataclasses.field(default=default, metadata=facts)


@functools.cache
def fields_of(settings_type: type) -> tuple[SettingField, ...]:
    """The fields of a settings dataclass in the order of their declaration (inherited ones first).

    Those that are not declared by `setting` are none of them.
    """
    described: list[SettingField] = []
    for item in dataclasses.fields(settings_type):
        if not item.metadata:
            continue
        kind, optional = _kind_of(item.type, item.name)
        required = item.default is dataclasses.MISSING
        described.append(
            SettingField(
                name=item.name,
                kind=kind,
                optional=optional,
                required=required,
                default=None if item.default is dataclasses.MISSING else item.default,
                help=str(item.metadata.get("help", "")),
                unit=str(item.metadata.get("unit", "")),
                min=item.metadata.get("min"),
                max=item.metadata.get("max"),
                choices=tuple(item.metadata.get("choices", ())),
                or_file=str(item.metadata.get("or_file", "")),
                flag=item.metadata.get("flag") or "--" + item.name.replace("_", "-"),
                label=str(item.metadata.get("label", "")),
                tooltip=str(item.metadata.get("tooltip", "")),
                choice_labels=item.metadata.get("choice_labels", {}),
                former_name=str(item.metadata.get("former_name", "")),
                former_choices=item.metadata.get("former_choices", {}),
            )
        )
    return tuple(described)


def _kind_of(annotation: object, name: str) -> tuple[str, bool]:
    """Kind and whether None is allowed, from an annotation's text: evaluating hundreds would slow enabling down."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    named = [part.strip().rpartition(".")[2] for part in text.split("|")]
    plain = [part for part in named if part not in ("None", "NoneType")]
    if len(plain) != 1 or plain[0] not in _KINDS:
        raise TypeError(f"setting {name!r} has a type that cannot be described: {text}")
    return _KINDS[plain[0]], len(plain) != len(named)


def to_json(settings: object, *, former_names: bool = False) -> Facts:
    """A settings object as JSON-able facts; paths become text. `from_json` turns it back.

    Args:
        former_names: whether renamed fields keep their first name: for keys that a renaming must not change.
    """
    values: Facts = {}
    for item in fields_of(type(settings)):
        value = getattr(settings, item.name)
        values[(former_names and item.former_name) or item.name] = str(value) if isinstance(value, Path) else value
    return values


def from_json(settings_type: type[Settings], data: Mapping[str, object]) -> Settings:
    """Build settings from JSON facts, under the fields' present names or their former ones.

    Raises FacecapError for an unknown key, a missing one, a wrong type or a value out of range.
    """
    known = {item.name: item for item in fields_of(settings_type)}
    present = {item.former_name: item.name for item in known.values() if item.former_name}
    data = {present.get(name, name): value for name, value in data.items()}
    for name in data:
        if name not in known:
            raise FacecapError(f"There is no setting called {name!r}.", f"Known settings: {', '.join(known)}.")
    values: dict[str, SettingValue] = {}
    for name, item in known.items():
        if name in data:
            values[name] = checked(item, data[name])
        elif item.required:
            raise FacecapError(f"The setting {name!r} is missing.", "Give it a value.")
    return settings_type(**values)


def from_json_text(settings_type: type[Settings], text: str) -> Settings:
    """Build settings from JSON text. Raises FacecapError as `from_json` does, and for text that is not JSON."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise FacecapError(f"The settings are not valid JSON ({error}).", "Correct the file.") from error
    if not isinstance(data, dict):
        raise FacecapError("The settings are not a JSON object.", "Write them as {name: value, …}.")
    return from_json(settings_type, typing.cast("dict[str, object]", data))


def checked(item: SettingField, value: object) -> SettingValue:
    """`value` as the field's type. Raises FacecapError when it has another type or lies outside the field's range."""
    if value is None:
        if item.optional:
            return None
        raise FacecapError(f"The setting {item.name!r} has no value.", "Give it one.")
    converted = _converted(item, value)
    if isinstance(converted, (int, float)) and not isinstance(converted, bool):
        below = item.min is not None and converted < item.min
        above = item.max is not None and converted > item.max
        if below or above or not math.isfinite(to_float(converted)):
            raise FacecapError(
                f"The setting {item.name!r} is {to_float(converted):g}, outside its range.", f"Use {range_text(item)}."
            )
    if isinstance(converted, str):
        converted = item.former_choices.get(converted, converted)
    is_file = bool(item.or_file) and str(converted).lower().endswith(item.or_file)
    if item.choices and converted not in item.choices and not is_file:
        allowed = [*item.choices, *([f"a {item.or_file} file"] if item.or_file else [])]
        raise FacecapError(
            f"The setting {item.name!r} cannot be {converted!r}.", f"Choose one of: {', '.join(allowed)}."
        )
    return converted


def _converted(item: SettingField, value: object) -> bool | int | float | str | Path:
    if isinstance(value, bool):
        if item.kind == "bool":
            return value
    elif isinstance(value, (int, float)):
        if item.kind == "int" and (isinstance(value, int) or value.is_integer()):
            return int(value)
        if item.kind == "float":
            return to_float(value)
    elif item.kind == "str" and isinstance(value, str):
        return value
    elif item.kind == "path" and isinstance(value, (str, Path)) and str(value):
        return Path(value)
    raise FacecapError(f"The setting {item.name!r} cannot be {value!r}.", f"It takes {_KIND_TEXT[item.kind]}.")


def to_float(value: int | float) -> float:
    """A number as a float; infinite where a whole number is too large to be one."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


_KIND_TEXT = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "path": "a file or folder",
}


def range_text(item: SettingField) -> str:
    """The limits of a number, for people."""
    if item.min is not None and item.max is not None:
        return f"a value from {item.min:g} to {item.max:g}"
    if item.min is not None:
        return f"a value of at least {item.min:g}"
    return "a finite number" if item.max is None else f"a value of at most {item.max:g}"


def choices_text(item: SettingField) -> list[str]:
    """The choices of a setting, for people."""
    return [*item.choices, *([f"FILE{item.or_file}"] if item.or_file else [])]
