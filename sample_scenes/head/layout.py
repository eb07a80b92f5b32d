"""Topology of the skin's left half: a grid around the head with blocks cut out and refilled by concentric loops."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

COLUMNS = 34  # intervals from the front midline (0) to the back midline
ROWS = 38  # intervals from the neck's border (0) to the border of the cap
CAP_FRONT = 7  # the cap's front side ends at this column, its back side begins at CAP_BACK
CAP_BACK = 27


@dataclass(frozen=True)
class Block:
    """A rectangle of the grid that concentric loops replace; `rings` counts them, the rectangle's border included."""

    name: str
    first_row: int
    last_row: int
    first_column: int
    last_column: int
    rings: int
    filled: bool

    @property
    def closed(self) -> bool:
        return self.first_column > 0

    def border(self) -> list[tuple[int, int]]:
        """Grid places along the border, clockwise seen from outside.

        A closed loop starts in the middle of the side with the lowest column; one that touches the midline runs
        from the top to the bottom midline.
        """
        r0, r1, c0, c1 = self.first_row, self.last_row, self.first_column, self.last_column
        top = [(r1, c) for c in range(c0, c1)]
        side = [(r, c1) for r in range(r1, r0, -1)]
        bottom = [(r0, c) for c in range(c1, c0, -1)]
        if not self.closed:
            return top + side + bottom + [(r0, c0)]
        back = [(r, c0) for r in range(r0, r1)]
        loop = top + side + bottom + back
        start = loop.index(((r0 + r1) // 2, c0))
        return loop[start:] + loop[:start]


MOUTH = Block("mouth", 12, 18, 0, 8, 15, True)
EYE = Block("eye", 24, 30, 3, 13, 11, False)
NOSTRIL = Block("nostril", 19, 21, 1, 4, 4, True)
EAR = Block("ear", 12, 22, 19, 23, 12, True)
BLOCKS = (MOUTH, EYE, NOSTRIL, EAR)


@dataclass
class HalfSkin:
    """Vertices of the left half by name, and faces, counter-clockwise seen from outside."""

    keys: list[tuple[str, int, int]] = field(default_factory=list)  # (zone, ring or row, spoke or column)
    index: dict[tuple[str, int, int], int] = field(default_factory=dict)
    faces: list[tuple[int, int, int, int]] = field(default_factory=list)

    def add(self, key: tuple[str, int, int]) -> int:
        if key not in self.index:
            self.index[key] = len(self.keys)
            self.keys.append(key)
        return self.index[key]

    def ring(self, block: Block, ring: int) -> NDArray[np.int64]:
        """Vertices of one loop of a block; ring 0 is the innermost, the last one is the block's border."""
        spokes = len(block.border())
        return np.array([self.index[self.place(block, ring, s)] for s in range(spokes)])

    @staticmethod
    def place(block: Block, ring: int, spoke: int) -> tuple[str, int, int]:
        if ring == block.rings - 1:
            return ("grid", *block.border()[spoke])
        return (block.name, ring, spoke)


def _inside(block: Block, row: int, column: int) -> bool:
    return block.first_row <= row < block.last_row and block.first_column <= column < block.last_column


def build_half() -> HalfSkin:
    """The left half's vertices and faces (no positions yet)."""
    skin = HalfSkin()
    for row in range(ROWS):
        for column in range(COLUMNS):
            if any(_inside(block, row, column) for block in BLOCKS):
                continue
            corners = ((row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column))
            skin.faces.append(tuple(skin.add(("grid", *c)) for c in corners))  # type: ignore[arg-type]
    for block in BLOCKS:
        _fill_block(skin, block)
    _fill_cap(skin)
    return skin


def _fill_block(skin: HalfSkin, block: Block) -> None:
    border = block.border()
    spokes = len(border)
    last = spokes if block.closed else spokes - 1
    for ring in range(block.rings - 2, -1, -1):
        for s in range(last):
            t = (s + 1) % spokes
            places = ((ring + 1, t), (ring + 1, s), (ring, s), (ring, t))
            skin.faces.append(tuple(skin.add(skin.place(block, r, q)) for r, q in places))  # type: ignore[arg-type]
    if not block.filled:
        return
    on_ring = {place: s for s, place in enumerate(border)}

    def vertex(row: int, column: int) -> int:
        if (row, column) in on_ring:
            return skin.add((block.name, 0, on_ring[(row, column)]))
        return skin.add((block.name + " fill", row, column))

    for row in range(block.first_row, block.last_row):
        for column in range(block.first_column, block.last_column):
            corners = ((row, column), (row, column + 1), (row + 1, column + 1), (row + 1, column))
            skin.faces.append(tuple(vertex(*c) for c in corners))  # type: ignore[arg-type]


def cap_place(along: int, across: int) -> tuple[str, int, int]:
    """Name of a place of the cap: `along` runs from the front to the back, `across` from the midline to the side."""
    if along == 0:
        return ("grid", ROWS, across)
    if along == CAP_BACK - CAP_FRONT:
        return ("grid", ROWS, COLUMNS - across)
    if across == CAP_FRONT:
        return ("grid", ROWS, CAP_FRONT + along)
    return ("cap", along, across)


def _fill_cap(skin: HalfSkin) -> None:
    for along in range(CAP_BACK - CAP_FRONT):
        for across in range(CAP_FRONT):
            corners = ((along, across), (along, across + 1), (along + 1, across + 1), (along + 1, across))
            skin.faces.append(tuple(skin.add(cap_place(*c)) for c in corners))  # type: ignore[arg-type]
