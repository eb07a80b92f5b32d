"""Vertex colours (linear) of skin, lips, brows, eyes, teeth and mouth."""

from __future__ import annotations

import numpy as np

from .assembly import PARTS, Head
from .hair import brow_line
from .layout import EYE
from .mouth import BORDER_RING, CORNER, SEAM_RING
from .proportions import EYEBALL_RADIUS, IRIS_RADIUS, Array

SKIN = np.array([0.56, 0.335, 0.245])
BLUSH = np.array([0.56, 0.24, 0.175])
LIPS = np.array([0.46, 0.195, 0.155])
MOUTH = np.array([0.16, 0.035, 0.03])
GUM = np.array([0.42, 0.13, 0.12])
ENAMEL = np.array([0.78, 0.72, 0.60])
TONGUE = np.array([0.42, 0.14, 0.13])
SCLERA = np.array([0.80, 0.77, 0.73])
IRIS_RIM, IRIS = np.array([0.030, 0.022, 0.016]), np.array([0.115, 0.062, 0.030])
PUPIL = np.array([0.004, 0.004, 0.004])
HAIR = np.array([0.056, 0.034, 0.021])
LID_EDGE = np.array([0.36, 0.16, 0.13])


def _bump(p: Array, centre: tuple[float, float], radii: tuple[float, float]) -> Array:
    r2 = ((np.abs(p[:, 0]) - centre[0]) / radii[0]) ** 2 + ((p[:, 2] - centre[1]) / radii[1]) ** 2
    return np.where(r2 < 1, (1 - r2) ** 2, 0.0)


def _mix(a: Array, b: Array, share: Array) -> Array:
    return a + (b - a) * share[:, None]


def colours(head: Head) -> Array:
    """(V, 3) linear colour, 0 to 1."""
    p = head.vertices
    result = np.tile(SKIN, (len(p), 1))
    front = np.clip((p[:, 1] - 40) / 30, 0, 1)
    blush = (
        0.55 * _bump(p, (41, -30), (26, 24)) + 0.6 * _bump(p, (0, -38), (19, 16)) + 0.25 * _bump(p, (0, -98), (22, 18))
    )
    result = _mix(result, np.tile(BLUSH, (len(p), 1)), np.clip(blush * front, 0, 1))
    shade = 0.16 * _bump(p, (30, -13), (18, 9)) * front + 0.14 * _bump(p, (30, 9), (19, 7)) * front
    result *= 1 - shade[:, None]
    wave = np.sin(0.19 * np.abs(p[:, 0]) + 0.13 * p[:, 1]) * np.sin(0.17 * p[:, 2] + 0.08 * p[:, 1])
    result *= 1 + 0.025 * wave[:, None]
    # A face is not of one colour: the forehead is yellower, the jaw cooler, and all of it finely mottled.
    zones = np.interp(p[:, 2], [-110, -70, -40, 10, 50], [-1.0, -0.6, 0.3, 0.2, 1.0]) * front
    result *= 1 + zones[:, None] * np.array([0.0, 0.012, -0.012])
    mottle = np.sin(1.7 * p[:, 0] + 0.9 * p[:, 2]) * np.sin(0.8 * p[:, 0] - 1.3 * p[:, 2] + 0.7 * p[:, 1])
    result *= 1 + mottle[:, None] * np.array([0.012, 0.022, 0.024])
    under_brow = _brow_share(p) * front
    result = _mix(result, np.tile(HAIR, (len(p), 1)), 0.55 * under_brow)
    for vertex, (zone, ring, spoke) in enumerate(head.zone):
        if zone == "mouth":
            if SEAM_RING <= ring <= BORDER_RING:
                dry = (ring - SEAM_RING) / (BORDER_RING - SEAM_RING)
                folded = abs(spoke - CORNER) / CORNER  # 0 at the corner: there and at its border the red runs out
                red = np.interp(dry, [0.0, 0.72, 1.0], [1.0, 0.92, 0.42]) * np.interp(folded, [0, 0.25], [0.55, 1.0])
                result[vertex] += (LIPS * (0.70 + 0.30 * min(1.0, dry * 3)) - result[vertex]) * red
            elif ring < SEAM_RING:
                result[vertex] = LIPS * (0.25, 0.25, 0.32, 0.48, 0.60, 0.66)[ring]
        elif zone == "mouth fill":
            result[vertex] = MOUTH * 0.25
        elif zone == "eye" and ring <= 2:
            upper = 0 < spoke < len(EYE.border()) // 2
            result[vertex] = (LID_EDGE, LID_EDGE, HAIR * 1.6 if upper else LID_EDGE * 0.55)[ring]
        elif zone.startswith("nostril") and (ring <= 1 or zone.endswith("fill")):
            result[vertex] = MOUTH * 0.35 if ring == 0 or zone.endswith("fill") else MOUTH * 1.2
        elif zone.startswith("ear"):
            result[vertex] = SKIN * (0.55 if zone.endswith("fill") or ring == 0 else 0.9) * (1.0, 0.88, 0.85)
    _eyes(head, result)
    for part, base in (("upper_teeth", GUM), ("lower_teeth", GUM)):
        mask = head.of(part)
        result[mask] = _mix(
            np.tile(base, (int(mask.sum()), 1)), np.tile(ENAMEL, (int(mask.sum()), 1)), head.detail[mask]
        )
        back = np.clip((95 - p[mask, 1]) / 45, 0, 1)
        result[mask] *= (1 - 0.6 * back)[:, None]
    tongue = head.of("tongue")
    result[tongue] = TONGUE * (1.2 - 0.45 * np.clip((86 - p[tongue, 1]) / 45, 0, 1))[:, None]
    result[head.part == PARTS.index("hair")] = HAIR
    return np.clip(result, 0.0, 1.0)


def roughness(head: Head) -> Array:
    """(V,) 0 mirror to 1 matt."""
    result = np.full(len(head.vertices), 0.5)
    for vertex, (zone, ring, _) in enumerate(head.zone):
        if zone == "mouth" and ring <= BORDER_RING:
            result[vertex] = 0.36 if ring >= SEAM_RING else 0.3
        elif zone == "eye" and ring <= 2:
            result[vertex] = 0.35
    for parts, value in ((("eyeball_left", "eyeball_right"), 0.04), (("upper_teeth", "lower_teeth"), 0.22),
                         (("tongue",), 0.38), (("hair",), 0.6)):  # fmt: skip
        result[head.of(*parts)] = value
    return result


def _brow_share(p: Array) -> Array:
    t = (np.abs(p[:, 0]) - 12.0) / 40.5
    _, z, half = brow_line(np.clip(t, 0, 1))
    inside = np.interp(np.abs(p[:, 2] - z) / (half + 0.8), [0.55, 1.3], [1, 0])
    return inside * np.interp(t, [-0.07, 0.02, 0.97, 1.05], [0, 1, 1, 0])


def _eyes(head: Head, result: Array) -> None:
    mask = head.of("eyeball_left", "eyeball_right")
    angle = head.detail[mask]
    radius = EYEBALL_RADIUS * np.sin(np.minimum(angle, np.pi / 2))
    colour = np.tile(SCLERA, (len(angle), 1))
    inside = radius < IRIS_RADIUS * 1.005
    share = np.clip((radius - 2.0) / (IRIS_RADIUS - 2.0), 0, 1)
    colour[inside] = IRIS + (IRIS_RIM - IRIS) * (share[inside, None] ** 3)
    colour[radius < 1.95] = PUPIL
    white = ~inside
    far = np.clip((angle - 0.75) / 0.6, 0, 1)
    colour[white] *= 1 - far[white, None] * np.array([0.25, 0.42, 0.45])
    result[mask] = colour
