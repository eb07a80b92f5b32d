"""Build the training set: many people, many expressions, what the landmark network saw of each."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.rig.channels import ARKIT_CHANNELS, mirror_name, region_of

from .actors import Actor, ict_actor, sample_actor, warped
from .curves import recorded_weights, vary
from .look import picture_of, random_scene, see

PER_PERSON = 60
NEUTRALS = 4


def mirror_index() -> NDArray[np.intp]:
    """(52,) index of each ARKit channel's mirror image."""
    return np.array([ARKIT_CHANNELS.index(mirror_name(c)) for c in ARKIT_CHANNELS], np.intp)


def channel_groups() -> list[NDArray[np.intp]]:
    """Channels that may come from different moments: brows; eyes; all below."""
    names = {"brows": 0, "eyes": 1}
    label = np.array([names.get(region_of(c), 2) for c in ARKIT_CHANNELS])
    return [np.flatnonzero(label == g) for g in range(3)]


def build(actor: Actor, curves: Path, people: int, seed: int, out: Path) -> None:
    """Draw `people` warped actors and save what was seen to `out` (.npz)."""
    random = np.random.default_rng(seed)
    landmarker = open_landmarker()
    base = recorded_weights(curves, ARKIT_CHANNELS)
    rows: dict[str, list[NDArray[np.float32]]] = {
        "landmarks": [],
        "depth": [],
        "weights": [],
        "neutral": [],
        "person": [],
    }
    started, lost = time.time(), 0
    for person in range(people):
        who = warped(actor, random)
        weights = vary(base, PER_PERSON, channel_groups(), mirror_index(), random) * actor.has
        weights[:NEUTRALS] = 0
        for i, w in enumerate(weights):
            scene = random_scene(random, calm=i < NEUTRALS)
            image, points = picture_of(who, w, scene, random)
            landmarks, depth, presence = see(landmarker, image, points, who, random)
            if presence < 0.7:
                lost += 1
                continue
            rows["landmarks"].append(landmarks.astype(np.float32))
            rows["depth"].append(depth.astype(np.float32))
            rows["weights"].append(w.astype(np.float32))
            rows["neutral"].append(np.float32(i < NEUTRALS))
            rows["person"].append(np.float32(person))
        show_progress(out.stem, person + 1, people, lost, started)
    np.savez(out, **{name: np.array(values) for name, values in rows.items()}, has=actor.has)


def show_progress(name: str, done: int, people: int, lost: int, started: float) -> None:
    """Say every ten people how far a set is."""
    if done % 10 == 0 or done == people:
        left_s = (people - done) * (time.time() - started) / done
        told = f"{name}: {done}/{people} people, {lost} pictures without a face, {left_s:.0f} s left"
        print(told, file=sys.stderr, flush=True)


def main(build_set: Callable[[Actor, Path, int, int, Path], None] = build) -> None:
    """`python -m tools.train_prior.build ict|head PEOPLE SEED OUT.npz`, with the recordings in ../shared/data."""
    rig, people, seed, out = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    data = Path(__file__).resolve().parents[3] / "shared" / "data"
    actor = ict_actor(data / "rig", ARKIT_CHANNELS) if rig == "ict" else sample_actor(ARKIT_CHANNELS)
    build_set(actor, data / "curves" / "alex_rom_3.csv", people, seed, out)


if __name__ == "__main__":
    main()
