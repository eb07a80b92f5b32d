"""A mapping made from a rig: which of its controls, and how far, come nearest to what each channel does to a face."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import bpy
import numpy as np

from ....arrays import F32, F64
from ....rig.mapping.mapping import Link, Target
from ....rig.mapping.mapping import Mapping as ControlMapping
from .control_deltas import Stage, on_stage
from .own_controls import find_candidates, head_vertices, moves_face, try_value

_RIDGE = 0.02
"""How strongly a control is kept from moving skin that others move back, as a part of what it moves itself."""
_LEAST = 0.08
"""What a control adds to a channel, as a part of the channel: less is none of an animator's concern."""
_MOST = 12
_ROUNDS = 8
_SURE = 0.8
_FAR = 10.0

Accepts = Callable[[str, Target], bool]
"""(channel, control) → whether the channel may be made of the control."""


@dataclass(frozen=True)
class Fitted:
    """A mapping and how near it comes.

    Attributes:
        explained: by channel, 1 − (what is left of its displacement)² / (its displacement)², evaluated by Blender.
    """

    mapping: ControlMapping
    explained: dict[str, float]


def fit_mapping(
    obj: bpy.types.Object,
    wanted: Mapping[str, F32],
    *,
    name: str,
    face_size_m: float = 0.0,
    accepts: Accepts = lambda channel, target: True,
    least: float = 0.3,
) -> Fitted:
    """Fit a rig's controls to displacements: least squares on what each moves, then corrected for what does not add up.

    Args:
        wanted: (V, 3) float32 m, rig space, by channel: what it does to the mesh.
        face_size_m: see `Mapping.face_size_m`.
        least: channels of which less is explained are left out: the rig cannot do them.
    Raises:
        FacecapError: the character cannot be evaluated.
    """
    with on_stage(obj) as stage:
        controls, fields = _measure(obj, stage)
        flat = fields.reshape(len(fields), -1)
        links: list[Link] = []
        explained: dict[str, float] = {}
        for channel, field in wanted.items():
            allowed = np.array([k for k, (target, _) in enumerate(controls) if accepts(channel, target)], np.intp)
            values = _fit(stage, [controls[k] for k in allowed], flat[allowed], field)
            left = field - stage.displace(values) if values else field
            share = 1.0 - float((left**2).sum()) / max(float((field**2).sum()), 1e-18)
            explained[channel] = share
            if share >= least:
                links += [
                    Link(channel, target, float(f"{value:.4g}"), sure=share >= _SURE)
                    for target, value in values.items()
                ]
    return Fitted(ControlMapping(name, tuple(links), face_size_m), explained)


def _measure(obj: bpy.types.Object, stage: Stage) -> tuple[list[tuple[Target, float]], F32]:
    """The controls that move the face with the values tried, and what these do, (C, V, 3)."""
    head = head_vertices(obj, stage)
    height = float(np.ptp(stage.rest[head], axis=0).max())
    controls: list[tuple[Target, float]] = []
    fields: list[F32] = []
    for target in find_candidates(obj, stage.controls):
        tried = try_value(stage.controls, target, height)
        forth = stage.displace({target: tried})
        if not moves_face(stage, forth, head, height) and target.axis.startswith("location"):
            tried *= _FAR  # what eyes look at stands away from them
            forth = stage.displace({target: tried})
        if not moves_face(stage, forth, head, height):
            continue
        back = stage.displace({target: -tried})
        controls.append((target, tried))
        fields.append(0.5 * (forth - back))
    return controls, np.stack(fields) if fields else np.zeros((0, len(stage.rest), 3), np.float32)


def _fit(stage: Stage, controls: Sequence[tuple[Target, float]], flat: F32, field: F32) -> dict[Target, float]:
    """Values of the few controls that make a displacement."""
    size = float(np.linalg.norm(field))
    if not len(flat) or size < 1e-9:
        return {}
    gram = (flat @ flat.T).astype(np.float64)
    towards = (flat @ field.ravel()).astype(np.float64)
    kept = np.arange(len(flat))
    while True:
        share = _solve(gram, towards, kept)
        adds = np.abs(share) * np.sqrt(np.diag(gram)[kept]) / size
        # A few at a time: those left over take up what the others did.
        weak = np.flatnonzero(adds < _LEAST) if len(kept) <= _MOST else np.argsort(adds)[: max(1, len(kept) // 8)]
        if not len(weak):
            break
        if len(kept) <= _MOST:
            weak = weak[np.argsort(adds[weak])[:1]]
        kept = np.delete(kept, weak)
        if not len(kept):
            return {}
    best: dict[Target, float] = {}
    nearest, step, found = size, 1.0, np.zeros(len(kept))
    for _ in range(_ROUNDS):  # turns do not add up, and limits stop some
        values = {controls[k][0]: float((found + step * share)[n] * controls[k][1]) for n, k in enumerate(kept)}
        left = field - stage.displace(values)
        if float(np.linalg.norm(left)) >= nearest:
            step *= 0.5
            continue
        best, nearest, found = values, float(np.linalg.norm(left)), found + step * share
        adds = np.abs(found) * np.sqrt(np.diag(gram)[kept]) / size
        if (adds < 0.5 * _LEAST).any():  # what the others' turns have made needless
            kept, found = kept[adds >= 0.5 * _LEAST], found[adds >= 0.5 * _LEAST]
            values = {controls[k][0]: float(found[n] * controls[k][1]) for n, k in enumerate(kept)}
            left = field - stage.displace(values)
            best, nearest = values, float(np.linalg.norm(left))
        share, step = _solve(gram, (flat @ left.ravel()).astype(np.float64), kept), min(1.0, 2 * step)
    return best


def _solve(gram: F64, towards: F64, kept: np.ndarray) -> F64:
    own = gram[np.ix_(kept, kept)]
    return np.linalg.solve(own + _RIDGE * np.diag(np.diag(own)), towards[kept])
