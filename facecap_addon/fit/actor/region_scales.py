"""How large the actor moves against the character, region by region: a full smile of a small mouth is a full smile.

The keys of a region are taken to move landmarks as far as they move the actor's, whose mouth, lids, brows or jaw are
smaller or larger than the character's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...arrays import F64
from ...rig.channels import arkit_name, region_of
from ...takes.actor import Actor
from ...takes.region_scale import SCALED_REGIONS, RegionScale
from ..energies.landmark_terms import LID_GROUPS, LandmarkTerms
from ..least_squares.normal_equations import Geometry
from ..settings import FitSettings

AS_FOUND: dict[str, tuple[str, ...]] = {"look": (), "weights": ("mouth", "lids")}
"""Regions whose scale is used as it was found, by what counts (`FitSettings.match`); the others' is 100 %."""
_SCALE_OF_REGION = {"mouth": "mouth", "eyes": "lids", "brows": "brows", "jaw": "jaw"}


def choose_scales(
    settings: FitSettings, found: Mapping[str, float] | None, actor: Actor | None = None
) -> dict[str, RegionScale]:
    """The scale to use in each region: what is asked for, else what the actor file asks for, else what suits `match`.

    Args:
        found: sizes of the actor against the character; None where they are not known yet.
    """
    out: dict[str, RegionScale] = {}
    for region in SCALED_REGIONS:
        size = found[region] if found is not None else 1.0
        asked, before = getattr(settings, f"{region}_scale"), actor.scales.get(region) if actor is not None else None
        if asked is not None:
            out[region] = RegionScale(size, asked / 100, asked=True)
        elif before is not None and before.asked:
            out[region] = RegionScale(size, before.used, asked=True)
        else:
            out[region] = RegionScale(size, size if region in AS_FOUND[settings.match] else 1.0)
    return out


def scale_of_keys(
    channels: tuple[str, ...], geometry: Geometry, terms: LandmarkTerms, scales: Mapping[str, RegionScale]
) -> F64:
    """(K,) how large each key's motion is, by its region; 1 where the region has no scale.

    A key with an ARKit name belongs where its name says; `mouthClose` goes with the jaw whose opening it undoes, and
    where eyes look is no matter of how wide lids open. Other keys belong where they move most.

    Args:
        geometry: the keys' motion.  scales: by region, see `Actor`.
    """
    out = np.ones(len(channels))
    for k, channel in enumerate(channels):
        name = arkit_name(channel)
        if name is None:
            moved = {region: float((geometry.deltas[:, at, k] ** 2).sum()) for region, at in terms.regions.items()}
            region = max(moved, key=moved.__getitem__)
        elif name == "mouthClose":
            region = "jaw"
        else:
            region = "" if name.startswith("eyeLook") else region_of(name)
        scale = scales.get(_SCALE_OF_REGION.get(region, ""))
        out[k] = 1.0 if scale is None else scale.used
    return out


def scale_keys(geometry: Geometry, factors: F64, scales: Mapping[str, RegionScale]) -> Geometry:
    """The geometry with its first channels' motion scaled, and shut lids with the keys that shut them.

    Args:
        factors: (K,), of the keys; error modes, which come after them, stay.  scales: by region.
    """
    if (factors == 1).all():
        return geometry
    every = np.concatenate([factors, np.ones(geometry.channel_count - len(factors))]).astype(np.float32)
    k, m = np.triu_indices(geometry.channel_count)
    return replace(
        geometry,
        deltas=geometry.deltas * every,
        table=geometry.table * (every[k] * every[m])[:, None],
        shut=geometry.shut * np.float32(scales["lids"].used),
    )


def weigh_lids(terms: LandmarkTerms, scales: Mapping[str, RegionScale]) -> LandmarkTerms:
    """The terms with the gaps between lids weighed by the character's millimetres: shut is shut at any size."""
    lids = np.isin(terms.gap_group, LID_GROUPS)
    return replace(terms, gap_weight=np.where(lids, terms.gap_weight / scales["lids"].used ** 2, terms.gap_weight))
