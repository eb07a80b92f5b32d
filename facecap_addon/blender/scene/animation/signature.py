"""What an action says of the take whose keys it holds."""

from __future__ import annotations

import json

import bpy
import numpy as np

from ....takes.take import Take
from ....takes.versions import ID


def take_name(take: Take) -> str:
    """A name for the take's action: that of its footage."""
    source = take.provenance.get("source") or take.provenance.get("video")
    stem = bpy.path.display_name_from_filepath(str(source)) if source else ""
    return stem or "FaceCap"


def identity_of(take: Take) -> str:
    """A take's id, by which its action is found again; "" of one that has none."""
    return str(take.provenance.get(ID) or "")


def sign(action: bpy.types.Action, take: Take) -> None:
    """Write beside the keys where they came from and how sure they are."""
    action["facecap_provenance"] = json.dumps(take.provenance, default=str)
    action["facecap_time_s"] = np.asarray(take.time_s, np.float64).tolist()
    action["facecap_status"] = np.asarray(take.status, np.int32).tolist()
    action["facecap_regions"] = json.dumps(list(take.regions))
    action["facecap_confidence"] = np.asarray(take.confidence, np.float64).ravel().tolist()
    action["facecap_not_observed"] = json.dumps(list(take.not_observed))
