"""Keys of the jaw (a rotation about the condyles with smooth weights), closed lips on an open jaw, and the tongue."""

from __future__ import annotations

import numpy as np

from .assembly import Head
from .layout import MOUTH
from .mouth import BAG_RINGS, CORNER
from .mouth_keys import LAST, lip_vertices, lower_face, nearest_skin
from .proportions import JAW_AXIS, Array
from .tissue import Tissue

JAW_OPEN_DEGREES = 20.0  # 42 mm at the chin with the slide: a mouth opened wide, as on other heads
JAW_SLIDE = (0.0, 1.5, -2.2)  # mm; on the way the condyles glide forward and down
JAW_FORWARD, JAW_SIDE = 10.6, 8.7  # mm; protrusion and laterotrusion reach about 10
TONGUE_OUT = 34.0


def jaw_weights(head: Head, tissue: Tissue) -> Array:
    """(V,) how much of the jaw's motion each vertex makes: 1 at the chin, lower teeth and lower lip, 0 above."""
    p, count = head.vertices, tissue.count
    given: dict[int, Array] = {}
    corner = 0.42
    vertices, ring, spoke = lip_vertices(head, range(MOUTH.rings - 3))
    folded = np.minimum(spoke, 2 * LAST - spoke)
    lip = np.interp(folded, [0, 4, 8, CORNER, 14, 17, 20, LAST], [0.04, 0.08, 0.21, corner, 0.74, 0.95, 1.0, 1.0])
    throat = np.interp(ring, [0, BAG_RINGS], [0.6, 1.0])
    for v, w in zip(vertices, lip * throat, strict=False):
        given[int(v)] = np.array([w])
    for x, z, w in ((0, -98, 1.0), (0, -90, 1.0), (0, -106, 1.0), (12, -98, 1.0), (18, -90, 0.99), (22, -98, 0.98),
        (30, -90, 0.94),
                    (38, -84, 0.82), (34, -76, 0.80), (36, -60, 0.42), (44, -72, 0.62), (48, -60, 0.40),
                    (40, -44, 0.12),
                    (16, -46, 0.06), (24, -52, 0.13), (52, -50, 0.26)):  # fmt: skip
        v = nearest_skin(head, x, z)
        given[v] = np.array([w])
        given[int(head.mirror[v])] = np.array([w])
    under = [i for i, (zone, row, column) in enumerate(head.zone) if zone == "grid" and row == 8 and column <= 6]
    for v in under:
        given[v] = np.array([0.86])
    zone_ok = np.array([not z.startswith(("ear", "eye", "cap")) for z, _, _ in head.zone]) & head.of("skin")
    region = zone_ok & (p[:, 1] > -14) & (p[:, 2] < -14) & (p[:, 2] > -158)
    field = tissue.field(given, region[:count])[:, 0]
    weights = np.zeros(len(p))
    weights[:count] = np.clip(0.5 * (field + field[head.mirror[:count]]), 0.0, 1.0)
    weights[head.of("lower_teeth")] = 1.0
    tongue = head.of("tongue")
    # Its back stays up, held by the hyoid: seen through the open mouth it is a mound.
    weights[tongue] = np.interp(p[tongue, 1], [40.0, 62.0, 84.0], [0.45, 0.74, 1.0])
    return weights


def turn_jaw(points: Array, degrees: float) -> Array:
    """Displacement of points under a rotation about the condyles; positive opens."""
    a = np.radians(degrees)
    local = points - JAW_AXIS
    d = local[:, 1] * np.cos(a) + local[:, 2] * np.sin(a)
    z = -local[:, 1] * np.sin(a) + local[:, 2] * np.cos(a)
    return np.c_[np.zeros(len(points)), d - local[:, 1], z - local[:, 2]]


def jaw_keys(head: Head, tissue: Tissue, w: Array) -> dict[str, Array]:
    """jawOpen, jawForward, jawLeft, mouthClose, tongueOut: (V, 3) mm, from the weights w of `jaw_weights`."""
    p = head.vertices
    keys = {"jawOpen": w[:, None] * (turn_jaw(p, JAW_OPEN_DEGREES) + JAW_SLIDE)}
    # The corners are drawn in a little as the cheeks get longer.
    narrow = np.exp(-(((w - 0.45) / 0.22) ** 2)) * (head.of("skin")) * np.clip((p[:, 1] - 55) / 25, 0, 1)
    narrow *= np.clip(1 - ((p[:, 2] + 70) / 34) ** 2, 0, 1)
    keys["jawOpen"][:, 0] -= 2.5 * narrow * np.tanh(p[:, 0] / 12)
    # The upper lip, drawn down with the jaw, gives way a little.
    slack = np.clip(1 - w / 0.3, 0, 1) ** 2 * np.clip((p[:, 1] - 80) / 10, 0, 1) * head.of("skin")
    slack *= np.clip(1 - ((p[:, 2] + 64) / 15) ** 2, 0, 1) ** 2 * np.clip(1 - (p[:, 0] / 26) ** 2, 0, 1)
    keys["jawOpen"][:, 2] += 0.3 * slack
    keys["jawForward"] = w[:, None] * np.array([0.0, JAW_FORWARD, -1.0])
    # To the left the jaw turns about the left condyle, which stays back.
    # It drops a little on the way: the curved seams of the lips would not slide past each other.
    keys["jawLeft"] = w[:, None] * np.array([JAW_SIDE, 0.0, -1.0])
    keys["jawLeft"][:, 1] -= w * 0.03 * p[:, 0]
    keys["mouthClose"] = _mouth_close(head, tissue, keys["jawOpen"])
    keys["tongueOut"] = _tongue_out(head, tissue)
    return keys


def _meeting(up: Array, down: Array, spoke: int) -> Array:
    """Where lips meet that the jaw took to `up` and `down`: the lower one comes, corners go back to where they were."""
    return (0.92 * up + 0.08 * down) * (1.0 - 0.7 * (spoke / CORNER) ** 2)


def _mouth_close(head: Head, tissue: Tissue, opened: Array) -> Array:
    """Brings both lips together where jawOpen left them apart: the seam of jawOpen + mouthClose is closed again."""
    count = tissue.count
    given: dict[int, Array] = {}
    share = {4: 0.8, 5: 1.0, 6: 1.0, 7: 1.0, 8: 0.97, 9: 0.93, 10: 0.87, 11: 0.82}
    bag = {0: 0.0, 1: 0.1, 2: 0.3, 3: 0.6}
    for ring in range(12):
        loop = head.half.ring(MOUTH, ring)
        for s in range(CORNER + 1):
            upper, lower = int(loop[s]), int(loop[LAST - s])
            seam = head.half.ring(MOUTH, 6)
            up, down = opened[seam[s]], opened[seam[LAST - s]]
            meeting = _meeting(up, down, s)
            amount = share.get(ring, bag.get(ring, 0.0))
            # Full loops move rigidly with the seam's correction, so contact is restored exactly.
            for vertex, move in ((upper, meeting - up), (lower, meeting - down)):
                value = move * amount
                given[vertex] = value
                given[int(head.mirror[vertex])] = value * (-1, 1, 1)
    region = lower_face(head)[:count]
    for x, z, move in ((0, -102, (0.0, 2.6, 7.0)), (0, -93, (0.0, 3.4, 12.0)), (14, -94, (0.0, 3.4, 11.0)),
                       (28, -86, (0.0, 3.4, 10.0)), (38, -74, (0.0, 3.6, 9.0))):  # fmt: skip
        vertex = nearest_skin(head, x, z)
        given[vertex] = np.array(move)
        given[int(head.mirror[vertex])] = given[vertex]
    # Contact loops must undo jawOpen vertex by vertex, also where its weights differ from the seam's.
    for ring in (5, 6):
        loop = head.half.ring(MOUTH, ring)
        for s in range(CORNER + 1):
            upper, lower = int(loop[s]), int(loop[LAST - s])
            meeting = _meeting(opened[upper], opened[lower], s)
            for vertex in (upper, lower):
                given[vertex] = meeting - opened[vertex]
                given[int(head.mirror[vertex])] = given[vertex] * (-1, 1, 1)
    field = tissue.field(given, region)
    field = 0.5 * (field + field[head.mirror[:count]] * (-1, 1, 1))
    delta = np.zeros_like(head.vertices)
    delta[:count] = field
    return delta


def _tongue_out(head: Head, tissue: Tissue) -> Array:
    """The tongue flattens, rises over the lower teeth and slides out between lips that part around it."""
    p = head.vertices
    delta = np.zeros_like(p)
    mask = head.of("tongue")
    local = p[mask]
    s = np.clip((local[:, 1] - 40.0) / 49.0, 0, 1)
    forward = TONGUE_OUT * s**1.15
    centre = -74.5 - 3.0 * (1 - s) + 1.6 * np.sin(np.pi * s)
    rise = np.interp(s, [0.0, 0.35, 0.62, 0.82, 1.0], [0.0, 3.6, 6.2, 5.4, 1.0])
    flat = -0.45 * np.interp(s, [0.1, 0.6], [0.0, 1.0]) * (local[:, 2] - centre)
    narrow = -0.12 * local[:, 0] * np.interp(s, [0.3, 0.9], [0, 1])
    delta[mask] = np.c_[narrow, forward, rise + flat]
    from .mouth_keys import bag_targets, lip_targets

    table = ((0, 1.2, 1.6), (0.2, 0.8, 1.1), (-0.6, 0.4, -0.6), (0, 1.0, -3.8), (0, 1.8, -5.6))
    vertices, values = lip_targets(head, "tongueOut", table, 2)
    given = bag_targets(head, dict(zip(vertices.tolist(), values, strict=False)))
    given[nearest_skin(head, 0, -99)] = np.array([0.0, -0.4, -2.0])
    count = tissue.count
    field = tissue.field(given, lower_face(head, top=-30.0)[:count])
    delta[:count] = 0.5 * (field + field[head.mirror[:count]] * (-1, 1, 1))
    return delta
