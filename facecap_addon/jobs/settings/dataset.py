"""What the making of a training set is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting
from .solve import mirror_setting


@dataclass(frozen=True, kw_only=True)
class DatasetSettings:
    """Settings of one addition to a training set. With nothing to add, the set is checked and shown."""

    folder: Path = setting(help="Folder of the training set; made if it does not exist")
    take: Path | None = setting(None, help="Solved take (.take.npz) to learn from, with the footage it was solved from")
    video: Path | None = setting(None, help="Footage, for curves or a point cache made elsewhere")
    curves: Path | None = setting(None, help="Live Link Face CSV, or a take, that belongs to the video")
    cache: Path | None = setting(
        None, help="Point cache (.pc2, .mdd, or Alembic .abc) of the character that belongs to the video"
    )
    side_video: Path | None = setting(None, help="Footage of a second camera that stands to the side, in step with it")
    labelled_images: Path | None = setting(None, help="Folder of images sorted by expression", former_name="stills")
    draw_seconds: float | None = setting(
        None,
        help="Render the character in varied expressions for this long, in shots of twelve seconds",
        unit="s",
        min=2,
    )
    character: str | None = setting(
        None, help="FILE.blend, FILE.blend:OBJECT or a rig .npz of a new set; if not given: the sample head"
    )
    name: str | None = setting(None, help="Name of the shot; if not given: the file's")
    use: str = setting(
        "auto",
        help="train: learn from the shot; validation: let it choose among the states of the network; test: let it say "
        "how good the network is; auto: let FaceCap choose",
        choices=("auto", "train", "validation", "test"),
        former_choices={"held": "validation"},
    )
    start: str | None = setting(None, help="First frame of the footage to use: a frame number (120) or a time (4.5s)")
    end: str | None = setting(None, help="Last frame of the footage to use, written like the start")
    mirror: bool = mirror_setting()
    fps: float | None = setting(None, help="Frame rate of an image sequence", unit="fps", min=0.1, max=1000)
    cache_fps: float | None = setting(
        None,
        help="Frame rate of a point cache without times; if not given: the footage's",
        unit="fps",
        min=0.1,
        max=1000,
    )
    cache_start: float | None = setting(
        None, help="PC2: scene frame at which the footage starts; if not given: the cache's first, where that is 0 or 1"
    )
    cache_unit: str = setting("m", help="Unit of the point cache", choices=("m", "cm", "mm", "in", "ft"))
    cache_up: str = setting("z", help="Axis of the point cache that points up", choices=("z", "y"))
    blender: Path | None = setting(None, help="Blender program to read .blend characters and Alembic with")
    offset_s: float = setting(
        0.0, help="Time that is added to the curves' or the cache's", unit="s", min=-3600, max=3600, flag="--offset"
    )
    crop: str | None = setting(
        None, help="Crop rectangle of all shots, left,top,width,height in parts of the picture; if not given: proposed"
    )
    side_crop: str | None = setting(
        None, help="Crop rectangle of the second camera, written like the crop; if not given: proposed"
    )
    side: bool = setting(False, help="Rendered shots: add a second camera to the side")
    seed: int = setting(0, help="Rendered shots: another number gives another performance", min=0, max=1_000_000)
    threads: int = setting(2, help="Processor threads", min=1, max=64)
