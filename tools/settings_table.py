"""Write the tables of settings in docs/ from the settings themselves: `python -m tools.settings_table`."""

from __future__ import annotations

import re
from pathlib import Path

from facecap_addon.jobs.registry import JOBS, Job
from facecap_addon.settings_schema import SettingField, fields_of

DOCS = Path(__file__).resolve().parent.parent / "docs"
COMMANDS = [job for job in JOBS if job.page]
END = "<!-- end of settings -->"


def table(job: Job) -> str:
    """A job's settings as a Markdown table."""
    rows = ["| flag | meaning | default | range |", "| --- | --- | --- | --- |"]
    for item in fields_of(job.settings_type):
        rows.append(f"| {_flag(item, job.positional)} | {item.help} | {_default(item)} | {_range(item)} |")
    return "\n".join(rows)


def updated(text: str, job: Job) -> str:
    """A page's text with the present table."""
    begin = f"<!-- {job.settings_type.__name__}: python -m tools.settings_table -->"
    block = f"{begin}\n{table(job)}\n{END}"
    return re.sub(f"{re.escape(begin)}.*?{re.escape(END)}", lambda _: block, text, flags=re.DOTALL)


def _flag(item: SettingField, positional: str) -> str:
    if item.kind == "bool":
        return f"`{item.flag}`, `--no-{item.flag[2:]}`"
    return f"`{item.name.upper()}`" if item.name == positional and item.required else f"`{item.flag}`"


def _default(item: SettingField) -> str:
    if item.required:
        return "required"
    if item.default is None:
        return "–"
    return ("on" if item.default else "off") if item.kind == "bool" else f"{item.default}"


def _range(item: SettingField) -> str:
    if item.min is None and item.max is None:
        return item.unit
    low = "" if item.min is None else f"{item.min:g}"
    high = "" if item.max is None else f"{item.max:g}"
    return (f"{low} to {high}" if high else f"{low} or more") + (f" {item.unit}" if item.unit else "")


if __name__ == "__main__":
    for command in COMMANDS:
        page = DOCS / command.page
        page.write_text(updated(page.read_text(encoding="utf-8"), command), encoding="utf-8")
