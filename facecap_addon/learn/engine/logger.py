"""What a training leaves on disk while it runs: a log, a picture, TensorBoard event files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...atomic_file import atomic_path
from ...images.encode import write_image
from .plots import draw_curves, stack_pictures
from .trainer import Epoch, Task, write_log

PICTURE = "progress.png"
_LOSS_PX = 260


class TrainingLogger:
    """Writes a training's progress into its folder.

    Args:
        folder: of the training.  title: for the picture.  tensorboard: whether to write event files, if possible.
    """

    def __init__(self, folder: Path, title: str, *, tensorboard: bool) -> None:
        self._folder, self._title = folder, title
        self._event_writer: Any = _open_event_writer(folder) if tensorboard else None

    def log_epochs(self, task: Task, epochs: list[Epoch]) -> None:
        """Bring everything up to date after an epoch."""
        write_log(self._folder / "log.jsonl", epochs)
        if self._event_writer is not None:
            last = epochs[-1]
            self._event_writer.add_scalar("loss", last.loss, last.epoch)
            for name, value in last.validation.items():
                self._event_writer.add_scalar(name, value, last.epoch)
            self._event_writer.flush()
        parts = [draw_loss_curves(epochs, self._title)]
        shown = task.draw_preview()
        if shown is not None:
            parts.append(shown)
        with atomic_path(self._folder / PICTURE) as temporary:
            write_image(temporary, stack_pictures(parts))

    def close(self) -> None:
        """Finish the event file."""
        if self._event_writer is not None:
            self._event_writer.close()


def draw_loss_curves(epochs: list[Epoch], title: str) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the loss, and below it each validation error, as they have units of their own."""
    parts = [draw_curves({"loss": [e.loss for e in epochs]}, title, height=_LOSS_PX)]
    for name in epochs[-1].validation if epochs else ():
        values = [e.validation.get(name, np.nan) for e in epochs]
        parts.append(draw_curves({name: values}, f"validation: {name.replace('_', ' ')}", height=_LOSS_PX))
    return stack_pictures(parts)


def _open_event_writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder))
