"""How large an actor is against a character, region by region."""

from __future__ import annotations

from dataclasses import dataclass

SCALED_REGIONS = ("mouth", "lids", "brows", "jaw")
SCALE_LIMITS = (0.25, 4.0)
"""Smallest and largest size of an actor's motion against a character's; 1 is equal."""


@dataclass(frozen=True)
class RegionScale:
    """How large the actor is against the character in a region, 1 is 100 %.

    Attributes:
        found: as her proportions say.  used: in the fit.
        asked: whether somebody asked for what was used; if not, it depends on what counts (`FitSettings.match`).
    """

    found: float
    used: float
    asked: bool = False
