"""How long a stack of edits takes: `python -m benchmarks.edit_stack`.

A take of 10,000 frames and ARKit's 52 channels under twelve edits, among them two filters: all of it, and again after a
change of the last edit, of one in the middle, and of the first. The best of a few rounds, seconds of wall time and of
the processor.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.processor import processor
from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.takes.edits.evaluate import Evaluator
from facecap_addon.takes.edits.kinds import (
    Balance,
    Blink,
    Calibration,
    Clamp,
    Edit,
    Filter,
    Gain,
    LidContact,
    LipSeal,
    Offset,
    Remap,
)
from facecap_addon.takes.take import REGIONS, STATUS_SOLVED, Take

FRAMES, ASKED_S = 10_000, 0.5
STACK: tuple[Edit, ...] = (
    Calibration(neutral_s=1.0),
    Filter(region="brows", cutoff_hz=3.0),
    Filter(region="jaw"),
    Gain(region="mouth", factor=1.3),
    Gain(region="brows", factor=1.5),
    Balance(symmetry=0.3),
    Remap(region="cheeks", points=((0.0, 0.0), (0.5, 0.3), (1.0, 1.0)), smooth=True),
    Offset(channels=("jawOpen",), amount=0.05, start_s=20.0, end_s=60.0, blend_in_s=1.0, blend_out_s=1.0),
    Blink(strength=1.4),
    Clamp(high=0.95),
    LipSeal(),
    LidContact(),
)


def sample(frames: int) -> Take:
    """A take whose curves wander as a face's do."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 0.8, (frames // 8 + 2, len(ARKIT_CHANNELS)))
    place = np.arange(frames) / 8
    weights = np.stack([np.interp(place, np.arange(len(coarse)), curve) for curve in coarse.T], 1)
    return Take(
        time_s=np.arange(frames) / 30,
        channels=ARKIT_CHANNELS,
        weights=(weights + rng.normal(0, 0.01, weights.shape)).clip(0, 1).astype(np.float32),
        head_rotation_wxyz=np.tile(np.array([1, 0, 0, 0], np.float32), (frames, 1)),
        head_translation_m=np.zeros((frames, 3), np.float32),
        gaze_rad=np.zeros((frames, 2, 2), np.float32),
        confidence=np.ones((frames, len(REGIONS)), np.float32),
        regions=REGIONS,
        status=np.full(frames, STATUS_SOLVED, np.int8),
        landmarks_px=np.zeros((frames, 478, 2), np.float32),
        residual_px=np.zeros(frames, np.float32),
        image_size=(1920, 1080),
        focal_px=1500.0,
    )


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Of wall time and of the processor."""
    began = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began[0], time.process_time() - began[1]


def changed(number: int, step: int) -> tuple[Edit, ...]:
    """The stack with another strength of one edit."""
    edit = replace(STACK[number], blend_in_s=1e-6 * step, start_s=-1.0)
    return (*STACK[:number], edit, *STACK[number + 1 :])


def main() -> None:
    """Print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    take = sample(FRAMES)
    print(f"python -m benchmarks.edit_stack\n{processor()}")
    print(f"{FRAMES} frames, {len(take.channels)} channels, {len(STACK)} edits; asked for: {ASKED_S} s")
    print(
        "all of it: {:.3f} s, {:.3f} s of the processor".format(
            *min(seconds(lambda: Evaluator(take).evaluate(STACK)) for _ in range(rounds))
        )
    )
    evaluator = Evaluator(take)
    for said, number in (("the last edit", 11), ("one in the middle (gain)", 4), ("a filter", 1), ("the first", 0)):
        found = []
        for step in range(rounds):
            evaluator.evaluate(STACK)
            found.append(seconds(lambda step=step, number=number: evaluator.evaluate(changed(number, step))))
        print("after a change of {}: {:.3f} s, {:.3f} s of the processor".format(said, *min(found)))


if __name__ == "__main__":
    main()
