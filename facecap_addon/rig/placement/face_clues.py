"""What a character's shape keys say about where its face is, before anybody looks at it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...arrays import F64
from ...geometry.quaternions import FRONT
from ..blendshapes import BlendshapeRig
from ..channels import arkit_name

# Keys that move one eye's lids, and keys that move the mouth and little else, the most telling first.
_EYES = ("eyeBlinkRight", "eyeBlinkLeft")
_MOUTH = (("mouthFunnel",), ("mouthPucker",), ("mouthSmileRight", "mouthSmileLeft"), ("mouthClose",), ("jawOpen",))
# A key belongs to a face if the middle of its motion is this near to the face's (m, life size).
_NEAR_M = 0.085
# Of keys with ARKit's names at least half are the face's; of others any may be the body's.
_SHARE_OF_NAMED, _SHARE_OF_OTHERS = 0.5, 0.1
# Lids that blink are this near to an eye (m, life size).
_EYE_M = 0.03
_ELSEWHERE = 0.1


@dataclass(frozen=True)
class FaceClues:
    """Where the keys move a mesh.

    Attributes:
        moving: (N, 3) float32 m, rig space, what the facial keys move most; empty without keys.
        centres: (K, 3) float64 m, the middle of each facial key's motion.
        named: whether those keys have ARKit's names; else they are all the keys there are.
        eyes: (2, 3) float64 m, middles of the right and the left eye as its blink tells, or None.
        rotation: (3, 3) float64, axes (right, down, forward) of a camera that looks at the face, or None.
    """

    moving: NDArray[np.float32]
    centres: F64
    named: bool
    eyes: F64 | None
    rotation: F64 | None

    def agreement(self, anchors: F64, scale: float) -> float:
        """1 if a face (13, 3) of some size lies where the keys move the mesh, or there are none; near 0 if not.

        Args:
            anchors: as in `mean_face.anchors`.  scale: in life sizes.
        """
        if not len(self.centres):
            return 1.0
        apart = np.linalg.norm(self.centres - anchors.mean(axis=0), axis=1)
        least = _SHARE_OF_NAMED if self.named else _SHARE_OF_OTHERS
        out = float(np.clip((apart < _NEAR_M * scale).mean() / least, 0.0, 1.0))
        if self.eyes is not None:
            ours = np.array([anchors[:2].mean(axis=0), anchors[2:4].mean(axis=0)])
            # Some call the sides as the viewer sees them.
            off = min(np.linalg.norm(self.eyes[order] - ours, axis=1).max() for order in ([0, 1], [1, 0]))
            out *= 1.0 if off < _EYE_M * scale else _ELSEWHERE
        return out


def read_clues(rig: BlendshapeRig) -> FaceClues:
    """What the keys of a rig say about its face."""
    by_name = {arkit_name(channel): k for k, channel in enumerate(rig.channels)}
    named = [k for name, k in by_name.items() if name is not None]
    moved = np.zeros(rig.vertex_count, bool)
    centre: dict[int, F64] = {}
    for k in named or range(len(rig.channels)):
        reach = np.einsum("vd,vd->v", rig.deltas[k], rig.deltas[k]).astype(np.float64)
        if reach.max(initial=0.0) > 0:
            moved |= reach > 0.09 * reach.max()
            centre[k] = reach @ rig.neutral.astype(np.float64) / reach.sum()

    def middle(names: tuple[str, ...]) -> F64 | None:
        known = [centre[by_name[name]] for name in names if by_name.get(name, -1) in centre]
        return np.mean(known, axis=0) if len(known) == len(names) else None

    eyes = [middle((name,)) for name in _EYES]
    right, left = eyes
    mouth = next((at for names in _MOUTH if (at := middle(names)) is not None), None)
    pair = None if right is None or left is None else np.stack([right, left])
    rotation = None if pair is None or mouth is None else _find_facing(pair, mouth)
    return FaceClues(rig.neutral[moved], np.array(list(centre.values())).reshape(-1, 3), bool(named), pair, rotation)


def _find_facing(eyes: F64, mouth: F64) -> F64 | None:
    """(3, 3) as in `FaceClues.rotation`, from middles of the right and the left eye (2, 3) and of the mouth (3,)."""
    left = eyes[1] - eyes[0]
    width = float(np.linalg.norm(left))
    up = eyes.mean(axis=0) - mouth
    up = up - (up @ left) * left / max(width, 1e-12) ** 2
    height = float(np.linalg.norm(up))
    if height < 0.3 * width or width < 0.1 * height:
        return None  # they are no eyes and no mouth
    left, up = left / width, up / height
    return np.asarray(FRONT @ np.stack([left, np.cross(up, left), up]), np.float64)
