"""Rigs as actors: one mesh, 52 ARKit displacement fields, skin colours; and the many people made of it by warping."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sample_scenes.build_head import build_head_arrays

F32 = NDArray[np.float32]
Color = tuple[float, float, float]


@dataclass(frozen=True)
class Palette:
    """Colours of an ICT head's parts, half the width of its brows (m) and its irises' radius (rad)."""

    skin: Color
    lips: Color
    brows: Color
    mouth: Color
    gums: Color
    teeth: Color
    sclera: Color
    iris: Color
    pupil: Color
    brow_m: float = 0.0042
    iris_rad: float = 0.5


TRAINING = Palette(
    skin=(0.72, 0.50, 0.40),
    lips=(0.62, 0.30, 0.28),
    brows=(0.33, 0.227, 0.179),
    mouth=(0.25, 0.08, 0.08),
    gums=(0.55, 0.22, 0.22),
    teeth=(0.85, 0.83, 0.78),
    sclera=(0.88, 0.87, 0.86),
    iris=(0.28, 0.18, 0.10),
    pupil=(0.02, 0.02, 0.02),
)
_ICT_EYES = (slice(21451, 23021), slice(23021, 24591))


@dataclass(frozen=True)
class Actor:
    """A rig to draw.

    Attributes:
        neutral: (V, 3) m, head axes: x the character's left, y to the back, z up; the origin is inside the head.
        triangles: (T, 3).  deltas: (52, V, 3) m, ARKit order; zero for a key the rig lacks.
        colors: (V, 3) 0..1.  has: (52,) bool, keys the rig has.
        face: (V,) bool, skin around brows, eyes, nose and mouth.
        eyeballs: vertices of the right and the left eyeball where the rig's keys do not turn them.
    """

    neutral: F32
    triangles: NDArray[np.int32]
    deltas: F32
    colors: F32
    has: NDArray[np.bool_]
    face: NDArray[np.bool_]
    eyeballs: tuple[slice, ...] = ()


def ict_actor(folder: Path, channels: tuple[str, ...]) -> Actor:
    """The ICT-FaceKit head (MIT), painted by us: lips, brows and irises, placed by its 68 landmarks."""
    data = np.load(folder / "ict_facekit_arkit.npz", allow_pickle=False)
    axes = lambda a: np.stack([a[..., 0], -a[..., 2], a[..., 1]], axis=-1).astype(np.float32) * 0.01  # noqa: E731
    neutral, keys = axes(data["neutral"]), axes(data["deltas"].astype(np.float32))
    names = [str(n) for n in data["names"]]
    deltas = np.zeros((len(channels), *neutral.shape), np.float32)
    has = np.zeros(len(channels), bool)
    for k, channel in enumerate(channels):
        base = channel.replace("Left", "_L").replace("Right", "_R") if channel[-4:] in ("Left", "ight") else channel
        wanted = [base] if base in names else [channel + "_L", channel + "_R"]
        if channel in names:
            wanted = [channel]
        for name in wanted:
            if name in names:
                deltas[k] += keys[names.index(name)]
                has[k] = True
    faces = data["faces"]
    quads = faces[faces[:, 3] >= 0]
    triangles = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]], faces[faces[:, 3] < 0][:, :3]])
    keep = (triangles < 24591).all(1)  # not the tear film, the occlusion shells and the cards of lashes
    landmarks = np.array(json.loads((folder / "ict_vertex_indices.json").read_text())["idx_to_landmark_verts"], np.intp)
    colors = paint_ict_head(neutral, landmarks, TRAINING)
    return Actor(
        neutral - neutral[landmarks[27]] - np.float32([0, 0.07, 0]),
        triangles[keep].astype(np.int32),
        deltas,
        colors,
        has,
        _face(deltas, channels),
        _ICT_EYES,
    )


def _face(deltas: F32, channels: tuple[str, ...]) -> NDArray[np.bool_]:
    """(V,) bool: what brows, lids, nose and lips move, without the jaw and the neck it drags along."""
    local = [
        k
        for k, c in enumerate(channels)
        if c.startswith(("brow", "eyeBlink", "nose", "mouthSmile", "mouthRoll", "mouthPucker"))
    ]
    return (np.linalg.norm(deltas[local], axis=2) > 0.0015).any(0)


def sample_actor(channels: tuple[str, ...]) -> Actor:
    """The project's own sample head."""
    head = build_head_arrays()
    deltas = np.zeros((len(channels), *head.neutral.shape), np.float32)
    for k, channel in enumerate(channels):
        if channel in head.deltas:
            deltas[k] = head.deltas[channel]
    quads = np.asarray(head.faces)
    triangles = np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])
    triangles = triangles[(triangles >= 0).all(1)]
    reach = np.abs(deltas).sum((0, 2)) > 1e-3
    front = head.neutral[reach]
    origin = np.array([0.0, front[:, 1].min() + 0.09, front[:, 2].mean()], np.float32)
    has = np.array([c in head.deltas for c in channels])
    return Actor(
        (head.neutral - origin).astype(np.float32),
        triangles.astype(np.int32),
        deltas,
        head.colors[:, :3].astype(np.float32),
        has,
        _face(deltas, channels),
    )


def paint_ict_head(neutral: F32, landmarks: NDArray[np.intp], palette: Palette) -> F32:
    """(V, 3) colours of the ICT mesh (V, 3); part ranges are those of the model's own description.

    Args:
        landmarks: (68,) vertices.
    """
    skin = np.float32(palette.skin)
    colors = np.tile(skin, (len(neutral), 1))
    front = neutral[:, [0, 2]]
    face = np.arange(len(neutral)) < 9409
    colors[face & _inside(front, front[landmarks[48:60]])] = palette.lips
    for brow in (landmarks[17:22], landmarks[22:27]):
        points = np.concatenate([np.linspace(front[a], front[b], 12) for a, b in pairwise(brow)])
        near = np.linalg.norm(front[:, None] - points[None], axis=2).min(1) < palette.brow_m
        colors[face & near] = palette.brows
    colors[11248:13294], colors[14062:17039], colors[17039:21451] = palette.mouth, palette.gums, palette.teeth
    for eye in _ICT_EYES:
        ball = neutral[eye]
        centre = 0.5 * (ball.min(0) + ball.max(0))
        angle = np.arccos(np.clip(-(ball - centre)[:, 1] / np.linalg.norm(ball - centre, axis=1), -1, 1))
        colors[eye] = palette.sclera
        colors[eye][angle < palette.iris_rad] = palette.iris
        colors[eye][angle < 0.2] = palette.pupil
    return colors.astype(np.float32)


def _inside(points: F32, outline: F32) -> NDArray[np.bool_]:
    """(N,) bool: which points (N, 2) lie within a closed outline (M, 2), by the even-odd rule."""
    inside = np.zeros(len(points), bool)
    for (ax, ay), (bx, by) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if ay != by:
            crosses = (points[:, 1] < ay) != (points[:, 1] < by)
            inside ^= crosses & (points[:, 0] < ax + (points[:, 1] - ay) * (bx - ax) / (by - ay))
    return inside


def warped(actor: Actor, random: np.random.Generator) -> Actor:
    """Another person: a smooth random change of proportions, of how far each key goes, and of colours."""
    scale = np.exp(random.normal(0, 0.05, 3)).astype(np.float32)
    count = 14
    front = actor.neutral[np.abs(actor.deltas).sum((0, 2)) > 1e-3]
    centres = front[random.integers(len(front), size=count)]
    widths = random.uniform(0.02, 0.06, count).astype(np.float32)
    pushes = random.normal(0, 1, (count, 3)).astype(np.float32) * (widths * 0.09)[:, None]
    sided = random.random(count) < 0.15

    def warp(points: F32) -> F32:
        return _warp(np.ascontiguousarray(points, np.float32), scale, centres, widths, pushes, sided)

    neutral = warp(actor.neutral)
    gain = np.exp(random.normal(0, 0.12, len(actor.deltas))).astype(np.float32)
    deltas = np.zeros_like(actor.deltas)
    for key, (delta, factor) in enumerate(zip(actor.deltas, gain, strict=True)):
        moving = np.flatnonzero(np.abs(delta).max(1) > 0)
        deltas[key, moving] = (warp(actor.neutral[moving] + delta[moving]) - neutral[moving]) * factor
    tint = np.exp(random.normal(0, 0.18, 3) + random.normal(-0.1, 0.35)).astype(np.float32)
    colors = np.clip(actor.colors * tint, 0.02, 1.0)
    return replace(actor, neutral=neutral, deltas=deltas, colors=colors.astype(np.float32))


@njit(cache=True, fastmath=True)
def _warp(points, scale, centres, widths, pushes, sided):
    """(V, 3) float32 points pushed about by Gaussian bumps, each with its mirror image unless it is `sided`."""
    out = np.empty_like(points)
    for i in range(points.shape[0]):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        a, b, c = x * scale[0], y * scale[1], z * scale[2]
        for j in range(centres.shape[0]):
            over = -0.5 / (widths[j] * widths[j])
            rest = (y - centres[j, 1]) ** 2 + (z - centres[j, 2]) ** 2
            here = np.exp(((x - centres[j, 0]) ** 2 + rest) * over)
            there = np.float32(0.0) if sided[j] else np.exp(((x + centres[j, 0]) ** 2 + rest) * over)
            a += pushes[j, 0] * (here - there)
            b += pushes[j, 1] * (here + there)
            c += pushes[j, 2] * (here + there)
        out[i, 0], out[i, 1], out[i, 2] = a, b, c
    return out
