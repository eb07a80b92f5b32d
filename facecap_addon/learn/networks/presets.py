"""Sizes and schedules of the networks: the papers', and small ones that train in minutes on a laptop."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...landmarks.backends.mediapipe import CROP_SIZE as MESH_CROP
from ...solvers.crop import PictureKind
from ..engine.schedule import Schedule
from .laine.convolutional import HEIGHT, MAPS, WIDTH
from .laine.dense import WIDTHS
from .meng.facenet import SIZE
from .registry import NETWORKS


@dataclass(frozen=True)
class FaceSizes:
    """How large FACEGOOD's networks are.

    Attributes:
        blocks: of the teacher's three kinds.  teacher_width, student_width: factors on feature maps.
        micro_batch: items whose derivatives fit into memory together.
        student_schedule: of the student, where it is not the teacher's.
    """

    blocks: tuple[int, int, int] = (10, 20, 9)
    teacher_width: float = 1.0
    student_width: float = 1.0
    micro_batch: int = 128
    student_schedule: Schedule | None = None


@dataclass(frozen=True)
class Preset:
    """How large a network is and how long it learns.

    Attributes:
        picture: what it sees.  maps: feature maps of the six pairs.  widths: of the dense layers.
        width: factor on FaceNet's maps.  most_pictures: image components of the fully connected network.
        schedule: rates and epochs.  batch: items per step.
        embedding_schedule, embedding_batch: of the first stage of Meng and Wen.
        faces: of teacher and student.
        whitened: whether pictures are.  narrow: numbers that a linear layer leaves before that of the principal
            components; 0: there is none.  Meng and Wen have it otherwise in both (section 3.2, table 3).
    """

    picture: PictureKind
    maps: tuple[int, ...]
    widths: tuple[int, int]
    width: float
    most_pictures: int
    schedule: Schedule
    batch: int
    embedding_schedule: Schedule
    embedding_batch: int
    faces: FaceSizes = FaceSizes()
    whitened: bool = True
    narrow: int = 0


_FULL = Preset(
    PictureKind(HEIGHT, WIDTH), MAPS, WIDTHS, 1.0, 3000, Schedule(), 50, Schedule(200, 30, 5, 1e-3), 24
)  # fmt: skip
_PREVIEW = Preset(
    PictureKind(HEIGHT // 2, WIDTH // 2),
    (*(count // 4 for count in MAPS[:3]), 64, 128, 256),  # half as many where they cost little and tell most
    (WIDTHS[0] // 4, WIDTHS[1] // 4),
    0.25,
    750,
    Schedule(epochs=80, decay_epochs=30, augmentation_epochs=3, rate=2e-3),
    50,
    Schedule(epochs=30, decay_epochs=10, augmentation_epochs=3, rate=1e-3),
    48,
    FaceSizes((2, 4, 2), 0.625, 0.35, 50, Schedule(60, 20, 2, 4e-3)),
)

_SCHEDULES = {("dfcn", "full"): (Schedule(400, 60), 1024), ("dfcn", "preview"): (Schedule(25, 8, 2, 1e-3), 50)}
"""Schedule and batch of a network and preset, where they are not the preset's."""


def get_preset(name: str, network: str) -> Preset:
    """A preset, with the picture that a network wants."""
    preset = {"full": _FULL, "preview": _PREVIEW}[name]
    chosen = NETWORKS[network]
    if chosen.square:
        side = MESH_CROP if network == "ridge" else SIZE if name == "full" else SIZE // 2
        preset = replace(preset, picture=PictureKind(side, side))
    if (network, name) in _SCHEDULES:
        schedule, batch = _SCHEDULES[network, name]
        preset = replace(preset, schedule=schedule, batch=batch)
    return replace(preset, picture=replace(preset.picture, colour=chosen.colour))
