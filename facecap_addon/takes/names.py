"""Names of results in a folder: whoever came first keeps a name, whatever is called the same gets another."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..atomic_file import atomic_path
from ..errors import FacecapError
from .npz import load_take
from .versions import TAKE, job_folder

ORIGIN = "origin.json"
ENDINGS = ("take.npz", "livelink.csv", "report.html", "preview.mp4", "blend", "pc2", "mdd", "summary.json")
"""What results are called after their stem."""


@dataclass(frozen=True)
class Origin:
    """What results are made of.

    Attributes:
        path: the clip, absolute; "" where only the content counts.  key: of its content.
    """

    path: str
    key: str

    def is_same(self, other: Origin) -> bool:
        """Whether it is the same clip: the same content, wherever it lies, or another cut at the same place."""
        return self.key == other.key or (bool(self.path) and _same_path(self.path, other.path))


def claim_stem(out: Path, stem: str, origin: Origin, endings: Sequence[str] = ENDINGS) -> tuple[str, str]:
    """Take a name for results in a folder: the one wished for, or `<stem>-2`, … where that is another clip's.

    Args:
        out: the folder; made where it is missing.  endings: of files that would be written, after the stem.
    Returns:
        the name, and whose the one wished for is ("" if it was free).
    Raises:
        FacecapError: the folder cannot be written.
    """
    number, taken_by = 1, ""
    while True:
        name = stem if number == 1 else f"{stem}-{number}"
        owner = _find_owner(out, name, endings)
        if owner is None:
            if _sign(out, name, origin):
                return name, taken_by
            continue  # somebody signed in between
        if owner.is_same(origin):
            if owner.key != origin.key:  # another cut of the clip, or noted before names were signed
                with atomic_path(job_folder(out, name) / ORIGIN) as temporary:
                    _write(temporary, origin)
            return name, taken_by
        taken_by = taken_by or owner.path or "something else"
        number += 1


def make_stem(out: Path, stem: str, key: str, endings: Sequence[str] = ENDINGS, lines: list[str] | None = None) -> str:
    """A name for what is made of things that have no place: the same again gets its old name, anything else a new one.

    Args:
        key: of everything it is made of.  endings: see `claim_stem`.  lines: told where the name is not the one wished.
    """
    name, taken_by = claim_stem(out, stem, Origin("", key), endings)
    if taken_by and lines is not None:
        lines.append(f"There is another “{stem}” in this folder already; this one is called “{name}”.")
    return name


def find_free_path(path: Path, ending: str | None = None) -> Path:
    """A path at which there is nothing yet, not even a dangling link: the one wished for, or one with a number.

    Args:
        ending: what the number goes before; absent: the path's suffix.
    """
    ending = path.suffix if ending is None else ending
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.name.removesuffix(ending)}-{number}{ending}")
    return free


def origin_of(out: Path, stem: str) -> Origin | None:
    """Whose results of some name are, where that was noted."""
    try:
        facts = json.loads((job_folder(out, stem) / ORIGIN).read_text(encoding="utf-8"))
        return Origin(str(facts["path"]), str(facts["key"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _find_owner(out: Path, stem: str, endings: Sequence[str]) -> Origin | None:
    known = origin_of(out, stem)
    if known is not None:
        return known
    # Written before names were signed: a solve's settings name its clip.
    try:
        settings = json.loads((job_folder(out, stem) / "settings.json").read_text(encoding="utf-8"))
        return Origin(str(settings["video"]), "")
    except (OSError, ValueError, KeyError, TypeError):
        pass
    present = [out / f"{stem}.{ending}" for ending in endings if (out / f"{stem}.{ending}").exists()]
    if not present:
        return None
    try:
        return Origin(str(load_take(out / f"{stem}{TAKE}").provenance.get("source", "")), "")
    except FacecapError:
        return Origin("", "")


def _sign(out: Path, stem: str, origin: Origin) -> bool:
    """Note whose a name is; False where somebody else was quicker."""
    target = job_folder(out, stem) / ORIGIN
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{secrets.token_hex(4)}.part.json")
    try:
        _write(temporary, origin)
        os.link(temporary, target)  # unlike a rename it fails where there is a file already
    except FileExistsError:
        if origin_of(out, stem) is not None:
            return False
        _write(target, origin)  # damaged: nobody's
    except OSError:  # the disk knows no links; another error comes again
        _write(target, origin)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _write(path: Path, origin: Origin) -> None:
    path.write_text(json.dumps({"path": origin.path, "key": origin.key}, ensure_ascii=False), encoding="utf-8")


def _same_path(one: str, other: str) -> bool:
    if not other:
        return False
    try:
        return Path(one).samefile(other)
    except OSError:  # one of them is gone, or a pattern of a sequence
        return one == other
