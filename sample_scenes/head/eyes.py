"""Eyelids wrapped on the eyeball, and the eyeball."""

from __future__ import annotations

import numpy as np

from .layout import EYE
from .proportions import ENDOCANTHION, EXOCANTHION, EYE_CENTRE, EYEBALL_RADIUS, IRIS_RADIUS, Array
from .surface import cast

SPOKES = 16  # intervals along each lid
INNER_CLEARANCE = 0.60  # between eyeball and the lid's inner edge, open


def lid_depth(x: Array, z: Array, radius: float | Array) -> Array:
    """Depth d of the lid surface `radius` around the eye's centre; beyond 9 mm sideways it runs on straight."""
    across = np.clip(x - EYE_CENTRE[0], -9.0, 9.0)
    beyond = x - EYE_CENTRE[0] - across
    root = np.sqrt(np.maximum(np.asarray(radius) ** 2 - across**2 - (z - EYE_CENTRE[2]) ** 2, 4.0))
    slope = np.where(beyond > 0, 0.85, 0.22)
    return EYE_CENTRE[1] + root - slope * np.abs(beyond)


def fissure(t: Array) -> tuple[Array, Array, Array]:
    """x, upper z and lower z of the open lids at t from the inner (0) to the outer canthus (1)."""
    x = ENDOCANTHION[0] + (EXOCANTHION[0] - ENDOCANTHION[0]) * t
    line = ENDOCANTHION[2] + (EXOCANTHION[2] - ENDOCANTHION[2]) * t
    upper = line + 5.2 * np.sin(np.pi * t**0.92) ** 0.74 - 0.2 * np.sin(2 * np.pi * t)
    lower = line - 5.2 * np.sin(np.pi * t**1.10) ** 0.80
    return x, upper, lower


def closed_line(t: Array) -> Array:
    """z where the lids meet when the eye closes: most of the way is the upper lid's."""
    _, upper, lower = fissure(t)
    return lower + 0.16 * (upper - lower)


def spoke_parameter() -> Array:
    """t of the spokes 0..SPOKES, denser towards the canthi."""
    s = np.linspace(0.0, 1.0, SPOKES + 1)
    return 0.65 * s + 0.35 * (0.5 - 0.5 * np.cos(np.pi * s))


# Per loop from the inside: distance from the fissure in the picture plane (upper, lower), radius around the eye.
LOOPS = (
    (2.6, 2.4, EYEBALL_RADIUS + 0.62),  # under the lid
    (0.0, 0.0, EYEBALL_RADIUS + INNER_CLEARANCE),  # inner edge of the margin
    (0.25, 0.35, EYEBALL_RADIUS + 1.55),  # outer edge of the margin
    (1.1, 1.2, EYEBALL_RADIUS + 1.95),
    (2.3, 2.7, EYEBALL_RADIUS + 1.85),
    (3.4, 4.6, EYEBALL_RADIUS + 1.45),  # the upper lid's crease
    (4.7, 7.2, EYEBALL_RADIUS + 2.0),  # the fold above it, the lower lid's end
)


def eye_rings() -> list[Array]:
    """Loops (32, 3) in mm of the left eye, from under the lids to the fold above the crease."""
    t = spoke_parameter()
    x, upper, lower = fissure(t)
    outline = np.vstack([np.c_[x, upper], np.c_[x, lower][-2:0:-1]])
    # The picture-plane normal of the outline: from a softened centre line, so that loops do not cross at the canthi.
    middle = np.c_[x, 0.5 * (upper + lower)]
    spine = np.vstack([middle, middle[-2:0:-1]])
    spine[:, 0] = EYE_CENTRE[0] + (spine[:, 0] - EYE_CENTRE[0]) * 0.72
    outward = outline - spine
    outward /= np.linalg.norm(outward, axis=1)[:, None]
    is_upper = np.r_[np.ones(SPOKES + 1), np.zeros(SPOKES - 1)]
    is_upper[[0, SPOKES]] = 0.5
    # Near the inner canthus the nose leaves little room.
    room = np.interp(outline[:, 0], [17.0, 22.0, 40.0, 45.0], [0.55, 1.0, 1.0, 0.9])
    rings = []
    for ring, (up, low, radius) in enumerate(LOOPS):
        offset = (up * is_upper + low * (1 - is_upper)) * room
        canthus = 1 - np.abs(np.r_[t, t[-2:0:-1]] * 2 - 1)  # 0 at both canthi, 1 half way
        if ring == 0:  # there the lids' inside goes back rather than sideways, or it would come out of the skin
            offset = offset * np.interp(canthus, [0, 0.35], [0.1, 1.0])
        spot = outline + outward * offset[:, None]
        depth = lid_depth(spot[:, 0], spot[:, 1], radius)
        if ring == 0:
            depth -= np.interp(canthus, [0, 0.35], [3.5, 0.0])
            # At the inner corner the skin runs on to the eyeball, as the caruncle does: no gap beside it.
            inner = np.interp(np.r_[t, t[-2:0:-1]], [0, 0.12], [1.0, 0.0])
            spot[:, 0] += 3.7 * inner
            away = (EYEBALL_RADIUS + 0.5) ** 2 - ((spot - EYE_CENTRE[[0, 2]]) ** 2).sum(1)
            depth += inner * (EYE_CENTRE[1] + np.sqrt(np.maximum(away, 0.0)) - depth)
        if ring >= 3:
            # Towards the outer canthus the lids run out into the skin over the orbit's rim.
            outer = np.interp(spot[:, 0], [41.0, 47.5], [0.0, 1.0]) * (0.35, 0.65, 0.9, 1.0)[ring - 3]
            share = np.where(is_upper > 0.5, (0.0, 0.0, 0.0, 0.8)[ring - 3], (0.0, 0.12, 0.6, 1.0)[ring - 3])
            share = np.maximum(share, outer)
            origin = np.c_[spot[:, 0], np.full(len(spot), 60.0), spot[:, 1]]
            skin = cast(origin, np.tile([0.0, 1.0, 0.0], (len(spot), 1)), 0.0, 60.0)[:, 1]
            depth = depth * (1 - share) + skin * share
        rings.append(np.c_[spot[:, 0], depth, spot[:, 1]])
    assert len(rings[0]) == len(EYE.border())
    return rings


def eyeball() -> tuple[Array, list[tuple[int, ...]], Array]:
    """Left eyeball: vertices in mm, faces, and the angle of each vertex from the gaze axis in radians.

    Loops around the gaze axis, dense where pupil, iris and limbus end so that their colours have sharp borders.
    """
    limbus = float(np.arcsin(IRIS_RADIUS / EYEBALL_RADIUS))
    pupil = float(np.arcsin(1.9 / EYEBALL_RADIUS))
    angles = np.r_[pupil * 0.55, pupil * 0.96, pupil * 1.04, np.linspace(pupil * 1.3, limbus * 0.86, 4), limbus * 0.965,
                   limbus * 1.02, limbus * 1.14, np.linspace(limbus * 1.35, np.radians(165), 9)]  # fmt: skip
    around = 32
    phi = np.linspace(0, 2 * np.pi, around, endpoint=False)
    vertices = [EYE_CENTRE + EYEBALL_RADIUS * np.array([0.0, 1.0, 0.0])]
    polar = [0.0]
    for angle in angles:
        for p in phi:
            direction = np.array([np.sin(angle) * np.cos(p), np.cos(angle), np.sin(angle) * np.sin(p)])
            vertices.append(EYE_CENTRE + EYEBALL_RADIUS * direction)
            polar.append(float(angle))
    vertices.append(EYE_CENTRE - EYEBALL_RADIUS * np.array([0.0, 1.0, 0.0]))
    polar.append(np.pi)
    faces: list[tuple[int, ...]] = []
    for k in range(0, around, 2):  # quads at the poles: two sectors each
        faces.append((0, 1 + k, 1 + (k + 1) % around, 1 + (k + 2) % around))
    for ring in range(len(angles) - 1):
        a, b = 1 + ring * around, 1 + (ring + 1) * around
        for k in range(around):
            n = (k + 1) % around
            faces.append((a + k, b + k, b + n, a + n))
    last, base = len(vertices) - 1, 1 + (len(angles) - 1) * around
    for k in range(0, around, 2):
        faces.append((last, base + (k + 2) % around, base + (k + 1) % around, base + k))
    return np.array(vertices), faces, np.array(polar)
