"""What FaceCap shows in Blender, to be translated: `python -m tools.translation_messages de` prints what is missing.

Messages are read from the registered classes (labels, tooltips, choices) and from the panels' source (other texts).
Add the table's name to see what is missing there and what it has in vain. Needs the bpy package.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "facecap_addon" / "blender"
SHOWN_BY = (
    "queue/*.py",
    "panels/*.py",
    "operators/*.py",
    "operators/*/*.py",
    "help/menus.py",
    "preferences.py",
    "takes.py",
)
_TEXTS = ("text", "heading")
_FIRST_LEVEL = ("footage", "show_footage", "character", "solve", "bake", "filter", "result", "scene", "manual", "menus")


def messages() -> dict[str, bool]:
    """Every message, in the order in which it is met, and whether it is of the first level: what is seen every day."""
    from facecap_addon.blender.help.subjects import panel_classes, subjects

    found: dict[str, bool] = {}
    for panel in panel_classes():
        _add(found, panel.bl_label, first=True)
    for subject in subjects():
        first = subject.setting is None or subject.section in _FIRST_LEVEL
        _add(found, subject.label, first=True)
        _add(found, subject.tooltip, first=first)
        for choice in getattr(subject.setting, "enum_items_static", ()):
            _add(found, choice.name, first=first)
            _add(found, choice.description, first=first)
    for text in literal_texts():
        _add(found, text, first=True)
    return found


def literal_texts() -> Iterator[str]:
    """Texts that stand in the source of panels and menus."""
    for pattern in SHOWN_BY:
        for path in sorted(ROOT.glob(pattern)):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(call, ast.Call):
                    yield from _texts_of(call)


def table(language: str) -> dict[str, str]:
    """A language's translations, by message."""
    return json.loads((ROOT / "translations" / f"{language}.json").read_text(encoding="utf-8"))


def _texts_of(call: ast.Call) -> Iterator[str]:
    named = [word.value for word in call.keywords if word.arg in _TEXTS]
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    given = call.args[-1:] if name in ("wrapped", "draw_optional", "phrase") else []
    for value in (*named, *given):
        for part in (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,):
            if isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.value


def _add(found: dict[str, bool], text: str, *, first: bool) -> None:
    if any(letter.isalpha() for letter in text):
        found[text] = found.get(text, False) or first


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="facecap-messages-") as folder:
        os.environ["BLENDER_USER_RESOURCES"] = folder  # before bpy is imported: the user's own stays untouched
        from facecap_addon import addon

        addon.register()
        every = messages()
        for language in sys.argv[1:] or [""]:
            known = table(language) if language else {}
            for text, first in every.items():
                if text not in known:
                    print("1" if first else "2", text)
            for text in known:
                if text not in every:
                    print("not used any more:", text)
        addon.unregister()


if __name__ == "__main__":
    main()
