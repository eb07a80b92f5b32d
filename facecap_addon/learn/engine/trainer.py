"""Training: one loop for all networks, that can be stopped at any step and ends as if it had not been."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...arrays import Rows
from ...atomic_file import atomic_path
from ...errors import FacecapError
from .checkpoint import load_checkpoint, save_checkpoint
from .distributed import ProcessGroup
from .schedule import BETA2, Schedule, compute_augmentation, compute_beta1, compute_learning_rate

_PREFETCHED = 3
_FORMER_ERRORS = {"held_out": "relative_error"}


class Task(Protocol):
    """What is learned from what.

    Attributes:
        network: what learns.  items: how many things an epoch goes through.  monitor: a name in `evaluate`'s answer.
    """

    network: nn.Module
    monitor: str

    @property
    def items(self) -> int: ...

    def load_batch(self, items: Rows) -> Any:
        """Whatever `loss` needs of some items, read from disk; called from a thread."""
        ...

    def compute_loss(self, network: nn.Module, batch: Any, strength: float, generator: torch.Generator) -> Tensor:
        """The mean loss of a batch; strength of augmentation 0..1."""
        ...

    def evaluate(self) -> dict[str, float]:
        """Errors on what is kept for validation, smaller is better."""
        ...

    def draw_preview(self) -> NDArray[np.uint8] | None:
        """(H, W, 3) uint8: some validation frames and what the network makes of them, or None."""
        ...


@dataclass(frozen=True)
class Options:
    """How a training runs.

    Attributes:
        batch: items per step.  seed: of everything random.  checkpoint_s: between checkpoints.
        patience: epochs without improvement before the training ends; 0: never.
        precision: "fp32" or "bf16".
        micro_batch: items whose derivatives are found together, where the batch is larger; 0: the whole batch.
        clip: longest gradient, against leaps where sequences feed on themselves; 0: any.
    """

    batch: int = 50
    seed: int = 0
    checkpoint_s: float = 300.0
    patience: int = 0
    precision: str = "fp32"
    micro_batch: int = 0
    clip: float = 0.0


@dataclass
class Epoch:
    """What one epoch came to: mean loss, errors on validation items, share of time spent waiting for data."""

    epoch: int
    loss: float
    validation: dict[str, float]
    waiting: float
    seconds: float


def read_epoch(facts: Mapping[str, Any]) -> Epoch:
    """An epoch of a checkpoint or a log; older ones call validation "judged", and a generator's error "held_out"."""
    given: dict[str, float] = facts["judged"] if "judged" in facts else facts["validation"]
    errors = {_FORMER_ERRORS.get(name, name): value for name, value in given.items()}
    return Epoch(facts["epoch"], facts["loss"], errors, facts["waiting"], facts["seconds"])


OnStep = Callable[[int, int, list[Epoch]], None]


def train(
    task: Task,
    schedule: Schedule,
    options: Options,
    folder: Path,
    on_step: OnStep,
    on_epoch: Callable[[list[Epoch]], None],
    *,
    device: str = "cpu",
    process_group: ProcessGroup | None = None,
    key: str = "",
) -> list[Epoch]:
    """Train a network, going on from the folder's checkpoint if it is of the same training; ends with the best weights.

    Args:
        folder: of checkpoint.safetensors and best.safetensors.
        on_step: called with steps done, steps in all and the epochs so far; it may raise to cancel.
        on_epoch: called after each epoch.  process_group: this process among several.  key: of settings and data.
    Raises:
        FacecapError: the loss is not finite, or a checkpoint cannot be written.
    """
    process_group = process_group or ProcessGroup()
    # Channels last: convolutions are twice as fast so on processors, and on graphics cards' matrix units.
    network = task.network.to(device)
    network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] (left out of its overloads)
    parameters = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(parameters, lr=schedule.rate, betas=(0.9, BETA2))
    checkpoint, best = folder / "checkpoint.safetensors", folder / "best.safetensors"
    epochs: list[Epoch] = []
    first_epoch, first_step = 0, 0
    facts = _resume(checkpoint, network, optimizer, key)
    if facts is not None:
        epochs = [read_epoch(one) for one in facts["epochs"]]
        first_epoch, first_step = int(facts["epoch"]), int(facts["step"])
    model = process_group.wrap(network)
    steps = max(1, int(np.ceil(task.items / options.batch)))
    autocast = partial(
        torch.autocast, torch.device(device).type, torch.bfloat16, enabled=options.precision == "bf16"
    )  # a fresh one for each use
    losses: list[float] = list(facts["losses"]) if facts is not None else []
    saved = time.monotonic()

    def save(epoch: int, step: int) -> None:
        if process_group.is_main:
            known = {"key": key, "epoch": epoch, "step": step, "losses": losses, "epochs": [vars(e) for e in epochs]}
            save_checkpoint(checkpoint, network, optimizer, known)

    def has_stalled() -> bool:
        return options.patience > 0 and _count_epochs_without_improvement(epochs, task.monitor) >= options.patience

    for epoch in range(first_epoch, schedule.epochs):
        if process_group.broadcast_stop(has_stalled()):  # first: one that had stalled before it was read again is done
            break
        began, waited = time.monotonic(), 0.0
        network.train()
        batches = _prefetch_batches(task, options, epoch, first_step if epoch == first_epoch else 0, process_group)
        try:
            for step, batch, wait in batches:
                waited += wait
                at = epoch + step / steps
                for group in optimizer.param_groups:
                    group["lr"] = compute_learning_rate(schedule, at)
                    group["betas"] = compute_beta1(schedule, at), BETA2
                generator = _seed_step(options.seed, epoch, step, process_group.rank)
                optimizer.zero_grad(set_to_none=True)
                losses.append(0.0)
                for share, part in batch:
                    with autocast():
                        loss = share * task.compute_loss(model, part, compute_augmentation(schedule, at), generator)
                    loss.backward()
                    losses[-1] += float(loss.detach())
                if options.clip:
                    nn.utils.clip_grad_norm_(parameters, options.clip)
                optimizer.step()
                if not np.isfinite(losses[-1]):
                    raise FacecapError(
                        "The training ran away: its loss is not a number.", "Look for broken targets, or train in fp32."
                    )
                if time.monotonic() - saved > options.checkpoint_s:
                    save(epoch, step + 1)
                    saved = time.monotonic()
                on_step(epoch * steps + step + 1, schedule.epochs * steps, epochs)
        finally:
            batches.close()
        network.eval()
        with torch.no_grad():  # in 32 bits, as the network will be used
            errors = task.evaluate() if process_group.is_main else {}
        seconds = time.monotonic() - began
        epochs.append(Epoch(epoch, float(np.mean(losses)), errors, waited / max(seconds, 1e-9), seconds))
        losses.clear()
        if process_group.is_main and _is_best(epochs, task.monitor):
            save_checkpoint(best, network, optimizer, {"key": key, "epoch": epoch, "validation": errors})
        save(epoch + 1, 0)
        saved = time.monotonic()
        if process_group.is_main:
            on_epoch(epochs)
    if best.is_file() and process_group.is_main and epochs and epochs[-1].validation:
        load_checkpoint(best, network, None)
    network.eval()
    return epochs


def _resume(path: Path, network: nn.Module, optimizer: torch.optim.Adam, key: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    facts = load_checkpoint(path, network, None)
    if facts.get("key") != key:
        raise FacecapError(
            f"{path.parent.name} holds a training with other settings or data.", "Name another --out, or delete it."
        )
    return load_checkpoint(path, network, optimizer)


def _prefetch_batches(
    task: Task, options: Options, epoch: int, first: int, process_group: ProcessGroup
) -> Generator[tuple[int, Any, float], None, None]:
    """(step, shares of the batch with what was loaded, seconds waited for it), read ahead by a thread."""
    order = np.random.default_rng([options.seed, epoch]).permutation(task.items)
    parts = [order[at : at + options.batch] for at in range(0, task.items, options.batch)]
    ready: queue.Queue[Any] = queue.Queue(_PREFETCHED)
    stopped = threading.Event()

    def put(value: Any) -> None:
        while not stopped.is_set():
            try:
                ready.put(value, timeout=0.2)
                return
            except queue.Full:
                continue

    def read() -> None:
        try:
            for part in parts[first:]:
                if stopped.is_set():
                    return
                mine = process_group.share(part)
                pieces = np.array_split(mine, max(1, -(-len(mine) // (options.micro_batch or len(mine) or 1))))
                put([(len(piece) / len(mine), task.load_batch(piece)) for piece in pieces])
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=read, name="facecap-batches", daemon=True)
    thread.start()
    try:
        for step in range(first, len(parts)):
            began = time.monotonic()
            batch = ready.get()
            if isinstance(batch, BaseException):
                raise batch
            yield step, batch, time.monotonic() - began
    finally:
        stopped.set()
        thread.join()


def _seed_step(seed: int, epoch: int, step: int, rank: int) -> torch.Generator:
    """Chance of one step: the same whether the training was stopped before it or not."""
    number = int(np.random.SeedSequence([seed, epoch, step, rank]).generate_state(1, np.uint64)[0]) >> 1
    torch.manual_seed(number)
    return torch.Generator().manual_seed(number)


def _is_best(epochs: list[Epoch], name: str) -> bool:
    values = [e.validation[name] for e in epochs if name in e.validation]
    return bool(values) and name in epochs[-1].validation and values[-1] <= min(values)


def _count_epochs_without_improvement(epochs: list[Epoch], name: str) -> int:
    values = [e.validation.get(name, np.inf) for e in epochs]
    return len(values) - 1 - int(np.argmin(values)) if values else 0


def write_log(path: Path, epochs: list[Epoch]) -> None:
    """One JSON line per epoch."""
    with atomic_path(path) as temporary:
        temporary.write_text("".join(json.dumps(vars(e)) + "\n" for e in epochs), encoding="utf-8")
