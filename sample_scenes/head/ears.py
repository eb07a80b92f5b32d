"""Auricles: loops from the head around the helix into the concha."""

from __future__ import annotations

import numpy as np

from .proportions import Array

LENGTH, WIDTH = 61.5, 34.0
FLARE, LEAN = np.radians(20.0), np.radians(13.0)
ATTACHMENT = np.array([69.2, 0.0, -18.0])


def ear_rings(spokes: int) -> list[Array]:
    """Loops (spokes, 3) in mm of the left ear, from the ear canal to the loop next to the head.

    Spokes run clockwise seen from the left, from the front; in the ear's plane u points back, v up, n outward.
    """
    phi = np.pi - np.linspace(0, 2 * np.pi, spokes, endpoint=False)  # front, top, back, bottom
    backward, up = -np.cos(phi), np.sin(phi)
    # Outline of the auricle around its middle, narrower at the lobe.
    half_width = WIDTH / 2 * np.where(up > 0, 1.0 + 0.06 * np.sin(np.pi * up), 1.0 - 0.34 * np.abs(up) ** 1.3)
    outline = np.c_[backward * half_width * np.where(backward > 0, 1.02, 0.92), up * LENGTH / 2]
    outline[:, 0] += 1.5 * up
    at_front = np.clip(-backward, 0, 1) ** 1.5
    lobe = np.clip(-up, 0, 1) ** 4
    rise = np.clip(1 - at_front * 1.1, 0, 1)  # the auricle stands off the head except along its front
    loops = (  # (scale, towards the concha's middle, height above the ear's plane in mm at the free edge)
        (0.16, 0.9, -3.6), (0.32, 0.75, -3.2), (0.46, 0.5, -1.0), (0.55, 0.35, 3.4), (0.65, 0.2, 4.4), (0.79, 0.1, 1.0),
        (0.89, 0.0, 3.8), (0.96, 0.0, 4.6), (1.0, 0.0, 2.4), (0.95, 0.0, -0.4), (0.72, 0.0, -5.0),
    )  # fmt: skip
    concha = np.array([-3.5, -5.0])
    u_axis = np.array([np.sin(FLARE), -np.cos(FLARE), 0.0])
    normal = np.array([np.cos(FLARE), np.sin(FLARE), 0.0])
    v_axis = np.array([0.0, 0.0, 1.0])
    rings = []
    for k, (scale, pull, height) in enumerate(loops):
        flat = outline * scale
        # The lobe has no inner relief: its loops stay near the edge's height.
        height_here = height * (1 - lobe) + 1.6 * lobe if k in (3, 4, 5, 6) else np.full(spokes, height)
        flat = flat + concha * pull
        lean = np.array([[np.cos(LEAN), np.sin(LEAN)], [-np.sin(LEAN), np.cos(LEAN)]])
        flat = flat @ lean.T
        lift = height_here * (0.35 + 0.65 * rise)
        if k in (2, 3, 4):  # the tragus, a flap in front of the ear canal
            lift = lift + (2.6, 3.4, 2.2)[k - 2] * np.exp(-(((phi - np.pi) / 0.42) ** 2)) * (backward < 0)
        if k == 10:
            lift = np.full(spokes, height) * rise
        centre = ATTACHMENT + u_axis * (WIDTH * 0.46) + normal * 1.5
        rings.append(centre + flat[:, :1] * u_axis + flat[:, 1:] * v_axis + lift[:, None] * normal)
    return rings
