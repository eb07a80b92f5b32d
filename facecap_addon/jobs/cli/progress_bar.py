"""A progress bar for a terminal; plain lines where there is none."""

from __future__ import annotations

import shutil
import time
from typing import TextIO

from ..registry import Stages, caption_of
from ..runtime.eta import StageClock, duration_text
from ..runtime.progress import Progress

_REDRAW_S = 0.1
_BAR_WIDTH = 24


class ProgressBar:
    """Shows a job's progress on `stream`: one line that is redrawn on a terminal, one line per stage elsewhere.

    Args:
        stages: of the job, see `stages_of`.
    """

    def __init__(self, stream: TextIO, stages: Stages) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._clock = StageClock(stages)
        self._stage = ""
        self._drawn_s = float("-inf")
        self._shown = False

    def show(self, progress: Progress) -> None:
        """Show a job's latest progress."""
        now_s = time.monotonic()
        self._clock.update(progress, now_s)
        if progress.message:
            self.clear()
            self._write(progress.message + "\n")
        new_stage = progress.stage != self._stage
        self._stage = progress.stage
        if not self._live:
            if new_stage:
                self._write(caption_of(progress.stage) + "\n")
            return
        if new_stage or now_s - self._drawn_s >= _REDRAW_S:
            self._drawn_s = now_s
            self._draw(progress)

    def write_line(self, line: str, note: str = "") -> None:
        """Show a line in the bar's place; a note stays on the screen."""
        if note:
            self.clear()
            self._write(note + "\n")
        now_s = time.monotonic()
        if self._live and now_s - self._drawn_s >= _REDRAW_S:
            self._drawn_s = now_s
            self._write("\r\x1b[K" + line[: shutil.get_terminal_size().columns - 1])
            self._shown = True

    def clear(self) -> None:
        """Take the bar off the screen."""
        if self._shown:
            self._write("\r\x1b[K")
            self._shown = False

    def _draw(self, progress: Progress) -> None:
        filled = round(self._clock.fraction * _BAR_WIDTH)
        parts = [
            "█" * filled + "░" * (_BAR_WIDTH - filled),
            f"{self._clock.fraction:4.0%}",
            caption_of(progress.stage),
        ]
        if progress.total > 1:
            parts.append(f"{progress.done}/{progress.total}")
        if self._clock.eta_s is not None:
            parts.append(f"{duration_text(self._clock.eta_s)} left")
        columns = shutil.get_terminal_size().columns
        self._write("\r\x1b[K" + "  ".join(parts)[: columns - 1])
        self._shown = True

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "ascii"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()
