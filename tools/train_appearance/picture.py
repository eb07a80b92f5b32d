"""Draws a person as a camera would film her: one light and camera for a clip, one head pose for a picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facecap_addon.render.shade_cpu import compute_normals
from tools.train_prior.actors import Actor
from tools.train_prior.draw import draw
from tools.train_prior.look import turn_eyes

from .looks import Look, Surface

F32 = NDArray[np.float32]
SIZE = 288


@dataclass(frozen=True)
class Film:
    """What stays the same while a clip is filmed.

    Attributes:
        distance_m, focal_px: of the camera.
        lights: (N, 3) directions to them.  light_colors: (N, 3).  ambient: (3,).  sky: how much more comes from above.
        shade_normal, shade_offset, shade: a soft shadow's edge in head space, and how dark it is.
        background: (SIZE, SIZE, 3) linear.
        exposure, gamma: of the camera.  saturation: 0 is grey.  balance: (3,) white balance.
        blur_px, noise: of the lens and the sensor.  jpeg: quality, 0 for none.  shrink: of the resolution.
    """

    distance_m: float
    focal_px: float
    lights: F32
    light_colors: F32
    ambient: F32
    sky: float
    shade_normal: F32
    shade_offset: float
    shade: float
    background: F32
    exposure: float
    gamma: float
    saturation: float
    balance: F32
    blur_px: float
    noise: float
    jpeg: int
    shrink: float


def random_film(random: np.random.Generator) -> Film:
    """One clip's light and camera."""
    distance = float(np.exp(random.uniform(np.log(0.35), np.log(2.0))))
    count = int(random.integers(1, 4))
    lights = random.normal([0, -1.0, 0.35], [0.8, 0.35, 0.5], (count, 3))
    share = random.dirichlet(np.full(count, 0.8)) * random.uniform(0.4, 0.95)
    tint = 1 + random.normal(0, 0.08, (count, 3))
    low, high = random.uniform(0, 1, (2, 3))
    ramp = np.linspace(0, 1, SIZE)[:, None, None]
    background = np.broadcast_to(high * (1 - ramp) + low * ramp, (SIZE, SIZE, 3)).astype(np.float32)
    normal = random.normal([1.0, 0.3, 0.3], [0.5, 0.4, 0.6]) * random.choice([-1, 1])
    return Film(
        distance_m=distance,
        focal_px=float(random.uniform(100, 225)) * distance / 0.16,
        lights=(lights / np.linalg.norm(lights, axis=1, keepdims=True)).astype(np.float32),
        light_colors=(share[:, None] * tint).astype(np.float32),
        ambient=(random.uniform(0.15, 0.6) * (1 + random.normal(0, 0.08, 3))).astype(np.float32),
        sky=float(random.uniform(0, 0.45)),
        shade_normal=(normal / np.linalg.norm(normal)).astype(np.float32),
        shade_offset=float(random.normal(0, 0.04)),
        shade=float(random.choice([0.0, 0.0, random.uniform(0.1, 0.5)])),
        background=background ** np.float32(2.2),
        exposure=float(np.exp(random.normal(0.05, 0.2))),
        gamma=float(np.exp(random.normal(np.log(1 / 2.2), 0.15))),
        saturation=float(random.choice([0.0, random.uniform(0.5, 1.3)], p=[0.1, 0.9])),
        balance=np.exp(random.normal(0, 0.06, 3)).astype(np.float32),
        blur_px=float(random.choice([0.0, random.uniform(0.3, 1.3)], p=[0.25, 0.75])),
        noise=float(random.choice([0.0, random.uniform(0.0, 0.03)])),
        jpeg=int(random.choice([0, random.integers(25, 95)])),
        shrink=float(random.choice([1.0, random.uniform(0.45, 1.0)])),
    )


def random_turn(random: np.random.Generator, calm: bool) -> F32:
    """(3, 3) a head's rotation; `calm` keeps it near frontal."""
    yaw, pitch, roll = random.normal(0, [0.26, 0.15, 0.09]) * (0.5 if calm else 1.0)
    return Rotation.from_euler("YXZ", [roll, pitch, yaw]).as_matrix().astype(np.float32)


def vertex_normals(points: F32, triangles: NDArray[np.int32]) -> F32:
    """(V, 3) float32 outward unit normals, weighted by area; of points (V, 3) and triangles (T, 3)."""
    return compute_normals(torch.from_numpy(points)[None], torch.from_numpy(triangles))[0].numpy()


def film_picture(
    actor: Actor, surface: Surface, look: Look, film: Film, weights: F32, turn: F32, random: np.random.Generator
) -> tuple[NDArray[np.uint8], F32]:
    """Draw one picture; returns RGB (SIZE, SIZE, 3) and the projected vertices (V, 2) px."""
    moving = np.flatnonzero(weights)
    head = actor.neutral + np.tensordot(weights[moving], actor.deltas[moving], axes=1)
    if random.random() < 0.6:
        turn_eyes(head, actor, weights)
    turned = (head @ turn.T).astype(np.float32)
    shift = random.uniform(-12, 12, 2).astype(np.float32)

    def project(points: F32) -> tuple[F32, F32]:
        depth = points[:, 1] + np.float32(film.distance_m)
        flat = np.stack([points[:, 0], -points[:, 2]], axis=1) / depth[:, None]
        return flat * np.float32(film.focal_px) + SIZE / 2 + shift, depth

    points, depth = project(turned)
    normals = vertex_normals(turned, actor.triangles)
    shade = _shade(head, turned, normals, surface, look, film, weights)
    image = draw(points, depth, shade, actor.triangles, SIZE, film.background)
    image = _tone_curve(image * (film.exposure * film.balance).astype(np.float32), film.gamma)
    if look.glasses:
        image = _put_on_glasses(image, [project((p @ turn.T).astype(np.float32))[0] for p in look.glasses], look)
    return _take_with_camera(image, film, random), points


def _shade(head: F32, turned: F32, normals: F32, surface: Surface, look: Look, film: Film, weights: F32) -> F32:
    light = np.tile(film.ambient, (len(normals), 1))
    light += film.ambient * film.sky * normals[:, 2:]
    glance = np.zeros((len(normals), 3), np.float32)
    for direction, color in zip(film.lights, film.light_colors, strict=True):
        light += np.maximum(normals @ direction, 0)[:, None] * color
        half = direction + np.float32([0, -1, 0])
        half = half / np.linalg.norm(half)
        glance += (np.maximum(normals @ half, 0) ** look.hardness * look.gloss)[:, None] * color
    hollow = ((surface.neighbours @ turned - turned) * normals).sum(1)
    hollow = surface.neighbours @ (surface.neighbours @ hollow) * 1000  # mm below the neighbours' mean
    light *= np.clip(1 - look.cavity * np.maximum(hollow, 0) * 1.5, 0.25, 1)[:, None]
    if film.shade:
        dark = 1 / (1 + np.exp(-(head @ film.shade_normal - film.shade_offset) / 0.008))
        light *= (1 - film.shade * dark)[:, None]
    wrinkled = np.clip(1 - look.folds @ weights, 0.35, 1)
    shaded = look.colors * wrinkled[:, None] * np.maximum(light, 0.01) + glance
    return np.ascontiguousarray(shaded, np.float32)


def _tone_curve(image: F32, gamma: float) -> F32:
    """The camera's curve, from a table: powers of every pixel are slow."""
    table = np.linspace(0, 1, 4096, dtype=np.float32) ** np.float32(gamma)
    return table[(np.clip(image, 0, 1) * 4095).astype(np.int32)]


def _put_on_glasses(image: F32, parts: list[F32], look: Look) -> F32:
    image = np.ascontiguousarray(image, np.float32)
    width = max(1, round(float(np.ptp(parts[0][:, 0])) * 0.06))
    fixed = [np.round(p * 16).astype(np.int32) for p in parts]
    if look.lens:
        glass = image.copy()
        cv2.fillPoly(glass, [np.round(p).astype(np.int32) for p in parts[:2]], (0.0, 0.0, 0.0))
        image = image * (1 - look.lens) + glass * look.lens
    color = tuple(float(c) for c in look.frame_color)
    image = np.ascontiguousarray(image, np.float32)
    cv2.polylines(image, fixed[:2], True, color, width, cv2.LINE_AA, 4)
    cv2.polylines(image, fixed[2:], False, color, width, cv2.LINE_AA, 4)
    return image


def _take_with_camera(image: F32, film: Film, random: np.random.Generator) -> NDArray[np.uint8]:
    grey = cv2.transform(image, np.full((1, 3), 1 / 3, np.float32))[..., None]
    image = grey + (image - grey) * np.float32(film.saturation)
    if film.blur_px:
        image = cv2.GaussianBlur(image, (0, 0), film.blur_px)
    if film.shrink < 1:
        small = max(int(SIZE * film.shrink), 32)
        image = cv2.resize(cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA), (SIZE, SIZE))
    if film.noise:
        image = image + random.standard_normal(image.shape, np.float32) * np.float32(film.noise)
    out = (np.clip(image, 0, 1) * 255).astype(np.uint8)
    if film.jpeg:
        code = cv2.imencode(".jpg", out[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, film.jpeg])[1]
        out = np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR)[..., ::-1])
    return out
