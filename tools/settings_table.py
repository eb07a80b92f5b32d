"""Write the tables of settings in docs/ from the settings themselves: `python -m tools.settings_table`."""

from __future__ import annotations

import re
from pathlib import Path

from facecap_addon.jobs.dataset_settings import DatasetSettings
from facecap_addon.jobs.filter_settings import FilterSettings
from facecap_addon.jobs.generate_settings import GenerateSettings, TrainGeneratorSettings
from facecap_addon.jobs.live_settings import LiveSettings
from facecap_addon.jobs.refine_settings import RefineSettings
from facecap_addon.jobs.retarget_settings import RetargetSettings
from facecap_addon.jobs.schema import SettingField, fields_of
from facecap_addon.jobs.settings import SolveSettings
from facecap_addon.jobs.shape_keys_settings import ShapeKeysSettings
from facecap_addon.jobs.train_settings import TrainSettings

DOCS = Path(__file__).resolve().parent.parent / "docs"
TABLES: tuple[tuple[Path, type], ...] = (
    (DOCS / "guide.md", SolveSettings),
    (DOCS / "refine.md", RefineSettings),
    (DOCS / "learn.md", DatasetSettings),
    (DOCS / "learn.md", TrainSettings),
    (DOCS / "live.md", LiveSettings),
    (DOCS / "live.md", FilterSettings),
    (DOCS / "retarget.md", ShapeKeysSettings),
    (DOCS / "retarget.md", RetargetSettings),
    (DOCS / "generate.md", GenerateSettings),
    (DOCS / "generate.md", TrainGeneratorSettings),
)
END = "<!-- end of settings -->"


def table(settings: type) -> str:
    """The settings as a Markdown table."""
    rows = ["| flag | meaning | default | range |", "| --- | --- | --- | --- |"]
    rows += [f"| {_flag(f)} | {f.help} | {_default(f)} | {_range(f)} |" for f in fields_of(settings)]
    return "\n".join(rows)


def updated(text: str, settings: type) -> str:
    """A page's text with the present table."""
    begin = f"<!-- {settings.__name__}: python -m tools.settings_table -->"
    block = f"{begin}\n{table(settings)}\n{END}"
    return re.sub(f"{re.escape(begin)}.*?{re.escape(END)}", lambda _: block, text, flags=re.DOTALL)


def _flag(item: SettingField) -> str:
    if item.kind == "bool":
        return f"`{item.flag}`, `--no-{item.flag[2:]}`"
    positional = item.required and item.name in (
        "video",
        "folder",
        "take",
        "source",
        "motion",
        "expressions",
        "expression",
        "character",
    )
    return f"`{item.name.upper()}`" if positional else f"`{item.flag}`"


def _default(item: SettingField) -> str:
    if item.required:
        return "required"
    if item.default is None:
        return "–"
    return {True: "on", False: "off"}[item.default] if item.kind == "bool" else f"{item.default}"


def _range(item: SettingField) -> str:
    if item.min is None and item.max is None:
        return item.unit
    low = "" if item.min is None else f"{item.min:g}"
    high = "" if item.max is None else f"{item.max:g}"
    return (f"{low} to {high}" if high else f"{low} or more") + (f" {item.unit}" if item.unit else "")


if __name__ == "__main__":
    for page, kind in TABLES:
        page.write_text(updated(page.read_text(encoding="utf-8"), kind), encoding="utf-8")
