"""What a retarget job is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...retarget.options import KERNELS
from ...settings_schema import setting


@dataclass(frozen=True, kw_only=True)
class WarpSettings:
    """How landmarks pull a mesh."""

    kernel: str = setting(
        "gaussian-printed",
        help="How the pull of a landmark fades with distance",
        choices=KERNELS,
        label="Falloff",
        choice_labels={
            "gaussian": ("Gaussian", "Round near a landmark, then fading fast"),
            "gaussian-printed": ("Exponential", "Pointed near a landmark, then fading slowly"),
            "thin-plate": ("Thin Plate", "Like bent sheet metal; ignores the width"),
            "multiquadric": ("Multiquadric", "Wide and smooth"),
        },
    )
    sigma_mm: float | None = setting(
        None,
        help="How far the pull of a landmark goes; if not given: by the spacing of the landmarks",
        unit="mm",
        min=0.1,
        max=1000.0,
        label="Width",
    )
    reach: float = setting(
        1.0,
        help="Distance along the skin beyond which nothing moves; 1 = distance between the outer eye corners",
        min=0.1,
        max=10.0,
        label="Reach (× Eyes)",
    )


@dataclass(frozen=True, kw_only=True)
class RetargetSettings(WarpSettings):
    """Settings of one retarget."""

    motion: Path = setting(help="What moves: a .landmarks.npz, or a .take.npz")
    character: str | None = setting(
        None, help="FILE.blend, FILE.blend:OBJECT or rig .npz that follows; if not given: the sample head"
    )
    source: str | None = setting(
        None, help="Character that a take was solved on; if not given: the one the take names, else the sample head"
    )
    out: Path = setting(Path("facecap_out"), help="Folder for the results")
    points: str = setting("pc2", help="Point cache to write", choices=("pc2", "mdd"))
    head: bool = setting(True, help="Move the whole mesh with the head", label="Also Move Head")
    scale: bool = setting(
        True, help="Scale the motion to the character's proportions, region by region", label="Match Proportions"
    )
    each_frame: bool = setting(
        False, help="Solve the warp anew in each frame on the landmarks where they moved to, as the paper does"
    )
    blend: bool = setting(True, help="Write a copy of the character's .blend that plays the point cache")
    blender: Path | None = setting(None, help="Blender program to open .blend characters with")
    threads: int = setting(2, help="Threads", min=1, max=64)
