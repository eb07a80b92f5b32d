"""Things before a face, drawn into pictures: hands, hair, microphones, cups, masks, dark glasses, boards, blobs.

Beside them, what is *not* before a face and must not pass for it: shadows, clear glasses, paint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facecap_addon.landmarks.face_crops import image_from_face_plane

from .hands import Layer, draw_hand, smooth_noise

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
_MASK_EDGE = (
    227,
    116,
    117,
    6,
    346,
    345,
    447,
    361,
    288,
    397,
    365,
    379,
    378,
    400,
    377,
    152,
    148,
    176,
    149,
    150,
    136,
    172,
    58,
    132,
)
_EYES = ((33, 133, 159, 145), (362, 263, 386, 374))
_CHEEKS = (50, 280, 205, 425, 151)


@dataclass(frozen=True)
class Scene:
    """A picture that something is drawn into.

    Attributes:
        image: (H, W, 3) float32 0..1.  landmarks: (478, 2) px.
    """

    image: F32
    landmarks: F32

    @property
    def shape(self) -> tuple[int, int]:
        return self.image.shape[0], self.image.shape[1]

    @property
    def eyes_px(self) -> float:
        """Distance of the outer eye corners along the face's plane."""
        return float(np.linalg.norm(image_from_face_plane(self.landmarks)[:, 0]))

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a place on the mean face lies in the picture, px."""
        at = image_from_face_plane(self.landmarks) @ np.array([x, y, 1.0])
        return float(at[0]), float(at[1])

    def skin(self, random: np.random.Generator) -> F32:
        """(3,) this face's own skin, or now and then anybody's."""
        points = np.clip(self.landmarks[list(_CHEEKS)].astype(int), 0, np.array(self.shape)[::-1] - 1)
        own = np.median(self.image[points[:, 1], points[:, 0]], axis=0)
        if random.random() < 0.25:
            own = np.float32([0.85, 0.62, 0.5]) * float(random.uniform(0.25, 1.1))
        return np.clip(own * np.exp(random.normal(0, 0.12)) * np.exp(random.normal(0, 0.04, 3)), 0.02, 1).astype(
            np.float32
        )


def hand(scene: Scene, random: np.random.Generator) -> Layer:
    """A hand before mouth, cheek, eyes or nose."""
    x, y = _somewhere(random)
    return draw_hand(scene.shape, scene.place(x, y), scene.eyes_px, scene.skin(random), random)


def skin_patch(scene: Scene, random: np.random.Generator) -> Layer:
    """Skin without any feature: a fist, an arm, a palm out of focus."""
    x, y = _somewhere(random)
    alpha = np.zeros(scene.shape, np.float32)
    cx, cy = scene.place(x, y)
    axes = (
        max(2, int(random.uniform(0.3, 0.8) * scene.eyes_px)),
        max(2, int(random.uniform(0.2, 0.5) * scene.eyes_px)),
    )
    cv2.ellipse(alpha, (int(cx), int(cy)), axes, float(random.uniform(0, 180)), 0, 360, (1.0,), -1, cv2.LINE_AA)
    return Layer(_fill(scene, scene.skin(random), random, float(random.uniform(0, 0.08))), alpha)


def hair(scene: Scene, random: np.random.Generator) -> Layer:
    """A lock across a brow, an eye or a cheek, or a fringe."""
    size = scene.eyes_px
    alpha, color = np.zeros(scene.shape, np.float32), np.zeros((*scene.shape, 3), np.float32)
    tone = np.float32(random.uniform(0.03, 0.6)) * np.float32([1.0, *np.sort(random.uniform(0.4, 1.0, 2))[::-1]])
    side = float(random.choice([-1, 1]))
    start = np.array([side * random.uniform(0.0, 0.7), -1.3])
    end = np.array([side * random.uniform(0.1, 0.8), random.uniform(-0.55, 0.6)])
    bend = np.array([side * random.uniform(-0.1, 0.4), random.uniform(-0.2, 0.2)])
    wide = float(random.uniform(0.06, 0.35))
    width = max(1, round(size * float(random.uniform(0.008, 0.03))))
    at = np.linspace(0, 1, 14)[:, None]
    for _ in range(int(wide * random.uniform(60, 200))):
        shift = random.normal(0, wide / 2, 2) * [1.0, 0.3]
        curve = (1 - at) ** 2 * (start + shift) + 2 * at * (1 - at) * ((start + end) / 2 + bend + shift)
        curve = curve + at**2 * (end + shift * random.uniform(0.2, 1.2) + [0, random.normal(0, 0.08)])
        points = np.round(np.array([scene.place(*p) for p in curve]) * 16).astype(np.int32)
        shade = tuple(float(v) for v in np.clip(tone * np.exp(random.normal(0, 0.3)), 0, 1))
        cv2.polylines(color, [points], False, shade, width, cv2.LINE_8, 4)
        cv2.polylines(alpha, [points], False, (1.0,), width, cv2.LINE_AA, 4)
    return Layer(color, alpha * float(random.uniform(0.8, 1.0)))


def microphone(scene: Scene, random: np.random.Generator) -> Layer:
    """A ball on a stick, from below or aside."""
    size, angle = scene.eyes_px, float(random.normal(0, 0.7))
    x, y = float(random.normal(0, 0.25)), float(random.uniform(0.2, 0.8))
    cx, cy = scene.place(x, y)
    ball = size * float(random.uniform(0.16, 0.4))
    tone = np.float32(random.uniform(0.02, 0.6)) * np.exp(random.normal(0, 0.15, 3)).astype(np.float32)
    alpha = np.zeros(scene.shape, np.float32)
    to = (int(cx + np.sin(angle) * 4 * size), int(cy + np.cos(angle) * 4 * size))
    cv2.line(alpha, (int(cx), int(cy)), to, (1.0,), max(2, int(ball * random.uniform(0.6, 1.1))), cv2.LINE_AA)
    cv2.circle(alpha, (int(cx), int(cy)), max(2, int(ball)), (1.0,), -1, cv2.LINE_AA)
    color = _fill(scene, tone, random, 0.04)
    v, u = np.mgrid[: scene.shape[0], : scene.shape[1]].astype(np.float32)
    mesh = (np.sin(u * 40 / size) * np.sin(v * 40 / size) > 0) * float(random.uniform(0, 0.15))
    round_off = 1 - 0.5 * np.clip(np.hypot(u - cx + ball * 0.3, v - cy + ball * 0.3) / (1.5 * ball), 0, 1.2)
    return Layer(np.clip((color + mesh[..., None]) * round_off[..., None], 0, 1), alpha)


def cup(scene: Scene, random: np.random.Generator) -> Layer:
    """A cup or a glass at the mouth."""
    size, x, y = scene.eyes_px, float(random.normal(0, 0.12)), float(random.uniform(0.1, 0.5))
    wide, low = float(random.uniform(0.3, 0.55)), float(random.uniform(0.2, 0.5))
    tall = float(random.uniform(0.6, 1.2))
    tilt = float(random.normal(0, 0.15))
    corners = [(-wide, 0.0), (wide, 0.0), (low, tall), (-low, tall)]
    points = [
        scene.place(x + a * np.cos(tilt) - b * np.sin(tilt), y + a * np.sin(tilt) + b * np.cos(tilt))
        for a, b in corners
    ]
    alpha = np.zeros(scene.shape, np.float32)
    cv2.fillConvexPoly(alpha, np.round(np.array(points) * 16).astype(np.int32), (1.0,), cv2.LINE_AA, 4)
    cx, cy = scene.place(x, y)
    cv2.ellipse(
        alpha, (int(cx), int(cy)), (int(wide * size), int(wide * size * 0.2)), 0, 0, 360, (1.0,), -1, cv2.LINE_AA
    )
    across = (np.arange(scene.shape[1], dtype=np.float32) - cx) / (wide * size)
    shade = 0.6 + 0.4 * np.cos(np.clip(across * 1.4 + random.normal(0, 0.3), -1.5, 1.5))
    return Layer(np.clip(_fill(scene, _any_color(random), random, 0.03) * shade[None, :, None], 0, 1), alpha)


def mask(scene: Scene, random: np.random.Generator) -> Layer:
    """A mask of cloth over nose and mouth, or under the nose."""
    points = scene.landmarks[list(_MASK_EDGE)].copy()
    points[:7, 1] += float(random.uniform(0.0, 0.35)) * scene.eyes_px
    points += random.normal(0, 0.02, points.shape) * scene.eyes_px
    alpha = np.zeros(scene.shape, np.float32)
    cv2.fillPoly(alpha, [np.round(points * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
    color = _fill(scene, _any_color(random), random, 0.04)
    v = np.arange(scene.shape[0], dtype=np.float32)[:, None, None]
    pleats = 1 - float(random.uniform(0, 0.3)) * (np.sin(v * 2 * np.pi / (0.18 * scene.eyes_px)) > 0.8)
    return Layer(np.clip(color * pleats, 0, 1).astype(np.float32), alpha)


def dark_glasses(scene: Scene, random: np.random.Generator) -> Layer:
    """Glasses that no eye is seen through."""
    alpha = np.zeros(scene.shape, np.float32)
    wide, high = float(random.uniform(0.19, 0.27)), float(random.uniform(0.12, 0.22))
    for corners in _EYES:
        cx, cy = scene.landmarks[list(corners)].mean(0)
        axes = (max(1, int(wide * scene.eyes_px)), max(1, int(high * scene.eyes_px)))
        cv2.ellipse(alpha, (int(cx), int(cy)), axes, 0, 0, 360, (1.0,), -1, cv2.LINE_AA)
    left, right = (scene.landmarks[list(c)].mean(0).astype(int).tolist() for c in _EYES)
    cv2.line(alpha, left, right, (1.0,), max(1, int(0.04 * scene.eyes_px)), cv2.LINE_AA)
    tone = np.float32(random.uniform(0.0, 0.25)) * np.exp(random.normal(0, 0.2, 3)).astype(np.float32)
    color = _fill(scene, tone, random, 0.02)
    if random.random() < 0.4:  # what they mirror
        color += np.maximum(smooth_noise(scene.shape, scene.eyes_px * 0.3, random), 0)[..., None] * 0.2
    return Layer(np.clip(color, 0, 1), alpha)


def board(scene: Scene, random: np.random.Generator) -> Layer:
    """A straight edge across the face and everything on one side of it: a book, a collar, a phone."""
    angle = float(random.choice([np.pi / 2, -np.pi / 2, 0.0, np.pi]) + random.normal(0, 0.3))
    away = float(random.uniform(0.05, 0.7))
    direction = np.array([np.cos(angle), np.sin(angle)])
    cx, cy = scene.place(0.0, 0.1)
    v, u = np.mgrid[: scene.shape[0], : scene.shape[1]].astype(np.float32)
    signed = (u - cx) * direction[0] + (v - cy) * direction[1] - away * scene.eyes_px
    alpha = np.clip(signed + 0.5, 0, 1)
    if random.random() < 0.5:
        alpha = alpha * np.clip(float(random.uniform(0.15, 0.6)) * scene.eyes_px - signed, 0, 1)
    return Layer(_fill(scene, _any_color(random), random, float(random.choice([0.0, 0.1]))), alpha.astype(np.float32))


def blob(scene: Scene, random: np.random.Generator) -> Layer:
    """Any shape with any texture, a piece of the picture elsewhere among them."""
    x, y = _somewhere(random)
    cx, cy = scene.place(x, y)
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = scene.eyes_px * float(random.uniform(0.15, 0.6)) * np.exp(random.normal(0, 0.12, 24))
    points = np.stack([cx + np.cos(angle) * radius * random.uniform(0.5, 1.3), cy + np.sin(angle) * radius], axis=1)
    alpha = np.zeros(scene.shape, np.float32)
    cv2.fillPoly(alpha, [np.round(points * 16).astype(np.int32)], (1.0,), cv2.LINE_AA, 4)
    if random.random() < 0.4:
        moved = np.roll(scene.image, random.integers(20, 200, 2), axis=(0, 1))
        return Layer(moved[:, :: -1 if random.random() < 0.5 else 1], alpha)
    return Layer(_fill(scene, _any_color(random), random, float(random.uniform(0, 0.2))), alpha)


OCCLUDERS: tuple[tuple[float, Callable[[Scene, np.random.Generator], Layer]], ...] = (
    (0.36, hand),
    (0.14, skin_patch),
    (0.14, hair),
    (0.07, microphone),
    (0.07, cup),
    (0.05, mask),
    (0.04, dark_glasses),
    (0.06, board),
    (0.07, blob),
)
"""How often each is drawn."""


def put_before(scene: Scene, random: np.random.Generator) -> tuple[Scene, F32]:
    """A scene with something before the face, and how much of each pixel it covers (H, W)."""
    share = np.array([s for s, _ in OCCLUDERS])
    layer = OCCLUDERS[random.choice(len(OCCLUDERS), p=share / share.sum())][1](scene, random)
    image, alpha = scene.image, layer.alpha
    if random.random() < 0.5:  # it darkens the face beside it
        shadow = cv2.GaussianBlur(alpha, (0, 0), scene.eyes_px * float(random.uniform(0.03, 0.12)))
        shift = (random.normal(0, 0.06, 2) * scene.eyes_px).astype(int)
        image = image * (1 - float(random.uniform(0.1, 0.6)) * np.roll(shadow, shift, axis=(0, 1)))[..., None]
    soft = float(random.choice([0.0, random.uniform(0.3, 2.0)]))
    color = layer.color
    if soft:  # out of focus, or as soft as the rest of the film
        alpha, color = cv2.GaussianBlur(alpha, (0, 0), soft), cv2.GaussianBlur(color, (0, 0), soft)
    if random.random() < 0.2:  # it moves
        length = max(2, int(scene.eyes_px * float(random.uniform(0.03, 0.2))))
        kernel = (length, 1) if random.random() < 0.5 else (1, length)
        alpha, color = cv2.blur(alpha, kernel), cv2.blur(color, kernel)
    image = image * (1 - alpha[..., None]) + color * alpha[..., None]
    return Scene(image.astype(np.float32), scene.landmarks), alpha.astype(np.float32)


def put_harmless(scene: Scene, random: np.random.Generator) -> Scene:
    """A scene with what covers nothing: now and then a hard shadow, clear glasses, paint, hair above the forehead."""
    image = scene.image
    if random.random() < 0.3:
        dark = board(scene, random).alpha if random.random() < 0.5 else blob(scene, random).alpha
        dark = cv2.GaussianBlur(dark, (0, 0), scene.eyes_px * float(random.uniform(0.005, 0.08)))
        level = float(random.choice([random.uniform(0.2, 0.65), random.uniform(-0.4, -0.1)], p=[0.8, 0.2]))
        image = np.clip(image * (1 - level * dark[..., None]), 0, 1)
    if random.random() < 0.2:
        image = wear_glasses(replace_image(scene, image), random)
    if random.random() < 0.1:
        alpha = cv2.GaussianBlur(blob(scene, random).alpha, (0, 0), scene.eyes_px * 0.06)
        tint = np.exp(random.normal(0, 0.15, 3)).astype(np.float32)
        image = image * (1 - alpha[..., None]) + np.clip(image * tint, 0, 1) * alpha[..., None]
    return replace_image(scene, image.astype(np.float32))


def replace_image(scene: Scene, image: F32) -> Scene:
    """The same face in another picture."""
    return Scene(image, scene.landmarks)


def wear_glasses(scene: Scene, random: np.random.Generator) -> F32:
    image = np.ascontiguousarray(scene.image, np.float32)
    wide, high = float(random.uniform(0.19, 0.27)), float(random.uniform(0.1, 0.2))
    angle = np.linspace(0, 2 * np.pi, 28, endpoint=False)
    power = float(random.uniform(0.5, 1.0))
    ring = np.stack([np.sign(f) * np.abs(f) ** power for f in (np.cos(angle), np.sin(angle))], axis=1) * [wide, high]
    tone = tuple(float(v) for v in random.uniform(0, 0.8) * random.uniform(0.5, 1, 3))
    width = max(1, round(scene.eyes_px * float(random.uniform(0.01, 0.04))))
    middles = [scene.landmarks[list(corners)].mean(0) for corners in _EYES]
    for middle in middles:
        points = np.round((middle + ring * scene.eyes_px) * 16).astype(np.int32)
        if random.random() < 0.3:
            glass = np.zeros(scene.shape, np.float32)
            cv2.fillPoly(glass, [points], (float(random.uniform(0.05, 0.3)),), cv2.LINE_AA, 4)
            image = np.clip(image + glass[..., None] * float(random.choice([-0.6, 0.5])), 0, 1)
        cv2.polylines(image, [points], True, tone, width, cv2.LINE_AA, 4)
    half = np.array([wide, 0]) * scene.eyes_px
    bridge = np.round(np.stack([middles[0] + half, middles[1] - half]) * 16).astype(np.int32)
    cv2.polylines(image, [bridge], False, tone, width, cv2.LINE_AA, 4)
    return image


def _somewhere(random: np.random.Generator) -> tuple[float, float]:
    """A place on the mean face that hands come to: the mouth most of all."""
    if random.random() < 0.5:
        return float(random.normal(0, 0.15)), float(random.normal(0.35, 0.15))
    return float(random.uniform(-0.7, 0.7)), float(random.uniform(-0.8, 0.9))


def _any_color(random: np.random.Generator) -> F32:
    grey = float(random.uniform(0.02, 0.95))
    if random.random() < 0.4:
        return np.clip(grey * np.exp(random.normal(0, 0.05, 3)), 0, 1).astype(np.float32)
    return random.uniform(0.02, 0.95, 3).astype(np.float32)


def _fill(scene: Scene, color: F32, random: np.random.Generator, uneven: float) -> F32:
    ramp = np.linspace(-0.5, 0.5, scene.shape[0], dtype=np.float32)[:, None] * float(random.normal(0, 0.25))
    pattern = smooth_noise(scene.shape, scene.eyes_px * float(random.uniform(0.02, 0.3)), random) * uneven
    return np.clip(color * (1 + ramp + pattern)[..., None], 0, 1).astype(np.float32)
