"""Hands drawn from capsules: a height over the picture, lit by one light, with skin's unevenness and nails."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Capsule = tuple[float, float, float, float, float, float]
"""x, y, radius of either end."""


@dataclass(frozen=True)
class Layer:
    """What lies before a face.

    Attributes:
        color: (H, W, 3) float32 0..1, as a camera shows it.  alpha: (H, W) float32, how much of each pixel it covers.
    """

    color: F32
    alpha: F32


def random_capsules(size: float, random: np.random.Generator) -> tuple[list[Capsule], list[tuple[float, float, float]]]:
    """A hand or some fingers around the origin, fingers upwards; and where its nails are (x, y, radius).

    Args:
        size: distance of the face's outer eye corners, px.
    """
    unit = size * float(random.uniform(0.8, 1.25))
    wide, finger = 0.85 * unit, 0.95 * unit
    shown = int(random.choice([1, 2, 4, 4, 4]))
    curl, spread = float(random.uniform(0.15, 1.0)), float(random.uniform(0.0, 0.22))
    parts: list[Capsule] = []
    nails: list[tuple[float, float, float]] = []
    first = int(random.integers(0, 5 - shown))
    for k in range(first, first + shown):
        x, angle = (k - 1.5) / 4 * wide, (k - 1.5) * spread + float(random.normal(0, 0.05))
        length = finger * (0.82, 1.0, 0.95, 0.75)[k] * curl
        y, radius = -0.05 * unit, 0.115 * unit * float(random.uniform(0.9, 1.1))
        for share in (0.45, 0.3, 0.25):
            to_x, to_y = x + np.sin(angle) * length * share, y - np.cos(angle) * length * share
            parts.append((x, y, radius, to_x, to_y, radius * 0.93))
            x, y, radius = float(to_x), float(to_y), radius * 0.93
            angle += float(random.normal(0, 0.06))
        nails.append((x, y, radius * 0.6))
    if shown > 1:
        for k in range(4):
            x = (k - 1.5) / 4 * wide
            parts.append((x, 0.0, 0.15 * unit, x * 0.7, 0.8 * unit, 0.2 * unit))
    if random.random() < 0.6 and shown > 1:
        side = float(random.choice([-1, 1]))
        angle, x, y = side * float(random.uniform(0.2, 1.1)), side * 0.4 * wide, 0.55 * unit
        for length in (0.35, 0.35):
            to_x, to_y = x + np.sin(angle) * unit * length, y - np.cos(angle) * unit * length
            parts.append((x, y, 0.15 * unit, float(to_x), float(to_y), 0.12 * unit))
            x, y = float(to_x), float(to_y)
            angle -= side * 0.3
    # The arm, which leaves the picture.
    bend = float(random.normal(0, 0.3))
    parts.append(
        (0.0, 0.8 * unit, 0.34 * unit, 3 * unit * np.sin(bend), 0.8 * unit + 3 * unit * np.cos(bend), 0.4 * unit)
    )
    return parts, nails


def draw_hand(
    shape: tuple[int, int],
    place: tuple[float, float],
    size: float,
    skin: F32,
    random: np.random.Generator,
) -> Layer:
    """A hand whose middle is at a place of a picture.

    Args:
        shape: (height, width).  place: px.  size: distance of the face's outer eye corners, px.  skin: (3,) 0..1.
    """
    parts, nails = random_capsules(size, random)
    turn = float(random.choice([random.normal(0, 0.5), random.uniform(-np.pi, np.pi)], p=[0.6, 0.4]))
    cosine, sine = np.cos(turn), np.sin(turn)

    def put(x: float, y: float) -> tuple[float, float]:
        return place[0] + cosine * x - sine * (y - 0.2 * size), place[1] + sine * x + cosine * (y - 0.2 * size)

    height, base = np.zeros(shape, np.float32), 0.0
    rim = np.zeros(shape, np.float32)
    order = random.permutation(len(parts)) if random.random() < 0.3 else np.arange(len(parts))
    for k in order:
        ax, ay, ar, bx, by, br = parts[k]
        (ax, ay), (bx, by) = put(ax, ay), put(bx, by)
        _raise_capsule(height, rim, (ax, ay, ar, bx, by, br), base)
        base += float(random.uniform(0.0, 0.15)) * ar
    alpha = np.clip(rim, 0.0, 1.0)
    flat = float(random.choice([0.0, random.uniform(0.1, 1.0)], p=[0.1, 0.9]))
    smooth = cv2.GaussianBlur(height, (0, 0), max(0.6, size * 0.01))
    gy, gx = np.gradient(smooth)
    normal = np.stack([-gx * flat, -gy * flat, np.ones_like(gx)], axis=2)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    light = random.normal([0.0, -0.6, 1.0], [0.6, 0.4, 0.2])
    light /= np.linalg.norm(light)
    ambient = float(random.uniform(0.35, 0.8))
    lit = ambient + (1 - ambient) * np.maximum(normal @ light.astype(np.float32), 0) * 1.2
    uneven = smooth_noise(shape, size * float(random.uniform(0.03, 0.3)), random) * float(random.uniform(0, 0.07))
    fine = smooth_noise(shape, max(0.7, size * 0.012), random) * float(random.uniform(0, 0.05))
    color = skin * (lit + uneven + fine)[..., None]
    color += (
        smooth_noise(shape, size * 0.25, random)[..., None] * np.float32([0.03, -0.01, -0.02]) * float(random.random())
    )
    if random.random() < 0.6:
        tint = np.clip(skin * np.float32([1.12, 1.1, 1.12]) + 0.04, 0, 1)
        for x, y, radius in nails:
            cx, cy = put(x, y)
            spot = np.zeros(shape, np.float32)
            cv2.ellipse(
                spot,
                (int(cx), int(cy)),
                (max(1, int(radius)), max(1, int(radius * 1.4))),
                float(np.degrees(turn)),
                0,
                360,
                (1.0,),
                -1,
                cv2.LINE_AA,
            )
            color = color * (1 - 0.8 * spot[..., None]) + tint * lit[..., None] * 0.8 * spot[..., None]
    return Layer(np.clip(color, 0, 1).astype(np.float32), alpha.astype(np.float32))


def _raise_capsule(height: F32, rim: F32, capsule: Capsule, base: float) -> None:
    """Raise a height field (H, W), and how surely it is covered, by a rounded cone."""
    ax, ay, ar, bx, by, br = capsule
    reach = max(ar, br) + 2
    x0, x1 = max(0, int(min(ax, bx) - reach)), min(height.shape[1], int(max(ax, bx) + reach) + 1)
    y0, y1 = max(0, int(min(ay, by) - reach)), min(height.shape[0], int(max(ay, by) + reach) + 1)
    if x0 >= x1 or y0 >= y1:
        return
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float32)
    along_x, along_y = bx - ax, by - ay
    share = np.clip(((x - ax) * along_x + (y - ay) * along_y) / max(along_x**2 + along_y**2, 1e-6), 0, 1)
    radius = ar + (br - ar) * share
    away = np.hypot(x - ax - share * along_x, y - ay - share * along_y)
    dome = np.sqrt(np.maximum(radius**2 - away**2, 0)) + base * (away < radius)
    part = (slice(y0, y1), slice(x0, x1))
    height[part] = np.maximum(height[part], dome)
    rim[part] = np.maximum(rim[part], np.clip(radius - away + 0.5, 0, 1))


def smooth_noise(shape: tuple[int, int], scale: float, random: np.random.Generator) -> F32:
    """(H, W) smooth noise of deviation 1."""
    small = (max(2, int(shape[0] / max(scale, 1)) + 2), max(2, int(shape[1] / max(scale, 1)) + 2))
    noise = random.standard_normal(small, np.float32)
    return np.asarray(cv2.resize(noise, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)
