"""The shipped generators against what costs nothing: `python -m benchmarks.generators [FOLDER] [EXPRESSION …]`.

Printed, and kept in `benchmarks/results/generate.txt`. Everything is measured on subjects whose seeds no training,
no checkpoint and no choice has seen. FOLDER holds other generators than those that came along.

Continuing: the squared error of the next step, and of where landmarks are 5, 12 and 25 frames later, 1 / share of what
is left by predicting no motion: of the network, of extrapolation along a line and a parabola, and of the training
sequence whose last eight steps were nearest.

Free runs: one on each test face, against what these faces did; beside it the sequences that were learned, those of the
nearest face for each scaled to it, and the network without variation. p is that of a permutation test on the energy
distance of their statistics: sets of one kind have any p from 0 to 1 alike.

Identity: on each of some test faces, the mean apex of runs on it against the mean apex of several performances of it:
told that face; told another one, and told none, both scaled to it region by region, as all were before; and of a twin:
the same proportions, but a character of their own, which no neutral face shows.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from facecap_addon.generate.authored.emotions import EXPRESSIONS
from facecap_addon.generate.authored.style import draw_style
from facecap_addon.generate.authored.synthesis import (
    Actor,
    make_actor,
    perform,
    randomise_identity,
    synthesise,
    synthesise_set,
)
from facecap_addon.generate.learned.generator import (
    Generator,
    StepByStep,
    find_shipped,
    generate_sequence,
    load_generator,
    run_freely,
)
from facecap_addon.generate.learned.identity import FaceSpace, fit_sequence
from facecap_addon.generate.sequence import LandmarkSequence, to_displacements, to_steps
from facecap_addon.generate.solve_weights import place_on_character
from facecap_addon.generate.statistics import FEATURES, compare_features, measure_features
from facecap_addon.jobs.steps.sample_head import CACHE
from facecap_addon.retarget.rigid_alignment import remove_head_motion, select_on_bone
from facecap_addon.rig.blendshapes import load_rig
from facecap_addon.rig.embedding import load_embedding

RESULTS = Path(__file__).resolve().parent / "results" / "generate.txt"
LEARNED, TEST, FIRST_TEST = 120, 60, 1000
HEADS, PERFORMANCES, SEEDS = 20, 24, 12
HORIZONS = (5, 12, 25)
WINDOW, EVERY, DIRECTIONS = 8, 8, 24


def main() -> None:
    """Measure everything."""
    given = sys.argv[1:]
    folder = Path(given.pop(0)) if given and given[0] not in EXPRESSIONS else None
    rig = load_rig(sorted(CACHE.glob("rig-*.npz"))[-1])
    actor = make_actor(rig, load_embedding(sorted(CACHE.glob("landmarks-*.npz"))[-1]))
    lines = [f"python -m benchmarks.generators: {LEARNED} subjects learned, {TEST} for the test"]
    for expression in given or EXPRESSIONS:
        path = find_shipped(expression) if folder is None else folder / f"{expression}.onnx"
        lines += ["", *measure(load_generator(path), actor, expression)]
        print(expression, flush=True)
    if not given:
        RESULTS.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def measure(generator: Generator, actor: Actor, expression: str) -> list[str]:
    """Lines on one generator."""
    faces = generator.faces or FaceSpace(generator.rest, np.zeros((1, *generator.rest.shape), np.float32))
    learned = [fit_sequence(s, faces) for s in synthesise_set(actor, expression, LEARNED)]
    seeds = range(FIRST_TEST, FIRST_TEST + TEST)
    test = [fit_sequence(synthesise(actor, expression, seed), faces) for seed in seeds]
    return [
        expression,
        *continue_sequences(generator, learned, test),
        *run_free(generator, faces, learned, test),
        *tell_faces_apart(generator, faces, actor, expression),
    ]


def continue_sequences(
    generator: Generator, learned: list[LandmarkSequence], test: list[LandmarkSequence]
) -> list[str]:
    """How well sequences that were begun are continued."""
    identities = [None if generator.faces is None else generator.faces.measure(s.rest) for s in test]
    style = np.zeros(generator.styles.shape[1], np.float32)
    library = np.stack([to_steps(s.displacements) for s in learned])
    axes = np.linalg.svd(library.reshape(-1, library.shape[2])[::4], full_matrices=False)[2][:DIRECTIONS].T
    flat = library @ axes
    windows = np.stack([flat[:, k : k + flat.shape[1] - WINDOW + 1] for k in range(WINDOW)], 2)
    windows = windows.reshape(-1, WINDOW * DIRECTIONS)
    squares = (windows**2).sum(axis=1)
    per_sequence = flat.shape[1] - WINDOW + 1
    longest = max(HORIZONS)
    methods = ("no motion", "network", "line", "parabola", "nearest learned")
    errors = {(method, horizon): 0.0 for method in methods for horizon in (1, *HORIZONS)}
    for sequence, identity in zip(test, identities, strict=True):
        steps = to_steps(sequence.displacements)
        places = np.concatenate([np.cumsum(steps, axis=0), np.tile(steps.sum(axis=0), (longest + 1, 1))])
        run = StepByStep(generator, style, identity)
        for frame, step in enumerate(steps):
            before = steps[frame - 1] if frame else 0 * step
            told = run.follow(step)
            told_all = {"network": [told], "line": [step], "parabola": [2 * step - before]}
            horizons: tuple[int, ...] = (1,)
            if frame % EVERY == 0 and frame >= WINDOW:
                horizons = (1, *HORIZONS)
                branch, after = run.branch(), told
                for _ in range(longest - 1):
                    after = branch.follow(after)
                    told_all["network"].append(after)
                told_all["line"] = [step] * longest
                told_all["parabola"] = [step + (k + 1) * (step - before) for k in range(longest)]
            told_all["no motion"] = [0 * step] * longest
            recent = np.concatenate([np.zeros((WINDOW, DIRECTIONS)), steps[: frame + 1] @ axes])[-WINDOW:].ravel()
            best = int((squares - 2 * windows @ recent).argmin())
            which, at = divmod(best, per_sequence)
            follows = library[which, at + WINDOW :][:longest]
            told_all["nearest learned"] = [*follows, *([0 * step] * (longest - len(follows)))]
            for horizon in horizons:
                wanted = places[frame + horizon] - places[frame]
                for method, told_steps in told_all.items():
                    errors[method, horizon] += float(((np.sum(told_steps[:horizon], axis=0) - wanted) ** 2).sum())
    lines = [f"  continuing, 1 of        1 frame{''.join(f'{h:>10} fr.' for h in HORIZONS)}"]
    for method in methods[1:]:
        shares = [errors["no motion", h] / errors[method, h] for h in (1, *HORIZONS)]
        lines.append(f"    {method:<18}" + "".join(f"{share:>13.2f}" for share in shares))
    return lines


def run_free(
    generator: Generator, faces: FaceSpace, learned: list[LandmarkSequence], test: list[LandmarkSequence]
) -> list[str]:
    """What sets of free runs have in common with what the test subjects did."""
    began = time.perf_counter()
    told = [generate_sequence(generator, seed=seed, rest=s.rest) for seed, s in enumerate(test)]
    seconds = (time.perf_counter() - began) / len(told)
    same = [generate_sequence(generator, variation=0.0, rest=s.rest) for s in test]
    numbers = np.stack([faces.measure(s.rest) for s in learned])
    near = [learned[int(((numbers - faces.measure(s.rest)) ** 2).sum(axis=1).argmin())] for s in test]
    sets = {
        "network": [put_on(s, to.rest) for s, to in zip(told, test, strict=True)],
        "  without variation": [put_on(s, to.rest) for s, to in zip(same, test, strict=True)],
        "nearest learned": [put_on(s, to.rest) for s, to in zip(near, test, strict=True)],
        "all learned": learned,
    }
    wanted = measure_features(test)
    found = {name: measure_features(sequences) for name, sequences in sets.items()}
    lines = ["  free runs             distance      p   coverage   density"]
    for name, features in found.items():
        c = compare_features(features, wanted)
        lines.append(f"    {name:<20}{c.distance:>9.3f}{c.p:>8.3f}{c.coverage:>9.2f}{c.density:>10.2f}")
    lines.append("    mean ± spread of          the test's       the network's   (spreads apart)")
    apart = compare_features(found["network"], wanted, permutations=0).apart
    for k, (name, (unit, _)) in enumerate(FEATURES.items()):
        ours, theirs = found["network"][:, k], wanted[:, k]
        lines.append(
            f"      {f'{name}, {unit}':<20}{theirs.mean():>8.2f} ± {theirs.std():<7.2f}{ours.mean():>8.2f} ± "
            f"{ours.std():<7.2f}{apart[k]:>8.2f}"
        )
    random = np.random.default_rng(0)
    raw = [
        to_displacements(run_freely(generator, draw_style(generator.styles, random), generator.frames))[-1]
        for _ in range(TEST)
    ]
    ends = [1000 * np.linalg.norm(end, axis=1).max() for end in raw]
    lines.append(
        f"    {seconds:.3f} s a run; they end {np.median(ends):.1f} (≤ {max(ends):.1f}) mm from neutral, not led"
    )
    return lines


def tell_faces_apart(generator: Generator, faces: FaceSpace, actor: Actor, expression: str) -> list[str]:
    """Whether a face moves as that face does."""
    wanted, rests, twins = [], [], []
    for seed in range(FIRST_TEST, FIRST_TEST + HEADS):
        shown = [fit_sequence(synthesise(actor, expression, seed, k), faces) for k in range(PERFORMANCES)]
        wanted.append(mean_apex(shown))
        rests.append(shown[0].rest)
        random = np.random.default_rng([seed, 31])
        twin = randomise_identity(actor, np.random.default_rng([seed, 3]), random)
        twins.append([fit_sequence(perform(twin, expression, random), faces) for _ in range(PERFORMANCES)])

    def show(known: np.ndarray | None, on: np.ndarray) -> np.ndarray:
        runs = [generate_sequence(generator, seed=seed, rest=known) for seed in range(SEEDS)]
        return mean_apex([put_on(run, on) for run in runs])

    kinds: dict[str, list[np.ndarray]] = {
        "told its face": [show(rest, rest) for rest in rests],
        "told another": [show(rests[k - 1], rest) for k, rest in enumerate(rests)],
        "told none": [show(None, rest) for rest in rests],
        "a twin": [mean_apex(twin) for twin in twins],
    }
    errors = {
        name: np.array([np.sqrt(((a - b) ** 2).sum(axis=1).mean()) for a, b in zip(shown, wanted, strict=True)])
        for name, shown in kinds.items()
    }
    own = errors["told its face"]
    lines = [f"  identity, {HEADS} faces: mean apex, rms mm from that of {PERFORMANCES} performances"]
    for name, error in errors.items():
        nearer = "" if name == "told its face" else f"   its own is nearer on {np.mean(own < error):.0%}"
        lines.append(f"    {name:<16}{error.mean():>8.3f}{nearer}")
    return lines


def put_on(sequence: LandmarkSequence, rest: np.ndarray) -> LandmarkSequence:
    """A sequence scaled to another face, region by region, with its head motion."""
    placed = place_on_character(sequence, rest)
    moved = np.einsum("fij,flj->fli", placed.rotation, rest + placed.face) + placed.shift[:, None] - rest
    return replace(sequence, rest=rest, displacements=moved.astype(np.float32))


def mean_apex(sequences: list[LandmarkSequence]) -> np.ndarray:
    """(L, 3) mm: where landmarks are when most happens, without the head, on average."""
    apexes = []
    for s in sequences:
        stable = select_on_bone(s.scheme)
        face = remove_head_motion(s.rest.astype(np.float64), s.displacements.astype(np.float64), stable)[0]
        apexes.append(1000 * face[(face**2).sum(axis=(1, 2)).argmax()])
    return np.mean(apexes, axis=0)


if __name__ == "__main__":
    main()
