"""Takes of a character whose keys exist twice, and of the same character with each key once."""

from __future__ import annotations

from dataclasses import replace

from ..errors import FacecapError
from ..rig.duplicate_keys import DistinctKeys
from .take import Take


def scatter_take(take: Take, keys: DistinctKeys) -> Take:
    """A take of a character's distinct keys on all of its keys."""
    names, not_observed = keys.rig.channels, set(take.not_observed)
    unseen = tuple(c for c, k in zip(keys.names, keys.place, strict=True) if names[k] in not_observed)
    return replace(take, channels=keys.names, weights=keys.scatter(take.weights), not_observed=unseen)


def gather_take(take: Take, keys: DistinctKeys) -> Take:
    """A take of all keys of a character on its distinct ones. Raises FacecapError if it is of other keys."""
    if take.channels != keys.names:
        raise FacecapError("The character's shape keys have changed since the take was solved.", "Solve it again.")
    names, not_observed = keys.rig.channels, set(take.not_observed)
    unseen = {names[k] for c, k in zip(keys.names, keys.place, strict=True) if c in not_observed}
    weights = keys.gather(take.weights)
    return replace(take, channels=names, weights=weights, not_observed=tuple(c for c in names if c in unseen))
