"""Morph targets of a GLB, animated as a take has them: every frame at its own time, whatever the frame rate.

Blender writes meshes, materials and bones; what it samples of shape keys, at whole frames and as its action strips
happen to lie, is replaced.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...arrays import F32, F64
from ...errors import FacecapError
from .curves import Curves
from .gltf import Gltf, add_sampler, target_names


def animate_morphs(gltf: Gltf, curves: Curves, name: str) -> list[str]:
    """Key a GLB's morph targets; targets that no curve moves keep what they had.

    Args:
        gltf: is changed.  curves: named as targets are.  name: of the animation, where the file has none.
    Returns:
        the curves that moved something.
    Raises:
        FacecapError: no morph target has the name of a curve, or no frame shows a face.
    """
    seen = curves.seen
    if not len(seen.time_s):
        raise FacecapError("The take holds no frame with a face.", "Solve again with other footage or another range.")
    meshes, nodes = gltf.facts.get("meshes", []), gltf.facts.get("nodes", [])
    column = {curve: k for k, curve in enumerate(seen.names)}
    moved: dict[str, None] = {}
    animations = gltf.facts.setdefault("animations", [])
    if not animations:
        animations.append({"name": name})
    animation = animations[0]
    times: int | None = None
    for node, facts in enumerate(nodes):
        names = target_names(meshes[facts["mesh"]]) if "mesh" in facts else []
        used = {target: column[key] for target, key in enumerate(names) if key in column}
        if not used:
            continue
        values = _present(gltf, animation, node, meshes[facts["mesh"]], len(names), seen.time_s)
        for target, k in used.items():
            values[:, target] = seen.values[:, k]
        _drop(animation, node)
        times = gltf.add_array(seen.time_s.astype(np.float32), limits=True) if times is None else times
        add_sampler(gltf, animation, times, gltf.add_array(values.reshape(-1)), node, "weights")
        moved |= dict.fromkeys(names[target] for target in used)
    if not moved:
        raise FacecapError(
            "No shape key of the character has the name of a channel of the take.",
            "Pick the character that was solved, or give a mapping.",
        )
    return list(moved)


def read_morphs(gltf: Gltf) -> dict[int, tuple[F32, F32]]:
    """Times (F,) s and weights (F, T) of every node whose morph targets the first animation moves."""
    found = {}
    for animation in gltf.facts.get("animations", [])[:1]:
        for channel in animation["channels"]:
            if channel["target"].get("path") == "weights":
                sampler = animation["samplers"][channel["sampler"]]
                times = gltf.array(sampler["input"])
                found[channel["target"]["node"]] = times, gltf.array(sampler["output"]).reshape(len(times), -1)
    return found


def _present(gltf: Gltf, animation: dict[str, Any], node: int, mesh: dict[str, Any], count: int, time_s: F64) -> F32:
    """(F, T) weights of a node's targets as the file has them now."""
    rest = np.tile(np.array(mesh.get("weights") or [0.0] * count, np.float32), (len(time_s), 1))
    if "channels" not in animation or node not in (present := read_morphs(gltf)):
        return rest
    times, values = present[node]
    if values.shape[1] != count:
        return rest
    return np.stack([np.interp(time_s, times, values[:, k]) for k in range(count)], axis=1).astype(np.float32)


def _drop(animation: dict[str, Any], node: int) -> None:
    """Take a node's weights out of an animation; other nodes' samplers stay where they are."""
    animation["channels"] = [
        channel
        for channel in animation.get("channels", [])
        if channel["target"].get("node") != node or channel["target"].get("path") != "weights"
    ]
