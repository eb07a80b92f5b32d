"""Results that are never lost: every take that was made stays, under an identity of its own.

Beside the results' own names, which show the newest, each result lies in `OUT/.<stem>.facecap/takes/<id>/` under the
same names. An id is when the take was made and what it holds: `20260704-093012-1f0c2a9b`.
"""

from __future__ import annotations

import filecmp
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from ..atomic_file import atomic_path
from ..errors import FacecapError
from .npz import load_take
from .take import Take

TAKE, JOB, TAKES = ".take.npz", ".facecap", "takes"
ID, MADE = "id", "made"
_EDITED_IN_PLACE = {".csv", ".html", ".json"}


def add_id(take: Take) -> Take:
    """The take with an id, and when it was made, in its provenance."""
    now = time.localtime()
    identity = f"{time.strftime('%Y%m%d-%H%M%S', now)}-{content_of(take)}"
    made = time.strftime("%Y-%m-%d %H:%M:%S", now)
    return replace(take, provenance={**take.provenance, ID: identity, MADE: made})


def content_of(take: Take) -> str:
    """8 hexadecimal digits of what a take holds and what it was made of."""
    facts = {name: value for name, value in take.provenance.items() if name not in (ID, MADE)}
    digest = hashlib.sha256(json.dumps([facts, take.channels, take.not_observed], default=str).encode())
    for item in fields(take):
        value = getattr(take, item.name)
        if isinstance(value, np.ndarray):
            digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()[:8]


def id_of(take: Take, path: Path) -> str:
    """A take's id; of one that has none yet, when its file was written and what it holds."""
    known = take.provenance.get(ID)
    if isinstance(known, str) and known and known == Path(known).name:
        return known
    written = time.strftime("%Y%m%d-%H%M%S", time.localtime(path.stat().st_mtime))
    return f"{written}-{content_of(take)}"


def job_folder(out: Path, stem: str) -> Path:
    """Where the work on results of some name is kept."""
    return out / f".{stem}{JOB}"


def home_of(path: Path) -> Path:
    """The folder of the named results that a take belongs to: its own, or the one whose kept versions it lies among."""
    job = path.parent.parent.parent
    kept = path.parent.parent.name == TAKES and job.name.startswith(".") and job.name.endswith(JOB)
    return job.parent if kept else path.parent


def keep(out: Path, stem: str, files: Iterable[Path]) -> Path | None:
    """Keep the named results of a take as a version, so that newer ones may take their names.

    What a version holds already is not written twice; large files are linked, not copied, where the disk can. What was
    changed after its version was kept (a .blend that was worked in, a CSV that was edited) is kept beside it.

    Args:
        out, stem: the take is `out/<stem>.take.npz`.  files: its results; those that are missing are left out.
    Returns:
        the version's take; None where there is no take, or none that can be read.
    Raises:
        FacecapError: the disk is full or the folder cannot be written.
    """
    named = out / f"{stem}{TAKE}"
    try:
        identity = id_of(load_take(named), named)
    except FacecapError:
        return None
    folder = job_folder(out, stem) / TAKES / identity
    is_new = not folder.exists()
    for path in files:
        if not path.is_file():
            continue
        target = folder / path.name
        if not is_new:
            if _is_kept(path, target):
                continue
            written = time.strftime("%Y%m%d-%H%M%S", time.localtime(path.stat().st_mtime))
            target = folder / f"changed-{written}" / path.name
        if not target.exists():
            _copy(path, target)
    return folder / named.name


def find_take(path: Path) -> Path:
    """Where a remembered take is: where it was, or under its name where its version was cleared away.

    Raises FacecapError if it is at neither place: another take of the same name is not it.
    """
    if path.is_file():
        return path
    named = home_of(path) / path.name
    if named != path and named.is_file() and id_of(load_take(named), named) == path.parent.name:
        return named
    raise FacecapError(f"The take {path} is no longer there.", "Choose another take, or solve again.")


def version(out: Path, stem: str, identity: str) -> Path | None:
    """The kept take of that id, or None."""
    path = job_folder(out, stem) / TAKES / identity / f"{stem}{TAKE}"
    return path if path.is_file() else None


def _is_kept(path: Path, target: Path) -> bool:
    linked = path.suffix not in _EDITED_IN_PLACE and path.stat().st_nlink > 1  # with this version or an earlier one
    return linked or (target.is_file() and filecmp.cmp(path, target, shallow=False))


def _copy(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix not in _EDITED_IN_PLACE:
        try:
            os.link(path, target)
            return
        except OSError:
            pass  # the disk knows no links
    with atomic_path(target) as temporary:
        shutil.copyfile(path, temporary)
