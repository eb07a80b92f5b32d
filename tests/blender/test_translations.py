"""The panel in other languages: tables that fit the words that are shown."""

from __future__ import annotations

import re
from unittest.mock import MagicMock

import bpy
import pytest

from facecap_addon.blender import translations
from facecap_addon.blender.panels.text import mean_width, wrapped
from tools.translation_messages import literal_texts, messages, table

LANGUAGES = ("de", "ja")
COVERED = 0.9
"""Of what is seen every day. Blender shows English where a word is new: a new button waits for no translator."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_seen_every_day_is_translated(language: str) -> None:
    every, known = messages(), table(language)
    first = [text for text, is_first in every.items() if is_first]
    missing = [text for text in first if text not in known]
    assert len(first) > 300
    assert len(missing) <= (1 - COVERED) * len(first), f"not in {language}.json: {missing}"
    in_vain = [text for text in known if text not in every]
    assert len(in_vain) <= (1 - COVERED) * len(known), f"not shown any more: {in_vain}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_are_words_without_a_full_stop(language: str) -> None:
    for message, words in table(language).items():
        assert words and words == words.strip() and not words.endswith(("。", "．")), message
        assert words.endswith(".") <= message.endswith("..."), message
        for kept in ("FaceCap", "PyTorch", "NAME.facecap", "Esc", "CSV"):
            assert (kept in message) <= (kept in words), (message, words)
        assert message.count("(") == words.count("(") or language == "ja", message


def test_blender_is_given_words_for_labels_and_for_buttons() -> None:
    assert set(LANGUAGES) <= set(translations.languages())
    german, japanese = translations.table_of("de"), translations.table_of("ja")
    assert german[("Operator", "Solve")] == german[("*", "Solve")] == "Lösen"
    assert japanese[("Operator", "Bake Again")] == "再ベイク"


def test_only_the_language_of_the_interface_is_loaded() -> None:
    try:
        for locale, loaded in (("en_US", []), ("de_DE", ["de"]), ("ja_JP", ["ja"]), ("xx", []), ("", [])):
            translations.load(locale)
            assert translations._loaded == loaded
    finally:
        translations.load()


def test_texts_beside_buttons_are_found_in_the_panels_source() -> None:
    texts = set(literal_texts())
    assert {"Import Video...", "Bake Again", "No shape keys yet", "Face Video (FaceCap)"} <= texts


def test_wide_letters_take_more_room() -> None:
    assert mean_width("abc") == 1.0 and mean_width("解析結果") == pytest.approx(1.8)

    def lines(text: str) -> list[str]:
        layout = MagicMock()
        wrapped(layout, bpy.context, text)
        return [call.kwargs["text"] for call in layout.column.return_value.label.call_args_list]

    assert "".join(lines("映像" * 40)) == "映像" * 40
    assert len(lines("映像" * 40)) > len(lines("ab" * 40))


@pytest.mark.parametrize("language", LANGUAGES)
def test_values_stand_in_every_translation(language: str) -> None:
    for message, words in table(language).items():
        assert sorted(re.findall(r"\{[^}]*\}", message)) == sorted(re.findall(r"\{[^}]*\}", words)), message


def test_a_phrase_is_filled_in() -> None:
    assert translations.phrase("Average error {px:.1f} px", px=2.24) == "Average error 2.2 px"
