"""Named curves over time: what exports write, be they a take's channels or what a mapping makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...arrays import F32, F64
from ...rig.channels import arkit_name
from ...rig.mapping.evaluate import evaluate
from ...rig.mapping.mapping import Mapping, Target
from ..take import Take


@dataclass(frozen=True)
class Curves:
    """Curves of the same times.

    Attributes:
        names: N, distinct.  time_s: (F,) s from the start of the footage, ascending.
        values: (F, N) float32.  has_face: (F,) bool; values of the others mean nothing.
    """

    names: tuple[str, ...]
    time_s: F64
    values: F32
    has_face: NDArray[np.bool_]

    @property
    def seen(self) -> Curves:
        """Those frames that show a face."""
        rows = self.has_face
        return Curves(self.names, self.time_s[rows], self.values[rows], rows[rows])


def curves_of(take: Take, mapping: Mapping | None = None) -> Curves:
    """A take's weights as curves, under its channels' names, or as a mapping moves a rig's targets.

    Targets of one name are one curve, that of the first: shape keys that several meshes share.
    """
    if mapping is None:
        return Curves(take.channels, take.time_s, take.weights, take.solved)
    targets, values = evaluate(mapping, take.channels, take.weights)
    columns: dict[str, int] = {}
    for column, target in enumerate(targets):
        columns.setdefault(name_target(target), column)
    return Curves(tuple(columns), take.time_s, values[:, list(columns.values())], take.solved)


def name_target(target: Target) -> str:
    """What a target's curve is called: the shape key or property, or bone and axis, as "jaw.rotation.x"."""
    if target.kind == "bone":
        return f"{target.name}.{target.axis}"
    return target.name


def mapped_take(take: Take, mapping: Mapping) -> Take:
    """A take whose channels are the shape keys that a mapping moves, as ones that formats with keys alone can hold."""
    curves = curves_of(take, only_keys(mapping))
    return replace(take, channels=curves.names, weights=curves.values, not_observed=(), inferred=())


def only_keys(mapping: Mapping) -> Mapping:
    """The part of a mapping that moves shape keys."""
    return replace(mapping, links=tuple(link for link in mapping.links if link.target.kind == "key"))


def with_arkit_names(curves: Curves) -> Curves:
    """Curves under ARKit's names where theirs mean one; halves of one channel keep their own."""
    called = [arkit_name(name) or name for name in curves.names]
    names = [new if called.count(new) == 1 else name for name, new in zip(curves.names, called, strict=True)]
    return replace(curves, names=tuple(names)) if len(set(names)) == len(names) else curves
