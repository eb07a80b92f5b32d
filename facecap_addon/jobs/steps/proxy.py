"""A proxy of footage that Blender shows picture for picture as it was solved, where the file itself would not be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from ...footage.footage import Footage, open_footage
from ...footage.position import Trim
from ...footage.proxy import explain_proxy, make_proxy_pictures
from ...footage.read import read_frames
from ...footage.write import write_video
from ...json_types import Facts
from ...settings_schema import setting
from ..runtime.progress import Progress, Steps
from .content_hash import content_key

_FORMAT = 1
_QUALITY = 18
_REPORT_EVERY = 8


@dataclass(frozen=True, kw_only=True)
class ProxySettings:
    """Settings of one proxy."""

    video: Path = setting(help="Video file, or an image sequence")
    out: Path = setting(help="Folder to write the proxy to; made if it does not exist")
    rate: float = setting(help="Frame rate of the scene", unit="fps", min=0.1, max=1000)
    fps: float | None = setting(None, help="Frame rate of an image sequence", unit="fps", min=0.1, max=1000)
    upside_down: bool = setting(False, help="Turn the pictures by 180°, as the solve did")
    mirror: bool = setting(False, help="Exchange left and right, as the solve did")


@dataclass(frozen=True)
class Shown:
    """What to show in Blender.

    Attributes:
        path: the footage itself, or its proxy.  note: why it is a proxy; "" if it is not.
    """

    path: Path
    note: str = ""

    def to_json(self) -> Facts:
        """JSON-able facts."""
        return {"path": str(self.path), "note": self.note}


def run(settings: ProxySettings) -> Steps[Shown]:
    """Write a proxy if the footage needs one and it is not there yet. Raises FacecapError."""
    footage = replace(
        open_footage(settings.video, fps=settings.fps, mirror=settings.mirror), upside_down=settings.upside_down
    )
    return (yield from prepare_shown_footage(footage, settings.out, rate_of(settings.rate)))


def rate_of(scene_rate: float) -> Fraction:
    """A scene's rate as a fraction that a video can have exactly."""
    return Fraction(scene_rate).limit_denominator(1001)


def find_shown_footage(footage: Footage, folder: Path, rate: Fraction) -> Shown | None:
    """What to show of footage in a scene of some rate, if no proxy has to be written first. Raises FacecapError."""
    reason = explain_proxy(footage, rate)
    if not reason:
        return Shown(footage.paths[0])
    path = _proxy_path(footage, folder, rate)
    return Shown(path, _note(footage, path, reason)) if path.is_file() else None


def prepare_shown_footage(footage: Footage, folder: Path, rate: Fraction) -> Steps[Shown]:
    """What to show of footage in a scene of some rate; a proxy is written beside the results if one is needed.

    Args:
        footage: its trim does not matter: the proxy begins where the footage begins.
        folder: where the proxy goes; one of the same content is used again.  rate: the scene's frames per second.
    Raises:
        FacecapError: the footage cannot be read, or the proxy not be written.
    """
    ready = find_shown_footage(footage, folder, rate)
    if ready is not None:
        return ready
    path = _proxy_path(footage, folder, rate)
    total = max(1, round(footage.duration_s * float(rate)))
    yield Progress("proxy", 0, total)
    reader = read_frames(replace(footage, trim=Trim()))
    try:
        for written in write_video(path, make_proxy_pictures(footage, reader, rate), quality=_QUALITY, even_rate=rate):
            if written % _REPORT_EVERY == 0:
                yield Progress("proxy", written, max(total, written))
    finally:
        reader.close()
    return Shown(path, _note(footage, path, explain_proxy(footage, rate)))


def _note(footage: Footage, path: Path, reason: str) -> str:
    return f"Blender shows the copy {path.name} of the footage, because {reason}."


def _proxy_path(footage: Footage, folder: Path, rate: Fraction) -> Path:
    facts = {
        "format": _FORMAT,
        "rate": str(rate),
        "frame_rate": str(footage.frame_rate) if footage.kind == "sequence" else "",
        "turned": [footage.orientation.rotation_deg, footage.orientation.mirrored],
    }
    first = footage.paths[0]
    name = first.parent.name if footage.kind == "sequence" else first.stem
    return folder / f"{name or 'footage'}.footage-{content_key(footage.paths, facts)[:8]}.mp4"
