"""The actor of a job: from her file, or from a take in which she performed."""

from __future__ import annotations

from pathlib import Path

from ...errors import FacecapError
from ...takes.actor import Actor, load_actor
from ...takes.npz import load_take


def read_actor(path: Path) -> Actor:
    """Read an actor. Raises FacecapError if the file is neither hers nor a take that knows her."""
    if path.suffix.lower() != ".npz":
        return load_actor(path)
    actor = load_take(path).actor
    if actor is None:
        raise FacecapError(f"{path.name} does not know its actor.", "Solve the clip again, or choose an actor file.")
    return actor
