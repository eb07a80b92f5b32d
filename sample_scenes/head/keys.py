"""The 52 ARKit shape keys, in Apple's order and meaning; Left is the character's left (+X)."""

from __future__ import annotations

import numpy as np

from .assembly import Head
from .brow_keys import CHEEK_SQUINT, NOSE_SNEER_BROW, NOSE_SNEER_CHEEK, SMILING_CHEEK, brow_keys, bumps, cheek_puff
from .eye_keys import eye_keys, lid_field
from .eyes import SPOKES, spoke_parameter
from .jaw_keys import jaw_keys
from .mouth_keys import bag_targets, lip_targets, lower_face, mouth_keys
from .proportions import Array
from .tissue import Tissue

_PAIRS_EYE = ("eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp", "eyeSquint", "eyeWide")
ARKIT_KEYS: tuple[str, ...] = (
    *(f"{stem}Left" for stem in _PAIRS_EYE), *(f"{stem}Right" for stem in _PAIRS_EYE),
    "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel", "mouthPucker", "mouthLeft",
    "mouthRight",
    "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft",
    "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip


def skin_tissue(head: Head) -> Tissue:
    """How the head's skin follows what is moved."""
    count = int(head.of("skin").sum())
    return Tissue(head.vertices[:count], np.array(head.faces[: 2 * len(head.half.faces)]))


def build_deltas(head: Head, tissue: Tissue, jaw: Array) -> dict[str, Array]:
    """Every key's displacement at weight 1: name to (V, 3) mm, in ARKit's order.

    `tissue` is `skin_tissue(head)`; `jaw` (V,) is `jaw_weights` of both.
    """
    made = {**eye_keys(head), **jaw_keys(head, tissue, jaw), **mouth_keys(head, tissue), **brow_keys(head)}
    t = spoke_parameter()
    assert len(t) == SPOKES + 1
    made["noseSneer"] = (
        made["noseSneer"]
        + lid_field(head, 0 * t, 1.0 * np.sin(np.pi * t))
        + bumps(head, NOSE_SNEER_BROW + NOSE_SNEER_CHEEK)
    )
    made["cheekSquint"] = (
        made["cheekSquint"] + lid_field(head, 0 * t, 2.0 * np.sin(np.pi * t)) + bumps(head, CHEEK_SQUINT)
    )
    made["mouthSmile"] = (
        made["mouthSmile"] + lid_field(head, 0 * t, 1.5 * np.sin(np.pi * t)) + bumps(head, SMILING_CHEEK)
    )
    made["cheekPuff"] = _puffed(head, tissue)
    follow = _hair_follows(head)
    result: dict[str, Array] = {}
    for name in ARKIT_KEYS:
        if name in made:
            result[name] = follow(made[name], name)
            continue
        stem, side = (name[:-4], "Left") if name.endswith("Left") else (name[:-5], "Right")
        source = made.get(stem)
        left = follow(source if source is not None else made[stem + "Left"], name)
        result[name] = left if side == "Left" else left[head.mirror] * (-1.0, 1.0, 1.0)
    return result


def _puffed(head: Head, tissue: Tissue) -> Array:
    left = cheek_puff(head)
    both = left + left[head.mirror] * (-1, 1, 1)
    region = lower_face(head)[: tissue.count]
    moved = np.flatnonzero(np.linalg.norm(both[: tissue.count], axis=1) > 4.0)
    # The lips stay shut against the pressure: they are pushed forward and the corners drawn in.
    lips = ((0, 8.0, 0.4), (-1.4, 9.2, 0.4), (-2.8, 13.6, 1.2), (-1.4, 9.6, 0.0), (0, 8.8, -0.2))
    vertices, values = lip_targets(head, "cheekPuff", lips, 2)
    given = {int(v): both[v] for v in moved}
    given.update(bag_targets(head, dict(zip(vertices.tolist(), values, strict=False))))
    field = tissue.field(given, region)
    field = 0.5 * (field + field[head.mirror[: tissue.count]] * (-1, 1, 1))
    delta = np.zeros_like(both)
    delta[: tissue.count] = field
    return delta


def _hair_follows(head: Head):  # type: ignore[no-untyped-def]
    """Returns a function that moves brows and lashes with the skin at their roots."""
    start = int(np.argmax(head.of("hair")))
    total = sum(len(s.points) for s in head.hair)

    def follow(delta: Array, name: str) -> Array:
        delta = delta.copy()
        for side in (0, 1):
            base = start + side * total
            for strand in head.hair:
                anchors = strand.anchors if side == 0 else head.mirror[strand.anchors]
                move = strand.weights @ delta[anchors]
                n = len(strand.points)
                delta[base : base + n] = move
                if strand.kind == "upper lash":
                    # A lash stands on the lid's margin and turns with it.
                    delta[base : base + n] += strand.along[:, None] * np.array([0.0, -0.10, 0.55]) * move[2]
                base += n
        return delta

    return follow
