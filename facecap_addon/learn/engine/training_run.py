"""One training from start to solver file: what all networks share around the loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ...rig.embedding import LandmarkEmbedding
from ...solvers.bundle import SolverBundle, save_bundle
from .distributed import ProcessGroup
from .logger import PICTURE, TrainingLogger
from .schedule import Schedule
from .trainer import Epoch, Options, Task, train

OnProgress = Callable[[str, int, int], None]
Box = tuple[float, float, float, float]
FindBox = Callable[[NDArray[np.uint8]], Box | None]


class TrainingSettings(Protocol):
    """What the networks read of the train job's settings, which stand in a room above this one."""

    @property
    def network(self) -> str: ...
    @property
    def preset(self) -> str: ...
    @property
    def epochs(self) -> int | None: ...
    @property
    def batch(self) -> int | None: ...
    @property
    def seed(self) -> int: ...
    @property
    def patience(self) -> int: ...
    @property
    def labelled_images(self) -> Path | None: ...
    @property
    def mining(self) -> str: ...
    @property
    def distil(self) -> bool: ...
    @property
    def outlier(self) -> float | None: ...
    @property
    def emphasis(self) -> float: ...
    @property
    def gap(self) -> float | None: ...
    @property
    def affine(self) -> bool: ...
    @property
    def stabilise(self) -> bool: ...
    @property
    def mirror(self) -> bool: ...
    @property
    def cutmix(self) -> bool: ...
    @property
    def lip_lid_weight(self) -> float: ...
    @property
    def int8(self) -> bool: ...
    @property
    def precision(self) -> str: ...
    @property
    def checkpoint_minutes(self) -> float: ...
    @property
    def tensorboard(self) -> bool: ...


@dataclass(frozen=True)
class TrainingRun:
    """A training that was asked for.

    Attributes:
        settings: what was asked for.  folder: of checkpoints and logs.  out: the solver to write.
        key: of settings and data.  on_progress: told (stage, done, total); it may raise to cancel.
        device: torch's.  process_group: this process among several.
        find_box: crop of an RGB picture (height, width, 3) in its parts, or None without a face.
        embedding: where the character's landmarks lie, where the network has a use for it and they can be found.
    """

    settings: TrainingSettings
    folder: Path
    out: Path
    key: str
    on_progress: OnProgress
    device: str
    process_group: ProcessGroup
    find_box: FindBox | None = None
    embedding: LandmarkEmbedding | None = None

    def make_options(self, batch: int) -> Options:
        """How to train, of the settings; batch: where these leave it open."""
        chosen = self.settings
        precision = chosen.precision
        if precision == "auto":
            precision = "bf16" if self.device == "cuda" or has_bf16() else "fp32"
        return Options(chosen.batch or batch, chosen.seed, 60 * chosen.checkpoint_minutes, chosen.patience, precision)

    def choose_schedule(self, schedule: Schedule) -> Schedule:
        """The preset's schedule, or one of as many epochs as are asked for."""
        epochs = self.settings.epochs
        if epochs is None:
            return schedule
        return replace(schedule, epochs=epochs, decay_epochs=min(schedule.decay_epochs, max(1, epochs // 3)))

    def train(
        self,
        task: Task,
        schedule: Schedule,
        options: Options,
        stage: str,
        title: str,
        *,
        within: str = "",
        key: str = "",
    ) -> list[Epoch]:
        """Train a task; its progress is told as `stage` and drawn under `title`.

        Args:
            schedule: of the preset.  within: a folder of its own inside the training's.  key: what tells tasks apart.
        """
        folder = self.folder / within
        folder.mkdir(parents=True, exist_ok=True)
        named = f"{self.settings.network}, {self.settings.preset}: {title}"
        logger = TrainingLogger(folder, named, tensorboard=self.settings.tensorboard and self.process_group.is_main)
        try:
            return train(
                task,
                self.choose_schedule(schedule),
                options,
                folder,
                lambda done, total, _: self.on_progress(stage, done, total),
                lambda epochs: logger.log_epochs(task, epochs),
                device=self.device,
                process_group=self.process_group,
                key=self.key + key,
            )
        finally:
            logger.close()

    def make_report(self, epochs: list[Epoch]) -> dict[str, object]:
        """What a solver tells of its training."""
        return {"network": self.settings.network, "preset": self.settings.preset, "epochs": len(epochs)}

    def save(self, bundle: SolverBundle) -> None:
        """Write the solver with the picture of its training."""
        path = self.folder / PICTURE
        save_bundle(self.out, replace(bundle, picture=path.read_bytes() if path.is_file() else b""))


def get_training_folder(out: Path) -> Path:
    """Where checkpoints and logs of the training of a solver lie."""
    return out.parent / f".{out.stem}.training"


def has_bf16() -> bool:
    """Whether this processor multiplies 16-bit numbers itself; one that does trains 1.7 times as fast with them."""
    known = getattr(torch.cpu, "get_capabilities", dict)()  # of torch 2.9 and later
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))


def describe_training(epochs: list[Epoch]) -> list[str]:
    """How long it took, and what share of the time went into waiting for data."""
    seconds = sum(e.seconds for e in epochs)
    waiting = sum(e.waiting * e.seconds for e in epochs) / max(seconds, 1e-9)
    return [f"{len(epochs)} epochs in {seconds / 60:.1f} min; {waiting:.1%} of the time waiting for data."]
