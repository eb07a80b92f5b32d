"""FaceCap's words in other languages: a table each, `LANGUAGE.json`, from the English message to the translation.

`python -m tools.translation_messages de` prints what a table lacks, and what it has in vain. A message without a
translation is shown in English. A new language is a new file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy

CONTEXT = "FaceCap"
_CONTEXTS = ("*", "Operator", CONTEXT)
"""Where Blender looks for a word: anywhere, on a button, and on our panels, for which its own word may not fit."""
_FOLDER = Path(__file__).parent
_owner = object()
_loaded: list[str] = []


def languages() -> list[str]:
    """Those that there is a table of, as "de"."""
    return sorted(path.stem for path in _FOLDER.glob("*.json"))


def table_of(language: str) -> dict[tuple[str, str], str]:
    """A language's translations, by context and message."""
    text = (_FOLDER / f"{language}.json").read_text(encoding="utf-8")
    return {(context, message): words for message, words in json.loads(text).items() for context in _CONTEXTS}


def phrase(message: str, **values: object) -> str:
    """A message in the interface's language, with values where it names them: `phrase("{count} frames", count=3)`."""
    return str(bpy.app.translations.pgettext_iface(message)).format(**values)


def load(locale: str | None = None) -> None:
    """Give Blender the table of a language, by default of its interface's; English costs nothing.

    Args:
        locale: as "de_DE".
    """
    language = (bpy.app.translations.locale if locale is None else locale)[:2]
    if language in _loaded:
        return
    _unload()
    if language in languages():
        bpy.app.translations.register(__name__, {language: table_of(language)})  # pyright: ignore[reportArgumentType]  its stub
        _loaded.append(language)


def _unload() -> None:
    if _loaded:
        bpy.app.translations.unregister(__name__)
        _loaded.clear()


def register() -> None:
    load()
    changed: Any = (bpy.types.PreferencesView, "language")
    bpy.msgbus.subscribe_rna(key=changed, owner=_owner, args=(), notify=load, options={"PERSISTENT"})


def unregister() -> None:
    bpy.msgbus.clear_by_owner(_owner)
    _unload()
