"""VRM animation (.vrma): glTF with VRMC_vrm_animation 1.0, which plays on any VRM model.

Expressions are nodes whose x says their weight. Those that VRM defines itself go under their names, all others as
custom ones: a model for Perfect Sync has ARKit's 52. The head's turn goes on the bone; the skeleton that the extension
asks for stands in a T-pose of usual proportions. Where eyes look is what ARKit's own eight expressions say; the
extension allows none of VRM's four for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from ...arrays import F64
from ...errors import FacecapError
from ...geometry.quaternions import FRONT, rotation_of
from ..take import Take
from .curves import Curves
from .gltf import Gltf, add_sampler, write_glb

PRESETS = (
    *("happy", "angry", "sad", "relaxed", "surprised", "aa", "ih", "ou", "ee", "oh", "blink", "blinkLeft"),
    *("blinkRight", "neutral"),
)
REFUSED = ("lookUp", "lookDown", "lookLeft", "lookRight")
# Metres from each bone's parent, of a person of 1.6 m who faces +Z in a T-pose.
_SKELETON: tuple[tuple[str, str, tuple[float, float, float]], ...] = (
    ("hips", "", (0.0, 0.9, 0.0)),
    ("spine", "hips", (0.0, 0.1, 0.0)),
    ("chest", "spine", (0.0, 0.12, 0.0)),
    ("neck", "chest", (0.0, 0.22, 0.0)),
    ("head", "neck", (0.0, 0.1, 0.0)),
    *(
        (f"{side}{bone}", f"{side}{parent}" if parent[0].isupper() else parent, (sign * x, y, z))
        for side, sign in (("left", 1.0), ("right", -1.0))
        for bone, parent, (x, y, z) in (
            ("UpperArm", "chest", (0.14, 0.17, 0.0)),
            ("LowerArm", "UpperArm", (0.25, 0.0, 0.0)),
            ("Hand", "LowerArm", (0.22, 0.0, 0.0)),
            ("UpperLeg", "hips", (0.09, -0.06, 0.0)),
            ("LowerLeg", "UpperLeg", (0.0, -0.4, 0.0)),
            ("Foot", "LowerLeg", (0.0, -0.38, 0.0)),
        )
    ),
)
# glTF's axes (x to the character's left, y up, z out of the face) from a camera's and from a head's.
_MODEL_FROM_HEAD = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def write_vrm_animation(path: Path, curves: Curves, take: Take, name: str) -> list[str]:
    """Write curves as expressions of a VRM animation.

    Args:
        take: that they are of: its head goes along.  name: of the animation.
    Returns:
        curves that the format cannot hold.
    Raises:
        FacecapError: no frame shows a face; the file cannot be written.
    """
    seen = curves.seen
    if not len(seen.time_s):
        raise FacecapError("The take holds no frame with a face.", "Solve again with other footage or another range.")
    nodes: list[dict[str, Any]] = []
    place: dict[str, int] = {}
    for bone, parent, shift in _SKELETON:
        place[bone] = len(nodes)
        nodes.append({"name": bone, "translation": list(shift)})
        if parent:
            nodes[place[parent]].setdefault("children", []).append(place[bone])
    gltf = Gltf({"asset": {"version": "2.0", "generator": "FaceCap"}, "scene": 0, "nodes": nodes})
    animation: dict[str, Any] = {"name": name}
    times = gltf.add_array(seen.time_s.astype(np.float32), limits=True)
    turns = head_turns(take)[curves.has_face]
    add_sampler(gltf, animation, times, gltf.add_array(turns), place["head"], "rotation")
    expressions: dict[str, dict[str, Any]] = {"preset": {}, "custom": {}}
    roots = [0]
    left_out = [curve for curve in seen.names if curve in REFUSED]
    for k, curve in enumerate(seen.names):
        if curve in left_out:
            continue
        roots.append(len(nodes))
        kind = "preset" if curve in PRESETS else "custom"
        expressions[kind][curve] = {"node": len(nodes)}
        moved = np.zeros((len(seen.time_s), 3), np.float32)
        moved[:, 0] = seen.values[:, k]
        add_sampler(gltf, animation, times, gltf.add_array(moved), len(nodes), "translation")
        nodes.append({"name": f"expression {curve}"})
    humanoid = {"humanBones": {bone: {"node": node} for bone, node in place.items()}}
    extension = {
        "specVersion": "1.0",
        "humanoid": humanoid,
        "expressions": {kind: given for kind, given in expressions.items() if given},
    }
    gltf.facts |= {
        "scenes": [{"nodes": roots}],
        "animations": [animation],
        "extensionsUsed": ["VRMC_vrm_animation"],
        "extensions": {"VRMC_vrm_animation": extension},
    }
    write_glb(path, gltf)
    return left_out


def head_turns(take: Take) -> F64:
    """(F, 4) unit quaternions x, y, z, w in glTF's axes of the head against one that faces the camera."""
    turned = FRONT.T @ rotation_of(take.head_rotation_wxyz).as_matrix()
    return Rotation.from_matrix(_MODEL_FROM_HEAD @ turned @ _MODEL_FROM_HEAD.T).as_quat()
