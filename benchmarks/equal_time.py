"""Networks trained for equal processor time: in as many epochs as fit into so many minutes of one core."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.labelled_images import draw_labelled_images
from benchmarks.learned_actor import SET
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.learn.data.training_set import TrainingSet
from facecap_addon.learn.engine.distributed import ProcessGroup
from facecap_addon.learn.engine.training_run import TrainingRun
from facecap_addon.learn.networks.presets import Preset, get_preset
from facecap_addon.learn.networks.registry import NETWORKS

_MEASURED_EPOCHS = 2


@dataclass(frozen=True)
class Variant:
    """A network as it is compared.

    Attributes:
        network: see `NETWORKS`.  mining: see `TrainSettings`.  with_images: whether it learns from sorted images.
        whitened, narrow: see `Preset`.
    """

    network: str
    mining: str = "auto"
    with_images: bool = False
    whitened: bool = True
    narrow: int = 0

    def get_preset(self) -> Preset:
        """Its sizes."""
        return replace(get_preset("preview", self.network), whitened=self.whitened, narrow=self.narrow)


@dataclass(frozen=True)
class Trained:
    """What a network came to.

    Attributes:
        minutes: of one core.  losses: of the last stage, by epoch.  began: minutes before it.  lines: what it says.
    """

    minutes: float
    losses: list[float]
    began: float
    lines: list[str]


def train_for(variant: Variant, training_set: TrainingSet, out: Path, minutes: float) -> Trained:
    """Train for so many minutes of one core, in as many epochs as fit."""
    measured = train_epochs(variant, training_set, out.with_stem(f"{out.stem}-measured"), _MEASURED_EPOCHS)
    epochs = max(3, round(minutes / (measured.minutes / _MEASURED_EPOCHS)))
    return train_epochs(variant, training_set, out, epochs)


def train_epochs(variant: Variant, training_set: TrainingSet, out: Path, epochs: int) -> Trained:
    """Train from the beginning; time is the processor's, from the first step of each stage to its last."""
    folder = out.parent / f".{out.stem}.training"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    spans: dict[str, list[float]] = {}

    def note_time(stage: str, done: int, total: int) -> None:
        if stage in ("embed", "train"):
            spans.setdefault(stage, [time.process_time()]).append(time.process_time())
            del spans[stage][1:-1]

    images = draw_labelled_images(SET / "labelled_images") if variant.with_images else None
    settings = TrainSettings(
        folder=training_set.folder, network=variant.network, mining=variant.mining, preset="preview", epochs=epochs,
        tensorboard=False, labelled_images=images,
    )  # fmt: skip
    run = TrainingRun(settings, folder, out, "", note_time, "cpu", ProcessGroup())
    lines = NETWORKS[variant.network].train(run, training_set, variant.get_preset())
    log = folder / "log.jsonl"  # what is solved in one go writes none
    losses = (
        [json.loads(line)["loss"] for line in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []
    )
    minutes = {stage: (last - first) / 60 for stage, (first, last) in spans.items()}
    return Trained(
        sum(minutes.values()), losses, minutes.get("embed", 0.0),
        [f"{f'{epochs} epochs in ' if losses else ''}{sum(minutes.values()):.1f} min of a core", *lines],
    )  # fmt: skip
