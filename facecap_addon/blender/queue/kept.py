"""Jobs on disk: what is needed to continue one, or to put its result to use, outlives this Blender.

One JSON file per job that runs, waits, was stopped, or is finished and not yet put to use, in the add-on's own folder.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from ...atomic_file import atomic_path
from ...errors import FacecapError
from ...json_types import Decoded
from .. import session
from ..paths import user_folder
from . import owner
from .operators import is_known

MOST = 20
"""So many stopped or finished jobs are listed; the oldest are forgotten first."""
_TEXTS = ("operator", "name", "title", "file", "id", "mesh_stamp", "keys_stamp", "reason")


def write(job: session.Job) -> None:
    """Keep a job as it is now. A full disk does not keep it from running."""
    facts = {name: getattr(job, name) for name in (*_TEXTS, "settings", "fraction", "asked_s", "facts")}
    facts |= {"scene": job.scene.name, "character": job.character.name}
    with contextlib.suppress(OSError, FacecapError):
        facts["owner"] = owner.claim(_folder())
        with atomic_path(_path(job.id)) as temporary:
            temporary.write_text(json.dumps(facts), encoding="utf-8")


def forget(job: session.Job) -> None:
    """Keep a job no longer; what it has written stays."""
    with contextlib.suppress(OSError):
        _path(job.id).unlink(missing_ok=True)


def read() -> None:
    """List the jobs of Blenders that have ended: those with a result as finished, all others as stopped."""
    listed = {job.id for job in (*session.waiting, *session.stopped, *session.finished)}
    found: list[session.Job] = []
    for path in _folder().glob("*.json"):
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if facts["id"] not in listed and not owner.is_alive(_folder(), facts["owner"]):
                found.append(_job_of(facts))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    found.sort(key=lambda job: job.asked_s)
    for job in found[:-MOST]:
        forget(job)
    for job in found[-MOST:]:
        write(job)  # it is this Blender's now
        (session.stopped if job.facts is None else session.finished).append(job)


def _job_of(facts: Decoded) -> session.Job:
    texts = {name: str(facts[name]) for name in _TEXTS}
    if not is_known(texts["operator"]):
        raise KeyError(texts["operator"])
    scene, character = (session.Handle(None, str(facts[name])) for name in ("scene", "character"))
    job = session.Job(texts["operator"], texts["name"], dict(facts["settings"]), texts["title"], scene, character)
    job.file, job.id, job.reason = texts["file"], texts["id"], texts["reason"] or "Interrupted"
    job.mesh_stamp, job.keys_stamp = texts["mesh_stamp"], texts["keys_stamp"]
    job.fraction, job.asked_s = float(facts["fraction"]), float(facts["asked_s"])
    job.facts = None if facts["facts"] is None else dict(facts["facts"])
    return job


def _folder() -> Path:
    return user_folder("jobs")


def _path(name: str) -> Path:
    return _folder() / f"{name}.json"


def let_go() -> None:
    """The next Blender, or this one once the add-on is enabled again, may take the kept jobs."""
    owner.let_go(_folder())
