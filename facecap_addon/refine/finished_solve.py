"""What a refinement starts from."""

from __future__ import annotations

from dataclasses import dataclass

from ..landmarks.observations import Observations
from ..rig.blendshapes import BlendshapeRig
from ..rig.embedding import LandmarkEmbedding
from ..takes.take import Take


@dataclass(frozen=True)
class FinishedSolve:
    """A solved take with what it was solved from.

    Attributes:
        take: of F frames.  observations: of the take's camera, in the same frames.
        rig, embedding: the character, each key once (see `find_distinct_keys`), and where its landmarks lie.
    """

    take: Take
    observations: Observations
    rig: BlendshapeRig
    embedding: LandmarkEmbedding
