"""Take the panel's pictures in docs/images from a real Blender window: `python -m tools.panel_pictures [NAME …]`.

`blender` (or FACECAP_BLENDER) is started once for each picture, with FaceCap installed or from this checkout; it needs
a display. On a machine without a graphics card Blender's own screenshots are black: name a command that takes one of
the screen, FACECAP_SCREENSHOT="import -window root {}" for example. The clip is fetched, and solved once, in
build/pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from facecap_addon.jobs.cli.main import main as facecap

from .fetch_clip import fetch_clip

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
WORK = ROOT / "build" / "pictures"
WINDOW = (1600, 900)
LIMIT_S = 240


@dataclass(frozen=True)
class Picture:
    """What a picture shows.

    Attributes:
        open, closed: panels that are to be open or closed otherwise than at first, as "solve_options".
        crop: "sidebar", "view" or "window".
        video, take: whether footage, and its take, are there.
        more: of the request to tests/gui/show.py.
    """

    open: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    crop: str = "sidebar"
    video: bool = True
    take: bool = True
    more: dict[str, Any] = field(default_factory=dict[str, Any])


_TOP = ("footage", "character", "solve", "result")
PICTURES = {
    "panel": Picture(take=False),
    "panel-empty": Picture(video=False, take=False, more={"character": False}),
    "panel-result": Picture(crop="view", more={"frame": 41, "beside": True}),
    "panel-options": Picture(open=("solve_options",), closed=("footage", "character", "result")),
    "panel-actor": Picture(open=("actor",), closed=("footage", "character", "result")),
    "panel-bake": Picture(open=("bake", "filter"), closed=("footage", "character", "solve", "check")),
    "panel-check": Picture(open=("check", "corrections"), closed=("footage", "character", "solve")),
    "panel-edits": Picture(
        open=("edits",),
        closed=("footage", "character", "solve", "check"),
        more={"edits": ["gain", "lip-seal", "blink"]},
    ),
    "panel-takes": Picture(open=("takes",), closed=("footage", "character", "solve", "check")),
    "panel-more": Picture(open=("more", "help"), closed=_TOP),
    "panel-learn": Picture(open=("more", "learn"), closed=_TOP),
    "panel-live-settings": Picture(open=("more", "live"), closed=_TOP),
    "panel-generate": Picture(open=("more", "generate"), closed=_TOP),
    "panel-german": Picture(more={"language": "de_DE"}),
    "panel-solving": Picture(crop="view", take=False, more={"press": "facecap.solve", "wait_s": 20.0}),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.panel_pictures", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(PICTURES)}; default: all")
    parser.add_argument("--images", type=Path, default=IMAGES, help="folder that they are written to")
    parser.add_argument("--more", type=json.loads, default={}, help='of the request: {"scale": 2.0, "theme": "light"}')
    options = parser.parse_args()
    options.images.mkdir(parents=True, exist_ok=True)
    video, take, head = material()
    for name in options.names or PICTURES:
        shot = PICTURES[name]
        request = {
            "root": str(ROOT),
            "head": str(head),
            "video": f"//{video.name}" if shot.video else None,
            "take": str(take) if shot.take else None,
            "open": shot.open,
            "closed": shot.closed,
            **shot.more,
            **options.more,
        }
        picture = photograph(name, request, shot.crop)
        picture.save(options.images / f"{name}.png", optimize=True)
        print(options.images / f"{name}.png", *picture.size)
    return 0


def material() -> tuple[Path, Path, Path]:
    """The clip, its take, and a .blend with the sample head, in a folder of their own."""
    WORK.mkdir(parents=True, exist_ok=True)
    video, head = WORK / "talk.mp4", WORK / "head.blend"
    shutil.copy(fetch_clip(), video)
    shutil.copy(ROOT / "sample_scenes" / "head.blend", head)
    take = WORK / "talk.take.npz"
    if not take.is_file() and facecap(["solve", str(video), "--out", str(WORK), "--no-blend"]):
        raise SystemExit("the clip could not be solved")
    return video, take, head


def photograph(name: str, request: dict[str, Any], crop: str) -> Image.Image:
    """One picture. Raises SystemExit with what Blender said if there is none."""
    picture, reply = WORK / f"{name}.window.png", WORK / f"{name}.json"
    reply.unlink(missing_ok=True)
    asked = WORK / f"{name}.request.json"
    asked.write_text(json.dumps({**request, "picture": str(picture), "reply": str(reply)}), encoding="utf-8")
    command = [os.environ.get("FACECAP_BLENDER", "blender"), "--window-geometry", "0", "0", *map(str, WINDOW)]
    command += ["--python", str(ROOT / "tests" / "gui" / "show.py"), "--", str(asked)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    answer = json.loads(reply.read_text(encoding="utf-8")) if reply.is_file() else {}
    if crop not in answer:
        raise SystemExit(f"{name}: {answer.get('error') or done.stdout[-2000:] + done.stderr[-2000:]}")
    x, y, width, height = answer[crop]
    with Image.open(picture) as whole:
        return whole.convert("RGB").crop((x, y, x + width, y + height))


if __name__ == "__main__":
    raise SystemExit(main())
