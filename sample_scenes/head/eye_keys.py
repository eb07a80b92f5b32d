"""Keys of the left eye: lids slide along the eyeball, the eyeball turns about its centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .assembly import Head
from .eyes import LOOPS, SPOKES, closed_line, eye_rings, fissure, lid_depth, spoke_parameter
from .layout import EYE
from .proportions import EYE_CENTRE, EYEBALL_RADIUS, Array

# How much of the margin's travel each loop makes, from under the lid to the block's border.
UPPER_SHARE = (1.0, 1.0, 1.0, 0.95, 0.84, 0.66, 0.40, 0.18, 0.06, 0.01, 0.0)
LOWER_SHARE = (1.0, 1.0, 1.0, 0.90, 0.72, 0.50, 0.28, 0.12, 0.04, 0.0, 0.0)
OVERLAP = (0.0, 0.0, 0.3, 0.8, 0.7)  # mm per loop: the closed upper lid lies before a lower one that is raised as well
CLOSED_CLEARANCE = 1.25  # of the closed lids' inner edge: half way down the straight path still clears the eyeball
GAZE_DEGREES = {"Up": 25.0, "Down": 28.0, "In": 30.0, "Out": 28.0}


def lid_field(head: Head, upper_rise: Array, lower_rise: Array, sideways: float = 0.0, lift: float = 0.0) -> Array:
    """(V, 3) displacement when the margins rise by the given mm at the spokes 0..16, along the eyeball.

    `sideways` shifts the lids with the cornea under them; `lift` is added to the margin's clearance.
    """
    delta = np.zeros_like(head.vertices)
    rise = np.r_[upper_rise, lower_rise[-2:0:-1]]
    is_upper = np.r_[np.ones(SPOKES + 1), np.zeros(SPOKES - 1)]
    t = spoke_parameter()
    belly = np.r_[np.sin(np.pi * t), np.sin(np.pi * t)[-2:0:-1]]
    for ring in range(EYE.rings - 1):
        vertices = head.half.ring(EYE, ring)
        p = head.vertices[vertices]
        share = np.where(is_upper > 0, UPPER_SHARE[ring], LOWER_SHARE[ring])
        radius = LOOPS[min(ring, len(LOOPS) - 1)][2]
        x = p[:, 0] + sideways * share * belly
        z = p[:, 2] + rise * share
        moved = lid_depth(x, z, radius) - lid_depth(p[:, 0], p[:, 2], radius)
        on_ball = 1.0 if ring <= 4 else (0.8, 0.5, 0.25, 0.1, 0.0)[ring - 5]
        d = moved * on_ball + lift * belly * share * (1.0 if ring <= 4 else on_ball)
        delta[vertices] = np.c_[x - p[:, 0], d, z - p[:, 2]]
    return delta


def turn_eyeball(head: Head, pitch_degrees: float, yaw_degrees: float) -> Array:
    """(V, 3) displacement of the left eyeball; pitch raises the gaze, yaw turns it to the character's left (+x)."""
    delta = np.zeros_like(head.vertices)
    mask = head.of("eyeball_left")
    a, b = np.radians(pitch_degrees), np.radians(yaw_degrees)
    pitch = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    yaw = np.array([[np.cos(b), np.sin(b), 0], [-np.sin(b), np.cos(b), 0], [0, 0, 1]])
    local = head.vertices[mask] - EYE_CENTRE
    delta[mask] = local @ (yaw @ pitch).T - local
    return delta


def _margins() -> tuple[Array, Array, Array, Array]:
    t = spoke_parameter()
    x, upper, lower = fissure(t)
    line = closed_line(t)
    return t, upper - line, lower - line, x


def blink(head: Head) -> Array:
    """Both margins go to the closing line: upper lid 84 % of the way, as in reflex blinks the lower hardly moves."""
    t, above, below, _ = _margins()
    extra = CLOSED_CLEARANCE - (LOOPS[1][2] - EYEBALL_RADIUS)
    delta = lid_field(head, -above, -below, lift=extra)
    ring = head.half.ring(EYE, 1)
    # The inner edges meet exactly; the outer edges touch just in front of them.
    for number, gap in ((1, 0.06), (2, 0.10)):
        ring = head.half.ring(EYE, number)
        radius = EYEBALL_RADIUS + CLOSED_CLEARANCE + (0.0 if number == 1 else LOOPS[2][2] - LOOPS[1][2])
        x, _, _ = fissure(t)
        z = closed_line(t)
        for s in range(1, SPOKES):
            for vertex, sign in ((ring[s], 1.0), (ring[2 * SPOKES - s], -1.0)):
                depth = float(lid_depth(x[s : s + 1], z[s : s + 1], radius)[0]) + (sign > 0) * OVERLAP[number]
                delta[vertex] = np.array([x[s], depth, z[s] + sign * gap]) - head.vertices[vertex]
    for number in (3, 4):
        upper = head.half.ring(EYE, number)[1:SPOKES]
        delta[upper, 1] += OVERLAP[number] * np.sin(np.pi * t[1:-1])
    return delta


def _profile(peak: float, skew: float = 0.0) -> Array:
    t = spoke_parameter()
    return peak * np.sin(np.pi * t ** (1.0 + skew)) ** 0.8


def eye_keys(head: Head) -> dict[str, Array]:
    """Left-eye keys by their ARKit stem ("eyeBlink", ...): (V, 3) mm."""
    keys = {"eyeBlink": blink(head)}
    _, above, _, _ = _margins()
    keys["eyeLookDown"] = lid_field(head, -0.70 * above, _profile(-2.0)) + turn_eyeball(head, -GAZE_DEGREES["Down"], 0)
    keys["eyeLookUp"] = lid_field(head, _profile(3.4), _profile(1.4)) + turn_eyeball(head, GAZE_DEGREES["Up"], 0)
    none = _profile(0.0)
    keys["eyeLookIn"] = lid_field(head, none, none, -2.6) + turn_eyeball(head, 0, -GAZE_DEGREES["In"])
    keys["eyeLookOut"] = lid_field(head, none, none, 2.6) + turn_eyeball(head, 0, GAZE_DEGREES["Out"])
    keys["eyeWide"] = lid_field(head, _profile(3.6), _profile(-0.4))
    keys["eyeSquint"] = lid_field(head, _profile(-0.6), _profile(3.2)) + _squint_cheek(head)
    return keys


def _squint_cheek(head: Head) -> Array:
    p = head.vertices
    skin = eye_skin_share(head)
    r2 = ((p[:, 0] - 37) / 31) ** 2 + ((p[:, 2] + 16) / 19) ** 2
    bump = np.where((r2 < 1) & (p[:, 1] > 40), (1 - np.minimum(r2, 1)) ** 3, 0) * skin
    return bump[:, None] * np.array([-2.2, 1.0, 3.3])


def eye_skin_share(head: Head) -> Array:
    """(V,) 1 on skin away from the lids, fading to 0 over the loops next to them; 0 on other parts and inner loops."""
    share = head.of("skin").astype(float)
    fade = (0.0, 0.0, 0.0, 0.0, 0.05, 0.18, 0.42, 0.68, 0.88, 0.97, 1.0)
    for vertex, (zone, ring, _) in enumerate(head.zone):
        if zone == "eye":
            share[vertex] = fade[ring]
        elif zone.startswith(("mouth", "nostril")) and (zone.endswith("fill") or ring <= 1):
            share[vertex] *= 0.0 if zone.startswith("mouth") else 1.0
    return share


def rest_loops() -> NDArray[np.float64]:
    """The explicit loops at rest, for tests."""
    return np.array(eye_rings())
