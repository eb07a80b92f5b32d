"""Takes of a character whose keys exist twice, and of the same character with each key once."""

from __future__ import annotations

from dataclasses import replace

from ..errors import FacecapError
from ..rig.duplicate_keys import DistinctKeys
from .take import Take


def scatter_take(take: Take, keys: DistinctKeys) -> Take:
    """A take of a character's distinct keys on all of its keys."""
    names = keys.rig.channels

    def every(some: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(c for c, k in zip(keys.names, keys.place, strict=True) if names[k] in some)

    return replace(
        take,
        channels=keys.names,
        weights=keys.scatter(take.weights),
        not_observed=every(take.not_observed),
        inferred=every(take.inferred),
    )


def gather_take(take: Take, keys: DistinctKeys) -> Take:
    """A take of all keys of a character on its distinct ones. Raises FacecapError if it is of other keys."""
    if take.channels != keys.names:
        raise FacecapError("The character's shape keys have changed since the take was solved.", "Solve it again.")
    names = keys.rig.channels

    def once(some: tuple[str, ...]) -> tuple[str, ...]:
        found = {names[k] for c, k in zip(keys.names, keys.place, strict=True) if c in some}
        return tuple(c for c in names if c in found)

    return replace(
        take,
        channels=names,
        weights=keys.gather(take.weights),
        not_observed=once(take.not_observed),
        inferred=once(take.inferred),
    )
