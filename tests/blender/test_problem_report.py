"""Report a Problem: everything that helps, and no folder of the user's."""

from __future__ import annotations

from pathlib import Path

import bpy
import pytest

from facecap_addon.blender import session
from facecap_addon.blender.help.problem_report import latest_fault, report_text, without_folders, write_report
from facecap_addon.blender.operators.base import fault_message
from facecap_addon.blender.paths import user_folder

TRACE = """facecap.solve
Blender 5.2.0, Python 3.13.1, Linux

Traceback (most recent call last):
  File "/home/jane doe/.config/blender/5.2/extensions/facecap/facecap_addon/blender/operators/base.py", line 56
  File "C:\\Users\\Jane Doe\\AppData\\facecap_addon\\fit\\solve.py", line 12, in solve
  File "/usr/lib/python3.13/json/__init__.py", line 346, in loads
OSError: [Errno 28] No space left on device: '/mnt/secret project/jane.take.npz'
"""


def test_paths_become_names_and_code_stays_to_be_found() -> None:
    text = without_folders(TRACE)
    for private in ("jane doe", "Jane Doe", "secret project", "AppData"):
        assert private not in text
    assert '"facecap_addon/blender/operators/base.py", line 56' in text
    assert '"facecap_addon/fit/solve.py", line 12' in text and "lib/python3.13/json/__init__.py" in text
    assert "'jane.take.npz'" in text and "No space left" in text


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"The footage {Path.home()}/clips/take 1.mp4 is not there.", "take 1.mp4 is not there."),
        ("The video D:\\work\\face.mov can no longer be read", "The video face.mov can no longer be read"),
        ("1920 × 1080 · 25 fps, and/or none", "1920 × 1080 · 25 fps, and/or none"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("Nothing", "Nothing"),
    ],
)
def test_what_is_said_keeps_its_words(said: str, shown: str) -> None:
    assert without_folders(said).endswith(shown)
    assert str(Path.home()) not in without_folders(said)


def test_known_folders_are_cut_even_with_spaces_in_them() -> None:
    known = "/data/my film/scene 3/anna.mp4"
    assert without_folders(f"The footage {known} is not there.", [known]) == "The footage anna.mp4 is not there."


def test_the_report_has_versions_settings_and_the_latest_fault(tmp_path: Path) -> None:
    settings = bpy.context.scene.facecap
    settings.video = str(tmp_path / "private folder" / "anna.mp4")
    settings.solve.smoothness, settings.bake.mode = 3.0, "mix"
    session.outcome = session.Outcome(False, [f"The footage {settings.video} is not there."], of="facecap.solve")
    text = report_text(bpy.context, ["torch: absent"], "facecap.solve\nKeyError: 7")
    session.outcome = None
    assert bpy.app.version_string in text and "torch: absent" in text and "KeyError: 7" in text
    assert "solve.smoothness = 3.0" in text and "bake.mode = mix" in text and "bake.gain" not in text
    assert "anna.mp4" in text and "private folder" not in text and str(tmp_path) not in text
    assert "facecap.solve: failed" in text


def test_a_fault_that_was_written_down_is_in_the_report() -> None:
    try:
        raise ValueError("planted")
    except ValueError as error:
        fault_message(error, "facecap.solve")
    path = write_report(bpy.context, [])
    assert "ValueError: planted" in path.read_text(encoding="utf-8")
    assert "ValueError: planted" in latest_fault(user_folder("reports"))  # not the report itself


def test_pressing_it_says_where_the_file_is_and_that_nothing_was_sent() -> None:
    assert bpy.ops.facecap.report_problem() == {"FINISHED"}
    outcome = session.outcome
    assert outcome is not None and outcome.of == "facecap.report_problem"
    assert "nothing was sent" in outcome.lines[0] and Path(outcome.lines[1]).is_file()
    session.outcome = None
