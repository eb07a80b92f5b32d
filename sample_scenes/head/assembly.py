"""Joins the skin's halves and the loose parts into one mesh that mirrors exactly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .eyes import eyeball
from .hair import Strand, strands
from .layout import HalfSkin, build_half
from .mouth import teeth, tongue
from .proportions import EYE_CENTRE, Array
from .skin import _on_midline, place_half

PARTS = ("skin", "eyeball_left", "eyeball_right", "upper_teeth", "lower_teeth", "tongue", "hair")


@dataclass(frozen=True)
class Head:
    """The neutral head.

    Attributes:
        vertices: (V, 3) mm, sculpting space (x to the character's left, d forward, z up).
        faces: V-indices of each face, counter-clockwise seen from outside.
        part: (V,) index into PARTS.
        mirror: (V,) the vertex on the other side.
        zone: name, ring or row, spoke or column of each skin vertex on either side; ("", 0, 0) elsewhere.
        left: (V,) True on the character's left half, the midline included.
        detail: (V,) per part: eyeball the angle from the gaze axis, teeth 1 on enamel, hair 0 root to 1 tip.
        hair: the strands that `hair` vertices belong to.
        half: topology of the skin's left half; its vertices come first.
    """

    vertices: Array
    faces: list[tuple[int, ...]]
    part: NDArray[np.int64]
    mirror: NDArray[np.int64]
    zone: list[tuple[str, int, int]]
    left: NDArray[np.bool_]
    detail: Array
    hair: list[Strand]
    half: HalfSkin

    def of(self, *names: str) -> NDArray[np.bool_]:
        return np.isin(self.part, [PARTS.index(n) for n in names])


def _self_mirror(points: Array) -> tuple[Array, NDArray[np.int64]]:
    partner = cKDTree(points).query(points * (-1, 1, 1))[1]
    symmetric = 0.5 * (points + points[partner] * (-1, 1, 1))
    symmetric[partner == np.arange(len(points)), 0] = 0.0
    return symmetric, partner


def build_head() -> Head:
    """The neutral head, always the same to the last bit on one machine."""
    half = build_half()
    positions, _ = place_half(half)
    count = len(half.keys)
    midline = np.array([_on_midline(key) for key in half.keys])
    positions[midline, 0] = 0.0
    right_of = np.where(midline, np.arange(count), count + np.cumsum(~midline) - 1)
    skin = np.vstack([positions, positions[~midline] * (-1, 1, 1)])
    mirror = np.empty(len(skin), np.int64)
    mirror[np.arange(count)] = right_of
    mirror[right_of] = np.arange(count)
    faces: list[tuple[int, ...]] = [tuple(int(v) for v in f) for f in half.faces]
    faces += [tuple(int(right_of[v]) for v in f[::-1]) for f in half.faces]
    zone = list(half.keys) + [key for key, m in zip(half.keys, midline, strict=False) if not m]
    vertices, mirrors, parts = [skin], [mirror], [np.zeros(len(skin), np.int64)]
    left = [np.arange(len(skin)) < count]
    detail = [np.zeros(len(skin))]
    base = len(skin)

    def append(points: Array, own_faces: list[tuple[int, ...]], own_mirror: NDArray[np.int64], part: NDArray[np.int64],
               own_left: NDArray[np.bool_], own_detail: Array) -> None:  # fmt: skip
        nonlocal base
        vertices.append(points)
        faces.extend(tuple(v + base for v in f) for f in own_faces)
        mirrors.append(own_mirror + base)
        parts.append(part)
        left.append(own_left)
        detail.append(own_detail)
        base += len(points)

    ball, ball_faces, polar = eyeball()
    n = len(ball)
    both = ball_faces + [tuple(v + n for v in (f[0], *f[:0:-1])) for f in ball_faces]
    append(np.vstack([ball, ball * (-1, 1, 1)]), both, np.r_[np.arange(n) + n, np.arange(n)],
           np.repeat([1, 2], n), np.repeat([True, False], n), np.r_[polar, polar])  # fmt: skip
    for part, upper in ((3, True), (4, False)):
        points, own_faces, enamel = teeth(upper)
        points, partner = _self_mirror(points)
        append(points, own_faces, partner, np.full(len(points), part), points[:, 0] >= 0, enamel)
    points, own_faces = tongue()
    points, partner = _self_mirror(points)
    append(points, own_faces, partner, np.full(len(points), 5), points[:, 0] >= 0, np.zeros(len(points)))
    hair = strands(half, positions)
    points = np.vstack([s.points for s in hair])
    n, own_faces, start = len(points), [], 0
    for s in hair:
        own_faces += [tuple(v + start for v in f) for f in s.faces]
        start += len(s.points)
    own_faces += [tuple(v + n for v in f[::-1]) for f in own_faces]
    along = np.concatenate([s.along for s in hair])
    append(np.vstack([points, points * (-1, 1, 1)]), own_faces, np.r_[np.arange(n) + n, np.arange(n)],
           np.full(2 * n, 6), np.repeat([True, False], n), np.r_[along, along])  # fmt: skip
    all_vertices = np.vstack(vertices)
    zone += [("", 0, 0)] * (len(all_vertices) - len(skin))
    return Head(all_vertices, faces, np.concatenate(parts), np.concatenate(mirrors), zone, np.concatenate(left),
                np.concatenate(detail), hair, half)  # fmt: skip


def eye_centre(left: bool) -> Array:
    return EYE_CENTRE * ((1, 1, 1) if left else (-1, 1, 1))
