"""What is going on right now in this Blender: jobs, live capture and the latest outcome. Not saved with any file."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import bpy

from ..json_types import Facts

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from ..jobs.runtime.events import FaceEvent
    from ..jobs.runtime.runner import ProcessRunner

_WRITING_S = 5.0
_Datablock = TypeVar("_Datablock", bound=bpy.types.ID)


@dataclass(frozen=True)
class Handle:
    """A datablock that outlives renaming, undo and another of its name; not loading another file.

    Attributes:
        uid: Blender's own number of it in this session; None where Blender has none.  name: when it was taken.
    """

    uid: int | None
    name: str

    @classmethod
    def of(cls, datablock: bpy.types.ID | None) -> Handle:
        """The handle of a datablock; of None, one that finds nothing."""
        return cls(None, "") if datablock is None else cls(getattr(datablock, "session_uid", None), datablock.name)

    def find(self, collection: Iterable[_Datablock]) -> _Datablock | None:
        """The datablock among those of its type; None if it was deleted."""
        if self.uid is None:
            return next((one for one in collection if one.name == self.name), None)
        return next((one for one in collection if one.session_uid == self.uid), None)


@dataclass
class Job:
    """Long work that somebody asked for. The list that it is in says whether it waits, was stopped, or is finished.

    Attributes:
        operator: who asked, and puts its result to use: "facecap.solve".
        name, settings: of the registry's job, and its settings as JSON: all that is needed to start or continue it.
        title: what it is, for people: "Solve clip.mp4".
        scene, character: what it is for; the user may have moved on since.
        file: the .blend that it is for; "" if that was not saved.
        document: which of the files that were open in this Blender it is for, see `document`; 0: of none.
        id: its own, also on disk.
        asked_s: when it was asked for, in seconds since 1970.
        mesh_stamp, keys_stamp: how the character looked when it was asked for, and how it was animated when the work
            began; see `queue.stamps`.
        runner: the worker's runner, while it runs.
        stage: what is being done, for people.  fraction: 0 to 1.  eta_s: seconds until the end, None while unknown.
        cancelling: whether the user has asked to stop.
        done_at_s: when its worker was done, on a clock of this session; 0 until then.
        facts: what the worker gave back; None until then.
        reason: why it was stopped, or why its result was not put to use unasked.
    """

    operator: str
    name: str
    settings: Facts
    title: str
    scene: Handle
    character: Handle
    file: str = ""
    document: int = 0
    id: str = field(default_factory=lambda: secrets.token_hex(6))
    asked_s: float = field(default_factory=time.time)
    mesh_stamp: str = ""
    keys_stamp: str = ""
    runner: ProcessRunner | None = None
    stage: str = "Starting"
    fraction: float = 0.0
    eta_s: float | None = None
    cancelling: bool = False
    done_at_s: float = 0.0
    facts: Facts | None = None
    reason: str = ""

    @property
    def is_here(self) -> bool:
        """Whether the file that it is for is open."""
        return self.document == document


@dataclass
class Outcome:
    """How the latest job ended.

    Attributes:
        ok: whether it has a result.
        lines: what to tell the user.
        take: the take that they are about; "" if about none. After undo the scene may have another.
        of: the operator whose it is, as "facecap.solve"; it is told in that one's section, a take's in Result.
    """

    ok: bool
    lines: list[str] = field(default_factory=list)
    take: str = ""
    of: str = ""


@dataclass
class Live:
    """Live capture that the panel shows.

    Attributes:
        runner: the worker's runner.  scene, character: what it is for.  stage: what is being done, for people.
        face: the latest face, or None.  latency_ms: from capture to the key's value here, of the latest faces.
        note: what there is to say.  stopping: whether the user has asked to stop.
        fraction: 0 to 1, of the stage; 0 while unknown.  picture_path: where the worker shows what it sees, or None.
        picture: (h, w, 3) uint8 RGB, what it sees.  baked: recordings that were keyed.
        problems: what came in the way of keying one.
    """

    runner: ProcessRunner
    scene: Handle
    character: Handle
    stage: str = "Starting"
    face: FaceEvent | None = None
    latency_ms: list[float] = field(default_factory=list)
    note: str = ""
    stopping: bool = False
    fraction: float = 0.0
    picture_path: Path | None = None
    picture: NDArray[np.uint8] | None = None
    baked: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


document: int = 1
"""Counts the files that were open in this Blender."""
job: Job | None = None
"""The one that runs."""
waiting: list[Job] = []
"""In the order in which they will run."""
stopped: list[Job] = []
"""Cancelled or interrupted: what is needed to continue them is there."""
finished: list[Job] = []
"""Those with a result that was not put to use unasked."""
live: Live | None = None
outcome: Outcome | None = None
installation_report: list[str] = []


def end_live() -> None:
    """End live capture's process, if there is one, and forget it; what it records is written first."""
    global live, outcome
    if live is not None:
        ended, live = live, None
        if ended.face is not None and ended.face.recording and not ended.runner.done:
            ended.runner.tell(b"q")
            until_s = time.monotonic() + _WRITING_S
            while not ended.runner.done and time.monotonic() < until_s:
                ended.runner.poll()
                time.sleep(0.02)
            if ended.runner.result is not None:
                outcome = Outcome(True, [str(line) for line in ended.runner.result.result["lines"]], of="facecap.live")
                print("FaceCap:", *outcome.lines, sep="\n  ")
        ended.runner.close()


def redraw(*, viewport: bool = False) -> None:
    """Ask every 3D view to draw its sidebar again, and with `viewport` all of it."""
    manager = bpy.context.window_manager
    for window in manager.windows if manager is not None else ():
        for area in window.screen.areas:
            for region in area.regions if area.type == "VIEW_3D" else ():
                if region.type == "UI" or viewport:
                    region.tag_redraw()
