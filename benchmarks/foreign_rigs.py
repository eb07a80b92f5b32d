"""Rigs whose keys have foreign names, made from heads whose keys are known: what guessing a mapping is measured on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.rig.channels import arkit_name, mirror_name, pair_side
from facecap_addon.rig.embedding import LandmarkEmbedding
from facecap_addon.rig.mapping.match_motion import Meaning

F32 = NDArray[np.float32]
_JAPANESE = "目口眉頬鼻顎舌左右上下開閉笑怒泣驚喜"


@dataclass(frozen=True)
class ForeignRig:
    """A rig and what its keys do.

    Attributes:
        name: shown in the table.  rig: keys under foreign names.  embedding: its landmarks.
        truth: for each key what it stands for; None: for no channel.
    """

    name: str
    rig: BlendshapeRig
    embedding: LandmarkEmbedding
    truth: tuple[Meaning | None, ...]


def meanings_of(names: Sequence[str]) -> tuple[Meaning | None, ...]:
    """What keys of ARKit's names, halves or none stand for."""
    truth: list[Meaning | None] = []
    for name in names:
        channel = arkit_name(name)
        truth.append(((channel, pair_side(name)),) if channel else None)
    return tuple(truth)


def foreign_names(style: str, count: int) -> tuple[str, ...]:
    """Names that say nothing: "numbers", "keys" (`Key 1`), "japanese", "codes"."""
    random = np.random.default_rng(5)
    if style == "japanese":
        return tuple("".join(random.choice(list(_JAPANESE), 3)) + f"{k}" for k in range(count))
    patterns = {"numbers": "{}", "keys": "Key {}", "codes": "bs_{:03d}_v2"}
    return tuple(patterns[style].format(k + 1) for k in range(count))


def disguise(
    name: str, rig: BlendshapeRig, embedding: LandmarkEmbedding, truth: Sequence[Meaning | None], style: str
) -> ForeignRig:
    """The rig with its keys shuffled and renamed."""
    order = np.random.default_rng(len(truth)).permutation(len(truth))
    names = foreign_names(style, len(truth))
    shuffled = replace(rig, deltas=rig.deltas[order], ranges=rig.ranges[order], channels=names)
    return ForeignRig(name, shuffled, embedding, tuple(truth[k] for k in order))


def add_keys(
    rig: BlendshapeRig, truth: Sequence[Meaning | None], extra: Sequence[F32]
) -> tuple[BlendshapeRig, tuple[Meaning | None, ...]]:
    """The rig with keys that stand for nothing."""
    return _with_keys(rig, [*rig.deltas, *extra]), (*truth, *(None for _ in extra))


def meaningless_keys(rig: BlendshapeRig) -> Iterator[F32]:
    """What rigs have besides: phonemes and emotions (mixtures), correctives, other head shapes, an empty one."""
    random = np.random.default_rng(11)
    place = {arkit_name(channel): k for k, channel in enumerate(rig.channels)}
    for mixture in (
        {"jawOpen": 0.5, "mouthFunnel": 0.5},
        {"jawOpen": 0.3, "mouthStretchLeft": 0.6, "mouthStretchRight": 0.6},
        {
            "mouthSmileLeft": 0.6,
            "mouthSmileRight": 0.6,
            "cheekSquintLeft": 0.6,
            "cheekSquintRight": 0.6,
            "jawOpen": 0.3,
        },
        {"browDownLeft": 0.7, "browDownRight": 0.7, "noseSneerLeft": 0.5, "noseSneerRight": 0.5, "mouthPressLeft": 0.6},
        {"jawOpen": 0.6, "eyeWideLeft": 0.8, "eyeWideRight": 0.8, "browOuterUpLeft": 0.8, "browOuterUpRight": 0.8},
    ):
        yield np.sum([share * rig.deltas[place[channel]] for channel, share in mixture.items()], axis=0)
    for pair in (("jawOpen", "mouthSmileLeft"), ("eyeBlinkLeft", "cheekSquintLeft"), ("mouthPucker", "jawOpen")):
        a, b = (rig.deltas[place[channel]] for channel in pair)
        both = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        direction = random.normal(size=3)
        yield np.outer(both / max(both.max(), 1e-12) * 0.003, direction).astype(np.float32)
    size = float(np.ptp(rig.neutral, axis=0).max())
    for _ in range(4):
        centre = rig.neutral[random.integers(len(rig.neutral))]
        near = np.exp(-0.5 * ((rig.neutral - centre) ** 2).sum(axis=1) / (0.15 * size) ** 2)
        yield np.outer(near * 0.006, random.normal(size=3)).astype(np.float32)
    yield np.zeros_like(rig.neutral)


def halve(rig: BlendshapeRig, embedding: LandmarkEmbedding, channels: Sequence[str]) -> BlendshapeRig:
    """The rig with some keys of both sides as a left and a right one."""
    across = rig.neutral @ embedding.head_from_rig[0, :3] + embedding.head_from_rig[0, 3]
    left = (0.5 + 0.5 * np.tanh(across / 0.004)).astype(np.float32)[:, None]
    names: list[str] = []
    deltas: list[F32] = []
    for name, delta in zip(rig.channels, rig.deltas, strict=True):
        split = name in channels
        names += [f"{name}_L", f"{name}_R"] if split else [name]
        deltas += [delta * left, delta * (1 - left)] if split else [delta]
    return replace(_with_keys(rig, deltas), channels=tuple(names))


def join(rig: BlendshapeRig, channels: Sequence[str]) -> tuple[BlendshapeRig, tuple[Meaning | None, ...]]:
    """The rig with some keys of a left and a right side, named by the left one, as one; and what its keys stand for."""
    twin = {mirror_name(name): name for name in channels}
    place = {arkit_name(name): k for k, name in enumerate(rig.channels)}
    names: list[str] = []
    deltas: list[F32] = []
    truth: list[Meaning | None] = []
    for name, delta, meaning in zip(rig.channels, rig.deltas, meanings_of(rig.channels), strict=True):
        channel = arkit_name(name)
        if channel in twin:
            continue
        joined = channel in channels and channel is not None
        names.append(name)
        deltas.append(delta + rig.deltas[place[mirror_name(channel)]] if joined and channel else delta)
        truth.append(((channel, None), (mirror_name(channel), None)) if joined and channel else meaning)
    return replace(_with_keys(rig, deltas), channels=tuple(names)), tuple(truth)


def restyle(rig: BlendshapeRig, *, stray: float = 0.15, seed: int = 7) -> BlendshapeRig:
    """The rig as by another sculptor: each key stronger or weaker, with a part of some other key in it."""
    random = np.random.default_rng(seed)
    gains = random.uniform(0.5, 1.7, len(rig.deltas))[:, None, None]
    others = random.permutation(len(rig.deltas))
    sizes = np.linalg.norm(rig.deltas, axis=(1, 2))
    ratio = np.divide(sizes, sizes[others], out=np.zeros_like(sizes), where=sizes[others] > 0)[:, None, None]
    return replace(rig, deltas=(gains * (rig.deltas + stray * ratio * rig.deltas[others])).astype(np.float32))


def stylise(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> BlendshapeRig:
    """The rig with a cartoon's proportions: a broad jaw, large eyes, a bulging forehead; keys follow the surface."""
    head = embedding.head_from_rig
    size = 0.09 * embedding.rig_scale

    def bend(points: NDArray[np.floating]) -> NDArray[np.float64]:
        local = (points @ head[:3, :3].T + head[:3, 3]) / size
        x, y, z = local.T
        broad = 1.0 + 0.3 / (1.0 + np.exp(6.0 * (z + 0.5)))
        eyes = 1.0 + 0.25 * np.exp(-((np.abs(x) - 0.33) ** 2 + (z - 0.0) ** 2) / 0.03)
        high = z * (1.0 + 0.15 * np.tanh(z))
        bent = np.stack([x * broad, y * 0.9 - 0.06 * z**2, high * eyes], axis=1) * size
        return (bent - head[:3, 3]) @ head[:3, :3]

    neutral = bend(rig.neutral)
    deltas = np.stack([bend(rig.neutral + delta) - neutral for delta in rig.deltas]).astype(np.float32)
    return replace(rig, neutral=neutral.astype(np.float32), deltas=deltas)


def turn_and_scale(rig: BlendshapeRig, factor: float, *, mirrored: bool = False) -> BlendshapeRig:
    """The rig lying on its back with y up, larger or smaller; mirrored as an import with one axis negated is."""
    turn = np.array([[-1.0 if mirrored else 1.0, 0, 0], [0, 0, 1.0], [0, -1.0, 0]]) * factor
    triangles = rig.triangles[:, ::-1] if mirrored else rig.triangles
    return replace(
        rig,
        neutral=(rig.neutral @ turn.T).astype(np.float32),
        deltas=(rig.deltas @ turn.T).astype(np.float32),
        triangles=np.ascontiguousarray(triangles),
    )


def mirror_meanings(truth: Sequence[Meaning | None]) -> tuple[Meaning | None, ...]:
    """What keys stand for once the head is mirrored: what was on the left is on the right."""
    other = {"left": "right", "right": "left", None: None}
    return tuple(
        None if meaning is None else tuple((mirror_name(channel), other[side]) for channel, side in meaning)  # pyright: ignore
        for meaning in truth
    )


def _with_keys(rig: BlendshapeRig, deltas: Sequence[F32]) -> BlendshapeRig:
    names = (*rig.channels, *(f"extra {k}" for k in range(len(deltas) - len(rig.channels))))[: len(deltas)]
    ranges = np.tile(np.array([0.0, 1.0], np.float32), (len(deltas), 1))
    return replace(rig, deltas=np.stack(deltas).astype(np.float32), channels=names, ranges=ranges)
