"""What an action says of the take whose keys it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping

import bpy
import numpy as np

from ....takes.merge import MERGED_INTO
from ....takes.take import Take
from ....takes.versions import ID

_PROVENANCE = "facecap_provenance"


def take_name(take: Take) -> str:
    """A name for the take's action: that of its footage."""
    source = take.provenance.get("source") or take.provenance.get("video")
    stem = bpy.path.display_name_from_filepath(str(source)) if source else ""
    return stem or "FaceCap"


def identity_of(take: Take) -> str:
    """A take's id, by which its action is found again; "" of one that has none."""
    return str(take.provenance.get(ID) or "")


def family_of(provenance: Mapping[str, object]) -> set[str]:
    """Ids of a take and of what it was made from: takes that share one are versions of one."""
    ids = [provenance.get(ID), provenance.get(MERGED_INTO)]
    for made in ("filtered", "refined", "edited"):
        facts = provenance.get(made)
        ids += [facts.get("id")] if isinstance(facts, dict) else []
    return {str(one) for one in ids if one}


def versions_of(take: Take) -> set[str]:
    """Ids of a take, of what it was made from, and of the takes with actions in the file that were made from those."""
    family = family_of(take.provenance)
    found = set(family)
    for action in bpy.data.actions:
        signed = action.get(_PROVENANCE)
        theirs = family_of(json.loads(signed)) if isinstance(signed, str) else set[str]()
        found |= theirs if theirs & family else set()
    return found


def sign(action: bpy.types.Action, take: Take) -> None:
    """Write beside the keys where they came from and how sure they are."""
    action[_PROVENANCE] = json.dumps(take.provenance, default=str)
    action["facecap_time_s"] = np.asarray(take.time_s, np.float64).tolist()
    action["facecap_status"] = np.asarray(take.status, np.int32).tolist()
    action["facecap_regions"] = json.dumps(list(take.regions))
    action["facecap_confidence"] = np.asarray(take.confidence, np.float64).ravel().tolist()
    action["facecap_not_observed"] = json.dumps(list(take.not_observed))
