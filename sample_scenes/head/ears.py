"""Auricles: loops from the head around the helix into the concha."""

from __future__ import annotations

import numpy as np

from .proportions import Array

LENGTH, WIDTH = 61.5, 34.0
FLARE, LEAN = np.radians(24.0), np.radians(13.0)
ATTACHMENT = np.array([66.5, 1.0, -18.0])


def ear_rings(spokes: int) -> list[Array]:
    """Loops (spokes, 3) in mm of the left ear, from the ear canal to the loop next to the head.

    Spokes run clockwise seen from the left, from the front; in the ear's plane u points back, v up, n outward.
    """
    phi = np.pi - np.linspace(0, 2 * np.pi, spokes, endpoint=False)  # front, top, back, bottom
    backward, up = -np.cos(phi), np.sin(phi)
    # Outline of the auricle around its middle, narrower at the lobe.
    half_width = WIDTH / 2 * np.where(up > 0, 1.0, 1.0 - 0.30 * np.abs(up) ** 1.5)
    outline = np.c_[backward * half_width * np.where(backward > 0, 1.02, 0.92), up * LENGTH / 2]
    outline[:, 0] += 1.5 * up
    at_front = np.clip(-backward, 0, 1) ** 1.5
    lobe = np.clip(-up, 0, 1) ** 4
    rise = np.clip(1 - at_front * 1.1, 0, 1)  # the auricle stands off the head except along its front
    loops = (  # (scale, towards the concha's middle, height above the ear's plane in mm at the free edge)
        (0.16, 0.9, -4.5), (0.30, 0.7, -3.0), (0.46, 0.5, -0.8), (0.58, 0.35, 2.6), (0.68, 0.2, 3.3), (0.80, 0.1, 1.6),
        (0.90, 0.0, 2.9), (0.97, 0.0, 3.4), (1.0, 0.0, 1.9), (0.95, 0.0, 0.2), (0.72, 0.0, -3.0),
    )  # fmt: skip
    concha = np.array([-3.5, -5.0])
    u_axis = np.array([np.sin(FLARE), -np.cos(FLARE), 0.0])
    normal = np.array([np.cos(FLARE), np.sin(FLARE), 0.0])
    v_axis = np.array([0.0, 0.0, 1.0])
    u_axis, v_axis = (u_axis * np.cos(LEAN) - v_axis * np.sin(LEAN) * 0.0), v_axis
    rings = []
    for k, (scale, pull, height) in enumerate(loops):
        flat = outline * scale
        if k in (3, 4, 5, 6):  # the lobe has no inner relief: its loops stay near the edge's height
            height_here = height * (1 - lobe) + 1.6 * lobe
        else:
            height_here = np.full(spokes, height)
        flat = flat * (1 - 0 * pull) + concha * pull
        lean = np.array([[np.cos(LEAN), -np.sin(LEAN)], [np.sin(LEAN), np.cos(LEAN)]])
        flat = flat @ lean.T
        lift = height_here * (0.35 + 0.65 * rise)
        if k == 10:
            lift = np.full(spokes, height) * rise
        centre = ATTACHMENT + u_axis * (WIDTH * 0.46) + normal * 1.5
        rings.append(centre + flat[:, :1] * u_axis + flat[:, 1:] * v_axis + lift[:, None] * normal)
    return rings
