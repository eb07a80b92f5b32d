"""Train the visibility network on what `build` made, and say how well it does on people it was not trained on.

python -m tools.train_visibility.train OUT.pt SET.npz [SET.npz ...] --unseen SET.npz [...] [--steps 4000]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from .network import Visibility, load_trained

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
AT_ONCE = 64
COVERED = 0.5
FILM_SHARE = 0.35
"""Of a batch, from sets whose name begins with "film": people on film are few, but what the network is for."""


@dataclass(frozen=True)
class Set:
    """Crops (N, H, W, 3) uint8, how far their cells are covered (N, H / 4, W / 4) uint8, and who they show (N,) int."""

    name: str
    crops: U8
    covered: U8
    person: NDArray[np.intp]


def load(path: Path) -> Set:
    """Read what `build` wrote."""
    with np.load(path, allow_pickle=False) as data:
        return Set(path.stem, data["crops"], data["covered"], data["person"].astype(np.intp))


def batch(some: Set, rows: NDArray[np.intp], random: np.random.Generator) -> tuple[U8, U8]:
    """Crops and cells of rows: some mirrored, in another light, smeared, or with a piece of another put before them."""
    crops, covered = some.crops[rows].astype(np.float32), some.covered[rows].copy()
    flip = random.random(len(rows)) < 0.5
    crops[flip], covered[flip] = crops[flip][:, :, ::-1], covered[flip][:, :, ::-1]
    gain = np.exp(random.normal(0, 0.2, (len(rows), 1, 1, 1)) + random.normal(0, 0.08, (len(rows), 1, 1, 3)))
    crops *= gain.astype(np.float32)
    for i in np.flatnonzero(random.random(len(rows)) < 0.1):
        length = int(random.integers(2, 8))
        crops[i] = np.mean([np.roll(crops[i], k - length // 2, axis=1) for k in range(length)], axis=0)
    crops += random.standard_normal(crops.shape, np.float32) * random.uniform(0, 6, (len(rows), 1, 1, 1)).astype(
        np.float32
    )
    return np.clip(crops, 0, 255).astype(np.uint8), covered


def train(sets: list[Set], steps: int, rate: float, seed: int = 0) -> Visibility:
    """Train on all rows of some sets."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    network = Visibility().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.as_logits = True
    network.train()
    optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
    film = [s.name.startswith("film") for s in sets]
    size = np.array([float(len(s.crops)) for s in sets])
    share = np.zeros(len(sets))
    for kind, part in ((True, FILM_SHARE), (False, 1 - FILM_SHARE)):
        of_kind = np.array(film) == kind
        share[of_kind] = part * size[of_kind] / max(size[of_kind].sum(), 1)
    share /= share.sum()
    started, total = time.time(), 0.0
    for step in range(steps):
        parts = [
            batch(some, random.integers(len(some.crops), size=count), random)
            for some, count in zip(sets, random.multinomial(AT_ONCE, share), strict=True)
            if count
        ]
        crops, covered = (np.concatenate([part[k] for part in parts]) for k in range(2))
        wanted = torch.from_numpy(covered.astype(np.float32) / 255)
        logits = network(torch.from_numpy(crops))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wanted)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        schedule.step()
        total += loss.item()
        if step % 200 == 199:
            print(f"step {step + 1}/{steps}: loss {total / 200:.4f}, {time.time() - started:.0f} s", flush=True)
            total = 0.0
    network.as_logits = False
    return network.eval()


@torch.no_grad()
def look(network: Visibility, crops: U8) -> F32:
    """(N, rows, columns) of crops."""
    starts = range(0, len(crops), 256)
    return np.concatenate([network(torch.from_numpy(crops[s : s + 256])).numpy() for s in starts])


def report(network: Visibility, some: Set) -> None:
    """Print, per person, which share of covered cells is found, and of clear pictures' cells found wrongly."""
    seen = look(network, some.crops)
    for person in [None, *np.unique(some.person)]:
        rows = np.ones(len(seen), bool) if person is None else some.person == person
        true, found = some.covered[rows] / 255 > COVERED, seen[rows] > COVERED
        clear = ~(some.covered[rows] > 0).any((1, 2))
        both, either = (true & found).sum(), (true | found).sum()
        print(
            f"  {some.name} {'all' if person is None else person}: {rows.sum()} crops, found {found[true].mean():.3f}, "
            f"overlap {both / max(either, 1):.3f}, wrongly in clear crops {found[clear].mean():.4f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--unseen", type=Path, nargs="*", default=[])
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--trained", action="store_true", help="judge what is there, do not train")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.trained:
        network = load_trained(options.out)
    else:
        network = train([load(path) for path in options.sets], options.steps, options.rate)
        torch.save(network.state_dict(), options.out)
    for path in options.unseen:
        report(network, load(path))


if __name__ == "__main__":
    main()
