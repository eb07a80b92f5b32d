"""What a report of a problem says: versions, settings, the latest fault. Files are named, their folders are not."""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

import bpy

from ... import __version__
from .. import session
from ..paths import user_folder
from ..present import settings_in
from .subjects import own_properties

_SUFFIX = "-problem.txt"
# A path is what begins with a slash or a drive; with quotes around it, it may hold spaces.
_QUOTED = re.compile(r"(?P<quote>[\"'“])(?P<path>(?:[A-Za-z]:[\\/]|/|~/|\\\\)[^\"'”\n]*)(?P<end>[\"'”])")
_BARE = re.compile(r"(?<![\w.:/<])(?:[A-Za-z]:[\\/]|/|~/|\\\\)[^\s\"'“”<>|:,;()]*[\\/][^\s\"'“”<>|:,;()]*")
_CODE = re.compile(r".*?((?:facecap_addon|lib/python[\d.]*|site-packages|scripts)/.*)")


def write_report(context: bpy.types.Context, checks: Iterable[str]) -> Path:
    """Write the report into the add-on's own folder; returns where it is.

    Args:
        checks: lines of Check Installation.
    """
    folder = user_folder("reports")
    path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}{_SUFFIX}"
    path.write_text(report_text(context, checks, latest_fault(folder)), encoding="utf-8")
    return path


def latest_fault(folder: Path) -> str:
    """The latest fault of FaceCap's own that was written down; "" if there was none."""
    faults = [path for path in folder.glob("*.txt") if not path.name.endswith(_SUFFIX)]
    return max(faults, key=lambda path: path.name).read_text(encoding="utf-8") if faults else ""


def report_text(context: bpy.types.Context, checks: Iterable[str], fault: str) -> str:
    """The report."""
    outcome = session.outcome
    said = [] if outcome is None else [f"{outcome.of}: {'done' if outcome.ok else 'failed'}", *outcome.lines]
    parts = {
        "What I did, and what went wrong": ["(please write it here)"],
        "Versions": [
            f"FaceCap {__version__}",
            f"Blender {bpy.app.version_string}, Python {platform.python_version()}, {platform.platform()}",
            *checks,
        ],
        "What the panel says": said,
        "Settings": settings_lines(settings_in(context)),
        "Latest fault": fault.splitlines() or ["none was written down"],
    }
    text = "\n\n".join("\n".join((title, "=" * len(title), *lines)) for title, lines in parts.items() if lines)
    return without_folders(text, _known_paths(context)) + "\n"


def settings_lines(group: bpy.types.bpy_struct, prefix: str = "") -> list[str]:
    """Every setting that differs from what it is at first, as `name = value`; of objects, what they are."""
    lines: list[str] = []
    for item in group.bl_rna.properties:
        if item.identifier in ("rna_type", "name"):
            continue
        value = getattr(group, item.identifier)
        if isinstance(value, bpy.types.PropertyGroup):
            lines += settings_lines(value, f"{prefix}{item.identifier}.")
        elif item.type == "COLLECTION":
            lines.append(f"{prefix}{item.identifier}: {len(value)}")
        elif item.type == "POINTER":
            lines.append(f"{prefix}{item.identifier} = {'none' if value is None else value.bl_rna.identifier}")
        elif item in own_properties(type(group)) and group.is_property_set(item.identifier):
            shown = list(value) if getattr(item, "is_array", False) else value
            lines.append(f"{prefix}{item.identifier} = {shown}")
    return lines


def without_folders(text: str, known: Iterable[str] = ()) -> str:
    """A text in which paths are names: of files their last part, of code where it is in its package.

    Args:
        known: paths that are cut wherever they stand, even with spaces in them.
    """
    folders = {folder for path in known for folder in _folders_of(path)}
    for folder in sorted((*folders, str(Path.home())), key=len, reverse=True):
        text = text.replace(folder + "/", "…/").replace(folder + "\\", "…/").replace(folder, "…")
    text = _QUOTED.sub(lambda found: found["quote"] + _name_of(found["path"]) + found["end"], text)
    text = re.sub(r"…/[^\s\"'“”<>|:,;()]*", lambda found: _name_of(found[0]), text)
    return _BARE.sub(lambda found: _name_of(found[0]), text)


def _folders_of(path: str) -> list[str]:
    parent = (PureWindowsPath(path) if re.match(r"[A-Za-z]:[\\/]|\\\\", path) else PurePosixPath(path)).parent
    return [str(parent)] if len(parent.parts) > 1 else []


def _name_of(path: str) -> str:
    plain = path.replace("\\", "/")
    code = _CODE.match(plain)
    return code[1] if code else PurePosixPath(plain).name


def _known_paths(context: bpy.types.Context) -> list[str]:
    """The paths that the open file and the settings hold."""
    settings = settings_in(context)
    held = [settings.video, settings.result.take, settings.solve.actor_file, settings.learn.folder]
    held += [entry.take for entry in settings.takes] + [entry.clip for entry in settings.takes]
    return [bpy.data.filepath, *(bpy.path.abspath(path) for path in held if path)]
