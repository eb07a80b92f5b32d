"""What a refinement is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...refine.settings import DeepSettings
from ...settings_schema import setting
from .output import OutputSettings
from .pytorch import device_setting

ENDING = ".refined"
"""What stands between a refined take's name and its ending."""
LIVE_NAME = "live.jpg"
"""The latest comparison of footage and render, in the job folder."""


@dataclass(frozen=True, kw_only=True)
class RefineSettings(DeepSettings, OutputSettings):
    """Settings of one refinement of a solve by deep energies."""

    folder: Path = setting(help="Folder of a finished solve")
    take: Path | None = setting(None, help="The take to refine, where the folder holds several")
    start: int | None = setting(None, help="First frame of the take to refine, counted from 0", unit="frame", min=0)
    end: int | None = setting(None, help="Last frame of the take to refine", unit="frame", min=0)
    cameras: Path | None = setting(
        None, help="JSON file of further calibrated cameras, as the panel writes it; see docs/refine.md"
    )
    flow_model: Path | None = setting(None, help="TorchScript network for optical flow; if not given: OpenCV's DIS")
    device: str = device_setting()
    threads: int | None = setting(
        None, help="Processor threads, and frames worked on at once; if not given: one per core", min=1, max=64
    )
