"""Write docs/reference.md, every button and setting of the add-on as it is: `python -m tools.reference_page`.

`make docs` does it; F1 in Blender opens the entry of what is under the mouse. Needs the bpy package.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facecap_addon.blender.help.subjects import Subject

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "reference.md"
_HEAD = """# Every button and setting

Press `F1` with the mouse over a button or a setting of FaceCap (or right-click it, *Online Manual*): its entry here
opens. What they are for, in the order of work: [the panel](panel.md).
"""
# Sections in the order of work, with what they are called and where they are explained; those that came later follow.
SECTIONS = {
    "scene": ("Footage and character", "panel.md#footage"),
    "footage": ("Footage", "panel.md#footage"),
    "show_footage": ("Footage in the scene", "panel.md#footage"),
    "character": ("Character", "panel.md#character"),
    "keys": ("Shape keys for a head without", "retarget.md"),
    "solve": ("Solve", "panel.md#solve"),
    "actor": ("Actor", "actor.md"),
    "result": ("Result", "panel.md#result"),
    "bake": ("Bake", "panel.md#bake"),
    "filter": ("Filter", "live.md#filters"),
    "edits": ("Edits", "edits.md"),
    "edit": ("An edit", "edits.md#what-edits-can-do"),
    "pair": ("A point of an edit", "edits.md#what-edits-can-do"),
    "refine": ("Refine", "refine.md"),
    "learn": ("Train on This Actor", "learn.md"),
    "live": ("Live", "live.md#live"),
    "generate": ("Generate", "generate.md"),
    "create": ("Generate and other meshes", "retarget.md"),
    "retarget": ("Other meshes", "retarget.md"),
    "preferences": ("Preferences", "panel.md#if-something-is-missing"),
    "installation": ("Installation", "panel.md#if-something-is-missing"),
    "manual": ("Help", "index.md"),
}


def page(every: Iterable[Subject]) -> str:
    """The page's text."""
    by_section: dict[str, list[Subject]] = {}
    for subject in every:
        by_section.setdefault(subject.section, []).append(subject)
    order = [name for name in SECTIONS if name in by_section]
    order += sorted(name for name in by_section if name not in SECTIONS)
    parts = [_HEAD]
    for name in order:
        title, more = SECTIONS.get(name, (name.replace("_", " ").capitalize(), "panel.md"))
        entries = "\n".join(_entry(subject) for subject in by_section[name])
        parts.append(f"## {title}\n\n[More about it]({more})\n\n{entries}\n")
    return "\n".join(parts)


def _entry(subject: Subject) -> str:
    facts = "" if subject.setting is None else _facts(subject.setting)
    lines = [f'- <a id="{subject.anchor}"></a>**{subject.label}**{facts}: {_sentence(subject.tooltip)}']
    lines += [
        f"    - *{choice.name}*" + (f": {_sentence(choice.description)}" if choice.description else "")
        for choice in getattr(subject.setting, "enum_items_static", ())
    ]
    return "\n".join(lines)


def _facts(item: Any) -> str:
    """Range and default of a number, what is set at first of others; as far as it says something."""
    kind = getattr(item, "type", "")
    if kind == "BOOLEAN" and not getattr(item, "is_array", False):
        return f" (at first {'on' if item.default else 'off'})"
    if kind in ("INT", "FLOAT") and not item.is_array:
        low, high = item.hard_min, item.hard_max
        span = f"{low:g} to {high:g}, " if low > -1e5 and high < 1e6 else ""
        return f" ({span}at first {item.default:g})"
    return ""


def _sentence(text: str) -> str:
    text = re.sub(r"([<>*_`|\[\]])", r"\\\1", text.strip())
    return f"{text}." if text else "as its name says."


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="facecap-reference-") as folder:
        os.environ["BLENDER_USER_RESOURCES"] = folder  # before bpy is imported: the user's own stays untouched
        from facecap_addon import addon

        addon.register()
        from facecap_addon.blender.help.subjects import subjects

        PAGE.write_text(page(subjects()), encoding="utf-8")
        addon.unregister()


if __name__ == "__main__":
    main()
