"""Take: one solved performance over time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import FacecapError
from .actor import Actor

STATUS_MISSING, STATUS_SOLVED, STATUS_INFILLED = 0, 1, 2
REGIONS = ("brows", "eyes", "nose", "cheeks", "mouth", "jaw")


def _none_covered() -> NDArray[np.float32]:
    return np.zeros((0, 0), np.float32)


def _no_jaw() -> NDArray[np.float32]:
    return np.zeros((0, 6), np.float32)


def usual_step_s(time_s: NDArray[np.float64]) -> float:
    """Seconds from one frame to the next, as most are; 0 where no time passes.

    Args:
        time_s: (F,) ascending; frames that share a time, as coarse timecodes give them, count as one.
    """
    steps = np.diff(np.unique(time_s))
    return float(np.median(steps)) if len(steps) else 0.0


@dataclass(frozen=True)
class Take:
    """What was solved.

    Attributes:
        time_s: (F,) float64, seconds from the start of the footage.
        channels: K shape-key names.
        weights: (F, K) float32; frames that are missing hold 0 and must not be keyed.
        head_rotation_wxyz: (F, 4) float32 unit quaternion, camera space (x right, y down, z forward) from head
            space (x the character's left, y towards the back of the head, z up).
        head_translation_m: (F, 3) float32, metres, camera space: where the head's origin is.
        gaze_rad: (F, 2, 2) float32, (right eye, left eye) × (yaw to the character's left, pitch up), head space.
        confidence: (F, R) float32 in 0..1 for each region.
        regions: R region names.
        status: (F,) int8, one of STATUS_MISSING, STATUS_SOLVED, STATUS_INFILLED.
        landmarks_px: (F, L, 2) float32, what was observed, NaN where missing.
        residual_px: (F,) float32, root-mean-square landmark residual, NaN where missing.
        image_size: (width, height) px.
        focal_px: focal length used.
        not_observed: channels that the footage cannot show; they stay at zero.
        inferred: channels that neither landmarks nor pixels settle: what usually goes with the rest decides them.
        provenance: JSON-able facts: source, model versions, settings.
        jaw: (F, 6) float32, the character's jaw bone, where it has one: rotation vector (rad) about its pivot and
            translation (m), head space; zero where it does not move.
        covered: (F, R) float32 in 0..1, how far something stands before each region, a hand for instance; zero where
            nothing does, and where nobody looked.
        actor: who performed, where the landmark fit found out; None otherwise, and in takes of earlier versions.
    """

    time_s: NDArray[np.float64]
    channels: tuple[str, ...]
    weights: NDArray[np.float32]
    head_rotation_wxyz: NDArray[np.float32]
    head_translation_m: NDArray[np.float32]
    gaze_rad: NDArray[np.float32]
    confidence: NDArray[np.float32]
    regions: tuple[str, ...]
    status: NDArray[np.int8]
    landmarks_px: NDArray[np.float32]
    residual_px: NDArray[np.float32]
    image_size: tuple[int, int]
    focal_px: float
    not_observed: tuple[str, ...] = ()
    provenance: dict[str, object] = field(default_factory=dict[str, object])
    jaw: NDArray[np.float32] = field(default_factory=_no_jaw)
    actor: Actor | None = None
    inferred: tuple[str, ...] = ()
    covered: NDArray[np.float32] = field(default_factory=_none_covered)

    def __post_init__(self) -> None:
        frames, channels = self.time_s.shape[0], len(self.channels)
        if not len(self.jaw):
            object.__setattr__(self, "jaw", np.zeros((frames, 6), np.float32))
        if not len(self.covered):
            object.__setattr__(self, "covered", np.zeros((frames, len(self.regions)), np.float32))
        expected = {
            "weights": (frames, channels),
            "head_rotation_wxyz": (frames, 4),
            "head_translation_m": (frames, 3),
            "gaze_rad": (frames, 2, 2),
            "confidence": (frames, len(self.regions)),
            "covered": (frames, len(self.regions)),
            "status": (frames,),
            "residual_px": (frames,),
            "jaw": (frames, 6),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise FacecapError(
                    f"The take is inconsistent: {name} has shape {getattr(self, name).shape}, not {shape}.",
                    "Solve again.",
                )

    @property
    def frame_count(self) -> int:
        return int(self.time_s.shape[0])

    @property
    def solved(self) -> NDArray[np.bool_]:
        """(F,) bool: frames that hold a result, solved or infilled."""
        return self.status != STATUS_MISSING


def find_runs(wanted: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, last) of every unbroken run of True in an (F,) bool array."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8)))
    return [(int(first), int(end) - 1) for first, end in edges.reshape(-1, 2)]
