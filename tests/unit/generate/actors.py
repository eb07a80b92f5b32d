"""The face that expressions are authored on in tests."""

from __future__ import annotations

from functools import lru_cache

from facecap_addon.generate.authored.synthesis import Actor, make_actor
from tests.unit.sample import sample


@lru_cache(maxsize=1)
def actor() -> Actor:
    """The sample head's landmarks and keys."""
    found = sample()
    return make_actor(found.rig, found.embedding)
