"""Ridge regression in closed form, by whichever of its two matrices is the smaller."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from ....arrays import F32, F64

_ROWS = 1024
PENALTIES = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7)
"""Tried while errors fall: shares of the mean square of what is seen. `USUAL` where no shot is kept for validation."""
USUAL = 1e-4


class Scaling:
    """What is seen, about its mean and of one size, with a 1 behind it.

    Args:
        some: (N, D) of frames spread over the set.
    """

    def __init__(self, some: F32) -> None:
        self.mean = some.mean(0, dtype=np.float64)
        self.factor = 1 / max(float(np.sqrt(((some - self.mean) ** 2).sum(1).mean())), 1e-12)

    def apply(self, seen: F32) -> F32:
        """(N, D + 1)."""
        scaled = ((seen - self.mean) * self.factor).astype(np.float32)
        return np.concatenate([scaled, np.ones((len(seen), 1), np.float32)], 1)

    def unfold(self, solution: F64) -> tuple[F64, F64]:
        """(D, M) and (M,): the map of what is seen itself, and its bias, of one (D + 1, M) of scaled values."""
        weight = solution[:-1] * self.factor
        return weight, solution[-1] - self.mean @ weight


def solve_ridge(
    blocks: Callable[[], Iterable[tuple[F32, F32]]],
    count: int,
    width: int,
    measure: Callable[[F64], float] | None,
    on_progress: Callable[[int, int], None],
) -> tuple[F64, float, float]:
    """The solution of least error on what is kept for validation.

    Args:
        blocks: gives (B, width) what is seen, scaled, and (B, M) targets, block by block; asked once.
        count: rows of all blocks.  measure: error of a (width, M) solution; None: the middle penalty is taken.
        on_progress: told steps done and in all; it may raise to cancel.
    Returns:
        (width, M) solution, its penalty, and its error (NaN without `measure`).
    """
    dual = count <= width
    products, pulls = np.zeros((count if dual else width,) * 2), list[F64]()
    rows = np.zeros((count, width) if dual else (0, width), np.float32)
    done = 0
    for seen, targets in _join(blocks()):
        new = seen.astype(np.float64)
        if dual:
            part = slice(done, done + len(seen))
            rows[part] = seen
            for first in range(0, part.stop, _ROWS):
                other = slice(first, min(first + _ROWS, part.stop))
                products[part, other] = new @ rows[other].astype(np.float64).T
                products[other, part] = products[part, other].T
            pulls.append(targets.astype(np.float64))
        else:
            products += new.T @ new
            pulls = [new.T @ targets + (pulls[0] if pulls else 0.0)]
        done += len(seen)
    pull = np.concatenate(pulls)
    tried = PENALTIES if measure is not None else (USUAL,)
    best: tuple[F64, float, float] | None = None
    for n, penalty in enumerate(tried):
        on_progress(n, len(tried))
        found = cho_solve(cho_factor(products + penalty * count * np.eye(len(products))), pull)
        solution = rows.T.astype(np.float64) @ found if dual else found
        error = float("nan") if measure is None else measure(solution)
        if best is not None and error >= best[2]:
            break
        best = (solution, penalty, error)
    assert best is not None
    return best


def _join(blocks: Iterable[tuple[F32, F32]]) -> Iterator[tuple[F32, F32]]:
    """The same rows in blocks of about `_ROWS`: products of few rows cost as much as those of many."""
    parts: list[tuple[F32, F32]] = []
    for block in blocks:
        parts.append(block)
        if sum(len(seen) for seen, _ in parts) >= _ROWS:
            yield np.concatenate([seen for seen, _ in parts]), np.concatenate([y for _, y in parts])
            parts = []
    if parts:
        yield np.concatenate([seen for seen, _ in parts]), np.concatenate([y for _, y in parts])
