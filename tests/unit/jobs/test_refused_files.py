"""What is said where the system refuses a file: which one it was, and what can be done."""

from __future__ import annotations

import errno
from pathlib import Path

from facecap_addon.jobs.runtime.run_job import error_event
from facecap_addon.jobs.settings.solve import SolveSettings

SETTINGS = SolveSettings(video=Path("/mnt/card/talk.mp4"), out=Path("out"))


def said(error: OSError) -> str:
    event = error_event(error, "solve", SETTINGS)
    assert event.exit_code == 2 and event.way_out
    return event.what


def test_a_video_that_went_away_is_named_as_the_video() -> None:
    lost = OSError(errno.EIO, "Input/output error", "/mnt/card/talk.mp4")
    assert said(lost) == "The video talk.mp4 can no longer be read (Input/output error)."


def test_any_other_file_is_named_and_a_full_disk_is_called_full() -> None:
    assert said(OSError(errno.EIO, "Input/output error", "/d/a.npz")).startswith(
        "a.npz can no longer be read or written"
    )
    assert said(OSError(errno.EIO, "Input/output error")).startswith("A file can no longer")
    assert "disk is full" in said(OSError(errno.ENOSPC, "No space left on device", "/d/a.npz"))
