"""The loop of live capture and its state: pictures or packets in, faces out, recordings kept."""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from ..arrays import F64
from ..errors import FacecapError
from ..footage.orientation import Orientation
from ..json_types import Facts
from ..landmarks.tracking.upright import LiveUpright
from ..live.filter import SmoothFace
from ..live.forwarding import FaceSender
from ..live.live_frame import LiveFace
from ..live.live_solvers import Method
from ..live.neutral_calibration import Neutral
from ..live.preview_file import PictureFile
from ..live.recording import Recording
from ..live.recording_store import RecordingStore
from ..live.sources.capture_thread import Captured, LivePicture
from ..live.sources.open_source import Source
from ..rig.duplicate_keys import DistinctKeys
from ..settings_schema import to_json
from ..takes.formats.live_link import format_timecode
from ..takes.take import Take
from .runtime.events import FaceEvent
from .runtime.progress import Progress
from .settings.live import LiveSettings
from .steps.results.outputs import OutputFiles, write_live_link

Controls = queue.SimpleQueue[bytes]
LiveSteps = Generator[Progress | FaceEvent, None, "LiveResult"]
NEUTRAL, RECORD, STOP_RECORDING, END = b"n", b"r", b"s", b"q"
_WAIT_S, _RATE_OVER = 0.1, 30
_IN_A_MIRROR = Orientation(mirrored=True)
_TURNED = "The picture stands on its head: it is turned by 180°."
_TURNED_BACK = "The picture stands upright now: it is no longer turned."


@dataclass(frozen=True)
class LiveResult:
    """What a capture leaves behind.

    Attributes:
        takes: recordings, in order.  lines: what there is to say.
        facts: seconds, frames captured, solved and dropped, latency_ms at the median and the 95th percentile.
    """

    takes: tuple[Path, ...]
    lines: tuple[str, ...]
    facts: dict[str, float]

    def to_json(self) -> Facts:
        """JSON-able facts."""
        return {"takes": [str(path) for path in self.takes], "lines": list(self.lines), "facts": self.facts}


@dataclass(frozen=True)
class LiveCharacter:
    """Whose face it becomes.

    Attributes:
        keys: each once.  head_from_rig: (4, 4); None: the same space.
    """

    keys: DistinctKeys
    head_from_rig: F64 | None


class LiveCapture:
    """The loop and its state.

    Args:
        upright: turns pictures that stand on their head; None: there are no pictures.
        sender: passes faces on; None: nobody asked for them.
    """

    def __init__(
        self,
        settings: LiveSettings,
        character: LiveCharacter,
        source: Source,
        method: Method,
        controls: Controls,
        upright: LiveUpright | None,
        sender: FaceSender | None,
    ) -> None:
        keys = character.keys
        self._settings, self._keys, self._source, self._method = settings, keys, source, method
        self._controls, self._upright, self._sender = controls, upright, sender
        self._smooth = SmoothFace(settings.choice(delay=settings.delay), keys.rig.ranges)
        self._neutral = Neutral(keys.rig.ranges)
        self._recording = Recording(keys.names) if settings.record else None
        self._recordings = RecordingStore(settings.out, _write_csv)
        self._told_takes = 0
        self._lines: list[str] = []
        self._picture = None if settings.picture is None else PictureFile(settings.picture)
        self._latency_ms: deque[float] = deque(maxlen=100_000)
        self._solved_s: deque[float] = deque(maxlen=_RATE_OVER)
        self._first_seen_s: float | None = None
        self._clock_s = 0.0
        self._just_neutral = False
        self._told = self._ending = False
        self._head_from_rig = character.head_from_rig

    def run(self, notes: list[str]) -> LiveSteps:
        """Capture until the source ends, the time is over or the owner says so; notes: what there is to say first."""
        began, mailbox, note = time.monotonic(), self._source.mailbox, " ".join(notes)
        self._lines += notes
        yield Progress("live", 0, 0, note or self._source.waiting)
        last, solved = began, 0
        try:
            while not mailbox.ended:
                if self._settings.seconds is not None and time.monotonic() - began > self._settings.seconds:
                    break
                note = self._handle_controls() or self._note_lines(self._recordings.try_again()) or note
                if self._ending:
                    break
                captured = mailbox.get(_WAIT_S)
                if captured is None:
                    if time.monotonic() - last > 1.0:  # alive, and the owner may cancel
                        last = time.monotonic()
                        yield Progress("live", 0, 0, note or self._source.waiting)
                        note = ""
                    continue
                last = time.monotonic()
                self._read_clock(captured)
                knows_up = True
                if isinstance(captured, LivePicture):
                    if self._settings.mirror:
                        captured = replace(captured, image=_IN_A_MIRROR.apply(captured.image))
                    captured, knows_up, said = self._stand_upright(captured)
                    note = said or note
                    if self._picture is not None:
                        self._picture.show(captured.image, last)
                face = self._method.step(captured) if knows_up else None
                if face is not None:
                    solved += 1
                    face = self._smooth.step(self._neutral.apply(face))
                    if self._sender is not None:
                        self._sender.send(face, self._clock_s)
                    face = replace(face, weights=self._keys.scatter(face.weights))
                if self._recording is not None:
                    self._recording.add(captured.time_s if face is None else face.time_s, face)
                now = time.monotonic()
                self._latency_ms.append(1000 * (now - captured.captured_s))
                self._solved_s.append(now)
                note = self._auto_neutral(captured.time_s, face) or note
                yield self._make_event(captured, face, note)
                note = ""
        except FacecapError as error:  # the camera was unplugged: what was recorded until then is told with it
            self._keep()
            if not self._recordings.written:
                raise
            places = ", ".join(str(path) for path in self._recordings.written)
            raise FacecapError(f"{error.what} Recorded until then: {places}", error.way_out) from error
        finally:
            self._keep()
            if self._picture is not None:
                self._picture.close()
        self._recordings.check()
        return self._make_result(time.monotonic() - began, solved)

    def _read_clock(self, captured: Captured) -> None:
        """Find out the time of the day at time 0: by the sender's clock, or by this computer's as capture begins."""
        sent = self._source.clock_s
        if sent is not None:
            self._clock_s = sent
        elif not self._latency_ms:  # the first
            now = datetime.now()
            day_s = (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()
            self._clock_s = day_s - (time.monotonic() - captured.captured_s) - captured.time_s

    def _stand_upright(self, captured: LivePicture) -> tuple[LivePicture, bool, str]:
        """A picture, turned where it stands on its head, whether that is known yet, and what there is to say."""
        if self._upright is None:
            return captured, True, ""
        before = self._upright.turned
        image = self._upright.step(captured.image, captured.time_s)
        said = ""
        if self._upright.turned != before:
            said = self._note_lines([_TURNED if self._upright.turned else _TURNED_BACK])
        return replace(captured, image=image), self._upright.decided, said

    def _handle_controls(self) -> str:
        """Do what the owner asked for; returns what there is to say."""
        note = ""
        while not self._controls.empty():
            control = self._controls.get()
            if control == NEUTRAL:
                note = self._set_neutral()
            elif control == RECORD and self._recording is None:
                self._recording = Recording(self._keys.names)
            elif control == STOP_RECORDING and self._recording is not None:
                note = self._keep()
            elif control == END:
                self._ending = True
        return note

    def _set_neutral(self) -> str:
        refitted = self._method.set_neutral()
        if not self._neutral.set(weights=not refitted):
            return "No face was seen just now: look into the camera, relax, and try again."
        self._just_neutral = True
        return "This face is neutral now."

    def _auto_neutral(self, time_s: float, face: LiveFace | None) -> str:
        """Set the neutral pose at the time that the settings name."""
        after = self._settings.neutral_after
        if face is not None and self._first_seen_s is None:
            self._first_seen_s = time_s
        if after is None or self._first_seen_s is None or time_s - self._first_seen_s < after:
            return ""
        self._first_seen_s = float("inf")
        return self._set_neutral()

    def _keep(self) -> str:
        """Write the recording, if there is one, and what is not written yet; returns what there is to say."""
        if self._recording is None:
            return self._note_lines(self._recordings.write())
        facts: dict[str, object] = {
            "method": f"live, {self._settings.method}",
            "source": self._settings.source,
            "settings": to_json(self._settings),
            "first_timecode": format_timecode(self._clock_s + self._recording.first_s),
            "first_time_of_day_s": self._clock_s + self._recording.first_s,
        }
        if self._head_from_rig is not None:
            facts["head_from_rig"] = self._head_from_rig.tolist()
        try:
            take = self._recording.take(facts, self._source.size_px)
        except FacecapError as error:
            self._recording = None
            return self._note_lines([error.what])
        self._recordings.hold(take)
        self._recording = None
        return self._note_lines(self._recordings.write())

    def _note_lines(self, lines: list[str]) -> str:
        """Note what there is to say for the end, too; returns it."""
        self._lines += [line for line in lines if line not in self._lines]
        return " ".join(lines)

    def _make_event(self, captured: Captured, face: LiveFace | None, note: str) -> FaceEvent:
        span = self._solved_s[-1] - self._solved_s[0]
        take = ""
        if self._told_takes < len(self._recordings.written):
            take = str(self._recordings.written[self._told_takes])
            self._told_takes += 1
        neutral, self._just_neutral = self._just_neutral, False
        place: tuple[float, ...] = ()
        if face is not None and not self._told and self._head_from_rig is not None:
            self._told, place = True, tuple(float(v) for v in self._head_from_rig.ravel())
        return FaceEvent(
            time_s=captured.time_s,
            captured_s=captured.captured_s,
            weights=() if face is None else tuple(round(float(w), 5) for w in face.weights),
            head_wxyz=() if face is None else tuple(float(v) for v in face.head_wxyz),
            head_m=() if face is None else tuple(float(v) for v in face.head_m),
            confidence=0.0 if face is None else face.confidence,
            known=self._method.known,
            fps=(len(self._solved_s) - 1) / span if span > 0 else 0.0,
            latency_ms=self._latency_ms[-1],
            dropped=self._source.mailbox.dropped,
            recording=self._recording is not None,
            note=note,
            neutral=neutral,
            take=take,
            head_from_rig=place,
        )

    def _make_result(self, seconds: float, solved: int) -> LiveResult:
        mailbox = self._source.mailbox
        middle, high = np.percentile(self._latency_ms, [50, 95]) if self._latency_ms else (0.0, 0.0)
        facts = {
            "seconds": seconds,
            "captured": mailbox.put_count,
            "solved": solved,
            "dropped": mailbox.dropped,
            "latency_ms": float(middle),
            "latency_p95_ms": float(high),
        }
        share = mailbox.dropped / max(1, mailbox.put_count)
        line = (
            f"{mailbox.put_count} frames in {seconds:.1f} s, {solved} with a face, {mailbox.dropped} dropped "
            f"({share:.1%}); typical delay {middle:.0f} ms, up to about {high:.0f} ms."
        )
        return LiveResult(tuple(self._recordings.written), (*self._lines, *self._source.notes, line), facts)


def _write_csv(path: Path, take: Take) -> None:
    start_s = take.provenance["first_time_of_day_s"]
    assert isinstance(start_s, float)
    write_live_link(OutputFiles(path.parent, path.name.removesuffix(".take.npz")), take, start_s=start_s)
