"""Which channel a control stands for, by what it moves: displacements compared with those of ARKit's own channels.

Names say nothing in a language that nobody has listed, and `Key 17` in none. What a control does to a face does: the
displacement of its landmarks is compared, by cosine, with that of each channel on a head whose channels are known,
each half of a channel that acts on both sides, and some that rigs have as one (both lids, both eyes to one side). The
best assignment of all controls at once (Kuhn 1955) is kept where it is near enough.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...arrays import F32, F64, Bools
from ...geometry.easing import smoothstep
from ..channels import mirror_name
from ..sides import Side, side_of
from .motion import Motion

LEAST_ALIKE = 0.45
"""Cosine below which a control is none of the channels."""
SURE = ((0.85, 0.08), (0.7, 0.2))
"""A match is sure from one of these cosines on, if it is apart by so much from all else."""
SMALLEST, LARGEST = 0.1, 10.0
"""How far a control moves the face, in parts of what the channel does on the known head; others are none."""
_LEAST_M = 0.0005
"""What moves no landmark of a life-size head as far as this moves nothing."""
_STEEPNESS = 4
"""Cosines are taken to this power: a good match is not given up so that a control that is none finds a place."""
_COMPOSITE = 0.02
"""By so much a single channel is preferred to several that one control might stand for."""
_MIDDLE_M = 0.008
_SPLIT = ("browInnerUp", "cheekPuff", "mouth")
"""Channels of both sides that rigs may have in halves begin so."""

Part = tuple[str, Side | None]
"""A channel, or the half of one that acts on both sides."""
Meaning = tuple[Part, ...]
"""What a control can stand for: more than one part where it does what ARKit has in several."""


_SEVERAL: tuple[Meaning, ...] = (
    # Both eyes to one side.
    (("eyeLookOutLeft", None), ("eyeLookInRight", None)),
    (("eyeLookInLeft", None), ("eyeLookOutRight", None)),
    # The whole brow, of one side and of both.
    (("browInnerUp", "left"), ("browOuterUpLeft", None)),
    (("browInnerUp", "right"), ("browOuterUpRight", None)),
    (("browInnerUp", None), ("browOuterUpLeft", None), ("browOuterUpRight", None)),
)


def cover(meaning: Meaning) -> frozenset[tuple[str, Side]]:
    """What of the face a meaning covers: two controls of one rig never share any of it."""
    both: tuple[Side, ...] = ("left", "right")
    return frozenset((channel, one) for channel, side in meaning for one in ((side,) if side else both))


@dataclass(frozen=True)
class Match:
    """A control and what it stands for.

    Attributes:
        control: its number.  meaning: what it stands for.
        alike: cosine of the two displacements, at most 1.
        apart: by how much the assignment is better than any in which this control is something else, or another this.
    """

    control: int
    meaning: Meaning
    alike: float
    apart: float

    @property
    def sure(self) -> bool:
        """Whether it can be taken without a look."""
        return any(self.alike >= alike and self.apart >= apart for alike, apart in SURE)


def list_meanings(motion: Motion, channels: Sequence[str]) -> tuple[list[Meaning], F32]:
    """What controls can stand for, and how each moves the known head.

    Args:
        motion: of the known head.  channels: ARKit's names of its K fields, in their order.
    Returns:
        M meanings and (M, L + 1, 3) float32 fields, see `Motion.fields`.
    """
    place = {channel: k for k, channel in enumerate(channels)}
    left = smoothstep((np.append(motion.rest[:, 0], 0.0) + _MIDDLE_M) / (2 * _MIDDLE_M))[:, None].astype(np.float32)
    share = {None: np.float32(1.0), "left": left, "right": 1.0 - left}
    whole = [name for name in channels if mirror_name(name) == name and name.startswith(_SPLIT)]
    lefts = [name for name in channels if side_of(name) == "left"]
    wanted: list[Meaning] = [((name, None),) for name in channels]
    for name in whole:
        wanted.append(((name, "left"),))
        wanted.append(((name, "right"),))
    for name in lefts:
        wanted.append(((name, None), (mirror_name(name), None)))
    wanted += _SEVERAL
    meanings = [meaning for meaning in wanted if all(name in place for name, _ in meaning)]
    fields = [sum(motion.fields[place[name]] * share[side] for name, side in meaning) for meaning in meanings]
    return meanings, np.stack(fields).astype(np.float32)


def match_motion(
    fields: F32, meanings: Sequence[Meaning], known: F32, valid: Bools, covered: Collection[tuple[str, Side]] = ()
) -> list[Match]:
    """Match controls with meanings, the best first.

    Args:
        fields: (K, L + 1, 3) of the controls, see `Motion.fields`.  valid: (L + 1,) bool, rows that count.
        meanings, known: see `list_meanings`.
        covered: what of the face other controls already move.
    """
    alike = measure_likeness(fields, known, valid)
    if not alike.size:
        return []
    composite = np.array([_COMPOSITE * (len(meaning) > 1) for meaning in meanings])
    value = np.where(alike >= LEAST_ALIKE, alike - composite, 0.0) ** _STEEPNESS
    chosen: list[tuple[int, int]] = []
    taken = set(covered)
    value[:, [bool(cover(meaning) & taken) for meaning in meanings]] = 0.0
    free = np.ones(len(alike), bool)
    # One that finds its place taken, as the halves of a channel that another control has whole, looks for the next.
    while True:
        rows, columns = linear_sum_assignment(-value)
        accepted = False
        for place in np.argsort(-value[rows, columns]):
            k, m = int(rows[place]), int(columns[place])
            if value[k, m] <= 0.0 or cover(meanings[m]) & taken:
                continue
            taken |= cover(meanings[m])
            free[k] = False
            accepted = True
            chosen.append((k, m))
        if not accepted:
            break
        value[~free] = 0.0
        value[:, [bool(cover(meaning) & taken) for meaning in meanings]] = 0.0
    leads = _measure_leads(alike, chosen, meanings, taken)
    found = [Match(k, meanings[m], float(alike[k, m]), lead) for (k, m), lead in zip(chosen, leads, strict=True)]
    return sorted(found, key=lambda match: -match.alike)


def measure_likeness(fields: F32, known: F32, valid: Bools) -> F64:
    """(K, M) float64 cosines of displacements (K, L + 1, 3) and (M, L + 1, 3); −1 where their sizes differ too much."""
    ours, theirs = (np.asarray(a, np.float64)[:, valid].reshape(len(a), -1) for a in (fields, known))
    sizes, wanted = np.linalg.norm(ours, axis=1), np.linalg.norm(theirs, axis=1)
    cosine = ours @ theirs.T / np.maximum(np.outer(sizes, wanted), 1e-12)
    ratio = sizes[:, None] / np.maximum(wanted, 1e-12)
    moves = np.linalg.norm(fields[:, valid], axis=2).max(axis=1, initial=0.0) > _LEAST_M
    return np.where(moves[:, None] & (ratio > SMALLEST) & (ratio < LARGEST), cosine, -1.0)


def _measure_leads(
    alike: F64, chosen: Sequence[tuple[int, int]], meanings: Sequence[Meaning], taken: set[tuple[str, Side]]
) -> list[float]:
    """By how much each choice is better than the next best: another meaning that is left, another control that is left,
    or an exchange with another choice."""
    idle = np.setdiff1d(np.arange(len(alike)), [k for k, _ in chosen])
    leads: list[float] = []
    for k, m in chosen:
        others = taken - cover(meanings[m])
        left = [n for n, meaning in enumerate(meanings) if n != m and not cover(meaning) & others]
        lead = alike[k, m] - max(alike[k, left].max(initial=-1.0), alike[idle, m].max(initial=-1.0))
        for j, n in chosen:
            if j != k:
                lead = min(lead, 0.5 * (alike[k, m] + alike[j, n] - alike[k, n] - alike[j, m]))
        leads.append(float(lead))
    return leads
