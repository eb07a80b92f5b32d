"""Train the appearance network on what `build` drew, and write the two files that ship with the add-on."""

from __future__ import annotations

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facecap_addon.fit.energies.appearance import head_input
from facecap_addon.fit.energies.expression_prior import ExpressionPrior, aligned_shape, load_prior
from facecap_addon.landmarks.face_crops import CROPS
from facecap_addon.landmarks.layout import MIRROR_478
from facecap_addon.rig.channels import ARKIT_CHANNELS
from tools.train_prior.build import mirror_index

from .channels import HARDLY_SHOWN
from .network import Head, Trunk, load_trained

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
CLIPS_AT_ONCE = 9
PICTURES_AT_ONCE = 11
_IMPORTANCE = np.array([1.0 if c in HARDLY_SHOWN else 0.35 for c in ARKIT_CHANNELS], np.float32)
"""The other channels are learned beside: what they look like must be told from these."""
LANDMARK_NOISE = 0.002
"""Of aligned landmarks, outer eye distances."""
JITTER_PX = 2


@dataclass(frozen=True)
class Set:
    """Pictures of all clips.

    Attributes:
        crops: one (N, H, W, 3) uint8 for each of `CROPS`.
        shape: (2, N, 3 M) float32 aligned landmarks, as they are and mirrored.  turn: (2, N, 3) rad.
        weights: (N, 52).  has: (N, 52) float32, 1 where the rig has the channel.
        calm: (N,) bool, pictures that others of their clip are compared with.
        clip, person: (N,) int.  rig: (N,) int, number of the file they came from.
    """

    crops: list[U8]
    shape: F32
    turn: F32
    weights: F32
    has: F32
    calm: NDArray[np.bool_]
    clip: NDArray[np.intp]
    person: NDArray[np.intp]
    rig: NDArray[np.intp]


def load(paths: list[Path]) -> Set:
    """All files joined; clips and people numbered apart."""
    prior = load_prior()
    parts: list[list[NDArray]] = [[] for _ in range(10 + len(CROPS))]
    for number, path in enumerate(paths):
        with np.load(path, allow_pickle=False) as data:
            count = len(data["weights"])
            values = [data[shape.name] for shape in CROPS]
            for landmarks, depth in (
                (data["landmarks"], data["depth"]),
                (data["landmarks"][:, MIRROR_478] * np.float32([-1, 1]), data["depth"][:, MIRROR_478]),
            ):
                shape, turn = aligned_shape(prior, landmarks, depth)
                values += [shape.astype(np.float32), turn.astype(np.float32)]
            values += [data["weights"], np.tile(data["has"].astype(np.float32), (count, 1))]
            values += [data["neutral"] > 0.5, data["clip"].astype(np.intp) + number * 100_000]
            values += [data["person"].astype(np.intp) + number * 100_000, np.full(count, number)]
        for part, value in zip(parts, values, strict=True):
            part.append(value)
    joined = [np.concatenate(part) for part in parts]
    crops, (shape, turn, flipped, turned), rest = joined[:3], joined[3:7], joined[7:]
    return Set(crops, np.stack([shape, flipped]), np.stack([turn, turned]), *rest)


def clips_of(data: Set, wanted: NDArray[np.bool_]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """For each clip with wanted pictures, its calm rows and the others; clips without either are left out."""
    found = []
    for clip in np.unique(data.clip[wanted]):
        rows = np.flatnonzero(data.clip == clip)
        calm, other = rows[data.calm[rows]], rows[~data.calm[rows]]
        if len(calm) and len(other):
            found.append((calm, other))
    return found


def pictures(data: Set, rows: NDArray[np.intp], flip: NDArray[np.bool_], random: np.random.Generator | None) -> list:
    """Crops of rows as tensors; some mirrored, moved by up to JITTER_PX where `random` is given."""
    out = []
    for values in data.crops:
        part = values[rows]
        part[flip] = part[flip][:, :, ::-1]
        if random is not None:
            height, width = part.shape[1:3]
            padded = np.pad(part, ((0, 0), (JITTER_PX, JITTER_PX), (JITTER_PX, JITTER_PX), (0, 0)), mode="edge")
            moves = random.integers(0, 2 * JITTER_PX + 1, (len(rows), 2))
            part = np.stack([p[y : y + height, x : x + width] for p, (y, x) in zip(padded, moves, strict=True)])
        out.append(torch.from_numpy(np.ascontiguousarray(part)))
    return out


def loss_of(mean: torch.Tensor, log_variance: torch.Tensor, target: torch.Tensor, has: torch.Tensor) -> torch.Tensor:
    """Gaussian negative log likelihood, each term weighted by its variance's square root (Seitzer et al. 2022)."""
    counts = has * torch.from_numpy(_IMPORTANCE)
    each = 0.5 * ((mean - target) ** 2 * torch.exp(-log_variance) + log_variance)
    return (each * torch.exp(0.5 * log_variance.detach()) * counts).sum() / counts.sum()


def train(data: Set, wanted: NDArray[np.bool_], steps: int, rate: float, seed: int = 0) -> tuple[Trunk, Head]:
    """Train on the wanted pictures."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    trunk, head = Trunk(), Head(len(ARKIT_CHANNELS))
    trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mirror, prior = mirror_index(), load_prior()
    clips = clips_of(data, wanted)
    parameters = [*trunk.parameters(), *head.parameters()]
    optimiser = torch.optim.AdamW(parameters, rate, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.15)
    trunk.train()
    head.train()
    started, total = time.time(), 0.0
    for step in range(steps):
        chosen = [clips[i] for i in random.choice(len(clips), CLIPS_AT_ONCE, replace=False)]
        rows = [np.concatenate([random.permutation(other)[:PICTURES_AT_ONCE], calm[:1]]) for calm, other in chosen]
        calm_rows = [random.permutation(calm)[: random.integers(1, len(calm) + 1)] for calm, _ in chosen]
        own, of_calm = (np.repeat(np.arange(CLIPS_AT_ONCE), [len(r) for r in some]) for some in (rows, calm_rows))
        flips = random.random(CLIPS_AT_ONCE) < 0.5
        asked, every = np.concatenate(rows), np.concatenate([*rows, *calm_rows])
        side = flips[np.concatenate([own, of_calm])]
        features = trunk(*pictures(data, every, side, random))
        share = np.zeros((CLIPS_AT_ONCE, len(of_calm)), np.float32)
        share[of_calm, np.arange(len(of_calm))] = 1.0
        share /= share.sum(1, keepdims=True)
        change = features[: len(own)] - (torch.from_numpy(share) @ features[len(own) :])[torch.from_numpy(own)]
        shape, turn = data.shape[side.astype(int), every], data.turn[flips[own].astype(int), asked]
        displacement = shape[: len(own)] - (share @ shape[len(own) :])[own]
        displacement -= _slip(prior, len(own), random)
        # Each must stand without the other: of some pictures only one of the two is shown.
        shown = random.choice(3, len(own), p=[0.15, 0.15, 0.7])
        change = change * torch.from_numpy((shown != 0).astype(np.float32))[:, None]
        displacement *= (shown != 1)[:, None]
        beside = np.concatenate([displacement * 10, turn + random.normal(0, 0.03, turn.shape)], axis=1)
        mean, log_variance = head(torch.cat([change, torch.from_numpy(beside.astype(np.float32))], dim=1))
        target, has = data.weights[asked], data.has[asked]
        turned = flips[own]
        target[turned], has[turned] = target[turned][:, mirror], has[turned][:, mirror]
        loss = loss_of(mean, log_variance, torch.from_numpy(target), torch.from_numpy(has))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()
        schedule.step()
        total += loss.item()
        if step % 100 == 99:
            print(f"step {step + 1}/{steps}: loss {total / 100:.4f}, {time.time() - started:.0f} s", flush=True)
            total = 0.0
    return trunk.eval(), head.eval()


def _slip(prior: ExpressionPrior, count: int, random: np.random.Generator) -> F32:
    """(count, 3 M) errors of a neutral face that footage gave: expressions left in it, and noise."""
    left = np.clip(random.normal(0, 0.05, (count, len(prior.channels))), -0.1, 0.15)
    left *= random.random((count, 1)) < 0.7
    slip = left @ prior.response
    return (slip + random.normal(0, LANDMARK_NOISE, slip.shape)).astype(np.float32)


@torch.no_grad()
def features_of(trunk: Trunk, crops: list[U8]) -> F32:
    """(N, 3 FEATURES) float32 of crops."""
    parts = [
        trunk(*[torch.from_numpy(np.ascontiguousarray(c[start : start + 256])) for c in crops]).numpy()
        for start in range(0, len(crops[0]), 256)
    ]
    return np.concatenate(parts)


@torch.no_grad()
def test(data: Set, wanted: NDArray[np.bool_], trunk: Trunk, head: Head, only: str = "") -> tuple[F32, F32, F32, F32]:
    """Means, standard deviations, true weights and `has` of wanted pictures, compared with their clips' calm ones.

    Args:
        only: "landmarks" or "pixels" to show the head nothing else.
    """
    features = features_of(trunk, [c[wanted] for c in data.crops])
    clip, calm, shape = data.clip[wanted], data.calm[wanted], data.shape[0, wanted]
    change, displacement, keep = np.zeros_like(features), np.zeros_like(shape), np.zeros(len(features), bool)
    for number in np.unique(clip):
        rows = np.flatnonzero(clip == number)
        at_rest = rows[calm[rows]]
        if len(at_rest):
            change[rows] = features[rows] - features[at_rest].mean(0)
            displacement[rows] = shape[rows] - shape[at_rest].mean(0)
            keep[rows] = ~calm[rows]
    change *= only != "landmarks"
    displacement *= only != "pixels"
    given = head_input(change[keep], displacement[keep], data.turn[0, wanted][keep])
    mean, log_variance = head(torch.from_numpy(given))
    spread = np.exp(0.5 * log_variance.numpy())
    return mean.numpy(), spread, data.weights[wanted][keep], data.has[wanted][keep]


def report(name: str, found: tuple[F32, F32, F32, F32]) -> None:
    """Print correlation, error and calibration per channel."""
    mean, spread, true, has = found
    print(f"{name}: {len(true)} pictures")
    values = []
    for channel in HARDLY_SHOWN:
        k = ARKIT_CHANNELS.index(channel)
        rows = has[:, k] > 0
        if not rows.any():
            continue
        m, t, s = np.clip(mean[rows, k], 0, 1), true[rows, k], spread[rows, k]
        r = float(np.corrcoef(m, t)[0, 1])
        values.append(r)
        slope = float(np.polyfit(t, m, 1)[0])
        print(
            f"  {channel:18s} r {r:5.2f}  gain {slope:5.2f}  error {np.abs(m - t).mean():.3f}  "
            f"spread {s.mean():.3f}  z {np.sqrt((((mean[rows, k] - t) / s) ** 2).mean()):.2f}"
        )
    print(f"  mean correlation {np.mean(values):.3f}", flush=True)


def doubt_of(found: tuple[F32, F32, F32, F32]) -> F32:
    """(52,) root mean square error in units of the stated standard deviations; NaN for channels the rig lacks."""
    mean, spread, true, has = found
    squared = np.where(has > 0, ((np.clip(mean, 0, 1) - true) / spread) ** 2, np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel that no row has
        return np.sqrt(np.nanmean(squared, axis=0)).astype(np.float32)


def main() -> None:
    """People whose number ends in 7 or 8 are held out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("out", type=Path, help="a folder")
    parser.add_argument("sets", type=Path, nargs="+")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument(
        "--unseen", type=Path, nargs="*", default=[], help="sets to test on besides the people held out"
    )
    parser.add_argument("--trained", type=Path, help="judge this .pt, do not train")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = load(options.sets)
    is_test = np.isin(data.person % 10, (7, 8))
    options.out.mkdir(parents=True, exist_ok=True)
    if options.trained is not None:
        trunk, head = load_trained(options.trained)
    else:
        trunk, head = train(data, ~is_test, options.steps, options.rate)
        torch.save({"trunk": trunk.state_dict(), "head": head.state_dict()}, options.out / "appearance.pt")
    judged = [(f"held out of {p.stem}", data, is_test & (data.rig == n)) for n, p in enumerate(options.sets)]
    for path in options.unseen:
        other = load([path])
        judged.append((f"{path.stem}, unseen", other, np.ones(len(other.person), bool)))
    for name, some, wanted in judged:
        for only in ("landmarks", "pixels", ""):
            found = test(some, wanted, trunk, head, only)
            report(f"{name}, {only + ' only' if only else 'both'}", found)
            if name.endswith("unseen") and not only:
                np.save(options.out / "doubt.npy", doubt_of(found))


if __name__ == "__main__":
    main()
