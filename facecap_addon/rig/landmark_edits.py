"""Landmarks of a character that a person put in their place on its mesh, over those that were found."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32
from ..json_types import Decoded, Facts

FORMAT_VERSION = 1
_KIND, _MOST_LANDMARKS = "landmarks", 2000


def _none() -> NDArray[np.intp]:
    return np.zeros(0, np.intp)


@dataclass(frozen=True, eq=False)
class LandmarkEdits:
    """Places of some landmarks, by hand.

    Attributes:
        scheme: landmark layout.  landmark: (N,) int, ascending.
        triangle: (N,) int32 of the rig.  barycentric: (N, 3) float32.
        topology: of the triangles they were placed on, see `topology_key`.
    """

    scheme: str = ""
    landmark: NDArray[np.intp] = field(default_factory=_none)
    triangle: NDArray[np.int32] = field(default_factory=lambda: np.zeros(0, np.int32))
    barycentric: F32 = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    topology: str = ""

    def __post_init__(self) -> None:
        count = len(self.landmark)
        if self.triangle.shape != (count,) or self.barycentric.shape != (count, 3) or count > _MOST_LANDMARKS:
            raise ValueError("landmarks and their places do not fit together")
        if count and (self.landmark[0] < 0 or (np.diff(self.landmark) <= 0).any() or self.triangle.min() < 0):
            raise ValueError("landmarks are not in order")
        if not np.isfinite(self.barycentric).all() or np.abs(self.barycentric.sum(1) - 1).max(initial=0.0) > 1e-3:
            raise ValueError("places are in no triangle")

    def with_place(self, landmark: int, triangle: int, barycentric: NDArray[np.floating]) -> LandmarkEdits:
        """With one more landmark in its place, or an earlier one in another."""
        places = {int(i): (int(t), b) for i, t, b in zip(self.landmark, self.triangle, self.barycentric, strict=True)}
        places[landmark] = triangle, np.asarray(barycentric, np.float32)
        order = sorted(places)
        return replace(
            self,
            landmark=np.array(order, np.intp),
            triangle=np.array([places[i][0] for i in order], np.int32),
            barycentric=np.array([places[i][1] for i in order], np.float32).reshape(-1, 3),
        )

    def fits(self, scheme: str, landmarks: int, triangles: NDArray[np.integer]) -> bool:
        """Whether they are of a scheme of so many landmarks and of a mesh."""
        if not len(self.landmark):
            return False
        inside = self.landmark[-1] < landmarks and self.triangle.max() < len(triangles)
        return self.scheme == scheme and bool(inside) and self.topology == topology_key(triangles)


def topology_key(triangles: NDArray[np.integer]) -> str:
    """16 hexadecimal digits of which vertices make which triangles (T, 3): wherever they lie, it is the same mesh."""
    return hashlib.sha256(np.ascontiguousarray(triangles, np.int32).data).hexdigest()[:16]


def write_json(edits: LandmarkEdits) -> Facts:
    """Edits as a JSON object; `read_json` reads it."""
    places = zip(edits.landmark.tolist(), edits.triangle.tolist(), edits.barycentric.tolist(), strict=True)
    return {
        "facecap": _KIND,
        "version": FORMAT_VERSION,
        "scheme": edits.scheme,
        "topology": edits.topology,
        "places": [[i, t, *(round(share, 7) for share in b)] for i, t, b in places],
    }


def read_json(facts: object) -> LandmarkEdits:
    """The edits of a JSON object. Raises one of UNREADABLE."""
    if not isinstance(facts, dict):
        raise ValueError("it holds no landmarks")
    facts = cast(Decoded, facts)
    if facts.get("facecap") != _KIND or int(facts["version"]) > FORMAT_VERSION:
        raise ValueError("it holds no landmarks, or those of a newer FaceCap")
    places = facts["places"]
    return LandmarkEdits(
        str(facts["scheme"]),
        np.array([int(place[0]) for place in places], np.intp),
        np.array([int(place[1]) for place in places], np.int32),
        np.array([[float(share) for share in place[2:]] for place in places], np.float32).reshape(-1, 3),
        str(facts["topology"]),
    )


def arrays_of(edits: LandmarkEdits) -> Mapping[str, NDArray[np.generic]]:
    """Edits as arrays of a rig's file; `edits_in` reads them."""
    return {
        "edited_scheme": np.array([edits.scheme, edits.topology]),
        "edited_landmarks": edits.landmark,
        "edited_triangles": edits.triangle,
        "edited_barycentric": edits.barycentric,
    }


def edits_in(data: Mapping[str, NDArray[np.generic]]) -> LandmarkEdits | None:
    """The edits among a rig's arrays; None without any."""
    if "edited_landmarks" not in data:
        return None
    scheme, topology = (str(text) for text in data["edited_scheme"])
    return LandmarkEdits(
        scheme,
        data["edited_landmarks"].astype(np.intp),
        data["edited_triangles"].astype(np.int32),
        data["edited_barycentric"].astype(np.float32),
        topology,
    )
