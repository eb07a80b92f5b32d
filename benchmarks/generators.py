"""The shipped generators, measured: `python -m benchmarks.generators`.

Printed, and kept in `benchmarks/results/generate.txt`: of each, the squared error after true steps on subjects that it
never saw, over that of predicting no motion; 200 free runs: how far they go, where they end before and after being led
to neutral, how much seeds differ; and how long an epoch over 101 sequences takes here, at the paper's batch of 5 and in
larger ones.
"""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from facecap_addon.generate.emotions import EXPRESSIONS
from facecap_addon.generate.generator import Generator, find_shipped, generate_sequence, load_generator, run_freely
from facecap_addon.generate.lstm import STYLE, Predictor
from facecap_addon.generate.sequence import to_displacements, to_steps
from facecap_addon.generate.style import draw_style
from facecap_addon.generate.synthesis import make_actor, synthesise_set
from facecap_addon.jobs.steps.sample_head import CACHE
from facecap_addon.rig.blendshapes import load_rig
from facecap_addon.rig.embedding import load_embedding

RESULTS = Path(__file__).resolve().parent / "results" / "generate.txt"
RUNS, SUBJECTS, VALIDATION_SUBJECTS, EPOCHS = 200, 101, 20, 10_000


def main() -> None:
    """Measure everything."""
    rig = load_rig(sorted(CACHE.glob("rig-*.npz"))[-1])
    embedding = load_embedding(sorted(CACHE.glob("landmarks-*.npz"))[-1])
    actor = make_actor(rig, embedding)
    lines = ["expression validation: 1 of   root   furthest mm   ends mm: told, led   seeds apart mm   s a run"]
    for expression in EXPRESSIONS:
        generator = load_generator(find_shipped(expression))
        sequences = synthesise_set(actor, expression, SUBJECTS)[-VALIDATION_SUBJECTS:]
        error = forced_error(generator, np.stack([to_steps(s.displacements) for s in sequences]))
        began = time.perf_counter()
        told = [generate_sequence(generator, seed=seed).displacements for seed in range(RUNS)]
        seconds = (time.perf_counter() - began) / RUNS
        raw = [
            to_displacements(run_freely(generator, draw_style(generator.styles, random), 135))
            for random in (np.random.default_rng([seed, 17]) for seed in range(RUNS))
        ]
        far = [1000 * np.linalg.norm(d, axis=2).max() for d in told]
        ends = [1000 * np.linalg.norm(d[-1], axis=1).max() for d in raw]
        led = [1000 * np.linalg.norm(d[-1], axis=1).max() for d in told]
        apart = [1000 * np.linalg.norm(a - b, axis=2).max() for a, b in pairwise(told)]
        lines.append(
            f"{expression:<12}{1 / error:>10.0f}{np.sqrt(1 / error):>9.1f}{min(far):>9.1f}–{max(far):<5.1f}"
            f"{np.median(ends):>8.1f} (≤ {max(ends):.1f}), {max(led):.4f}"
            f"{min(apart):>11.1f}–{max(apart):<6.1f}{seconds:>8.3f}"
        )
    lines += epochs()
    text = "python -m benchmarks.generators\n" + "\n".join(lines) + "\n"
    RESULTS.write_text(text, encoding="utf-8")
    print("\n".join(lines))


def forced_error(generator: Generator, steps: np.ndarray) -> float:
    """Squared error from the empty style after true steps (N, F, 3L), over that of predicting no motion."""
    wrong = whole = 0.0
    shapes = {item.name: item.shape for item in generator.session.get_inputs()}
    for sequence in steps:
        memory = {name: np.zeros(shapes[name], np.float32) for name in ("h", "c")}
        for frame in range(len(sequence)):
            first = np.array([1.0 if frame == 0 else 0.0], np.float32)
            given = {"step": sequence[frame][None, None], "style": np.zeros((1, STYLE), np.float32), "first": first}
            after, memory["h"], memory["c"] = generator.session.run(None, {**given, **memory})
            wanted = sequence[frame + 1] if frame + 1 < len(sequence) else np.zeros_like(sequence[0])
            wrong += float(((np.asarray(after)[0, 0] - wanted) ** 2).sum())
            whole += float((wanted**2).sum())
    return wrong / whole


def epochs() -> list[str]:
    """How long the paper's 10,000 epochs over 101 sequences would take here, by batch and precision."""
    torch.set_num_threads(2)
    lines = [f"{EPOCHS} epochs over {SUBJECTS} sequences of 135 × 249, two cores (the paper: 30 min)"]
    macs = 4 * 128 * (249 + 128) + 2 * 4 * 128 * 256 + 128 * 249
    work = 3 * 2 * macs * 135 * SUBJECTS * EPOCHS
    lines.append(f"  work: {work / 1e12:.0f} Tflop, so 30 min want {work / 1800 / 1e9:.0f} Gflop/s")
    for batch, half in ((5, False), (5, True), (25, True), (SUBJECTS, True)):
        network = Predictor(249)
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)
        steps = torch.randn(batch, 135, 249)

        def step(
            network: Predictor = network,
            optimizer: torch.optim.Adam = optimizer,
            steps: torch.Tensor = steps,
            half: bool = half,
        ) -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                out = network(steps, network.init_memory(torch.zeros(len(steps), STYLE)))[0]
                loss = ((out.float() - steps) ** 2).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

        step()
        times = []
        for _ in range(12):
            began = time.perf_counter()
            step()
            times.append(time.perf_counter() - began)
        minutes = np.median(times) * SUBJECTS / batch * EPOCHS / 60
        lines.append(f"  batch {batch:>3}, {'16' if half else '32'} bits: {minutes:.0f} min")
    return lines


if __name__ == "__main__":
    main()
