"""Draw an actor under given weights and ask the landmark network what it sees."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from facecap_addon.landmarks.protocol import Landmarker
from facecap_addon.landmarks.regions import Region
from facecap_addon.render.shading import vertex_normals
from facecap_addon.rig.channels import ARKIT_CHANNELS

from .actors import Actor
from .draw import draw

F32 = NDArray[np.float32]
SIZE = 288


@dataclass(frozen=True)
class Scene:
    """How one picture is taken: camera and head pose, light, background, picture quality."""

    rotation: F32
    distance_m: float
    focal_px: float
    light: F32
    ambient: float
    fill: F32
    background: F32
    blur_px: float
    noise: float


def random_scene(random: np.random.Generator, calm: bool) -> Scene:
    """A picture's circumstances; `calm` keeps the head near frontal, as for a neutral portrait."""
    spread = 0.35 if calm else 1.0
    yaw, pitch, roll = random.normal(0, [0.28, 0.16, 0.10]) * spread
    face_px = random.uniform(120, 210)
    distance = float(np.exp(random.uniform(np.log(0.35), np.log(2.0))))
    light = random.normal([0, -1.0, 0.3], [0.6, 0.3, 0.5])
    top, bottom = random.uniform(0, 1, 3), random.uniform(0, 1, 3)
    ramp = np.linspace(0, 1, SIZE)[:, None, None]
    background = np.broadcast_to(top * (1 - ramp) + bottom * ramp, (SIZE, SIZE, 3)).astype(np.float32)
    return Scene(
        rotation=Rotation.from_euler("YXZ", [roll, pitch, yaw]).as_matrix().astype(np.float32),
        distance_m=distance,
        focal_px=face_px * distance / 0.16,
        light=(light / np.linalg.norm(light)).astype(np.float32),
        ambient=float(random.uniform(0.25, 0.6)),
        fill=random.uniform(-0.15, 0.15, 3).astype(np.float32),
        background=background,
        blur_px=float(random.choice([0.0, random.uniform(0.3, 1.2)])),
        noise=float(random.choice([0.0, random.uniform(0.0, 0.03)])),
    )


def picture_of(actor: Actor, weights: F32, scene: Scene, random: np.random.Generator) -> tuple[NDArray[np.uint8], F32]:
    """Draw; returns the RGB picture and the projected vertices (V, 2) px."""
    head = actor.neutral + np.tensordot(weights, actor.deltas, axes=1)
    if random.random() < 0.6:
        turn_eyes(head, actor, weights)
    turned = (head @ scene.rotation.T).astype(np.float32)
    camera = np.stack([turned[:, 0], -turned[:, 2], turned[:, 1] + scene.distance_m], axis=1)
    shift = random.uniform(-12, 12, 2).astype(np.float32)
    points = camera[:, :2] / camera[:, 2:] * scene.focal_px + SIZE / 2 + shift
    with torch.no_grad():
        normals = vertex_normals(torch.from_numpy(turned)[None], torch.from_numpy(actor.triangles))[0].numpy()
    diffuse = np.maximum(normals @ scene.light, 0) * (1 - scene.ambient)
    glance = np.maximum(normals @ (scene.light + np.float32([0, -1, 0])) / 1.9, 0) ** 24 * 0.12
    sky = scene.ambient * (0.8 + 0.2 * normals[:, 2]) + normals @ scene.fill
    shade = actor.colors * np.maximum(diffuse + sky, 0.02)[:, None] + glance[:, None]
    image = draw(
        points, camera[:, 2].astype(np.float32), shade.astype(np.float32), actor.triangles, SIZE, scene.background**2.2
    )
    image = np.clip(image, 0, 1) ** (1 / 2.2)
    if scene.blur_px:
        image = cv2.GaussianBlur(image, (0, 0), scene.blur_px)
    if scene.noise:
        image = image + random.normal(0, scene.noise, image.shape)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), points


def turn_eyes(head: F32, actor: Actor, weights: F32) -> None:
    """Turn eyeballs that the keys leave alone where the lids say they look (in place)."""
    value = dict(zip(ARKIT_CHANNELS, weights.tolist(), strict=True))
    for ball in actor.eyeballs:
        centre = head[ball].mean(0)
        side, outward = ("Left", 1.0) if centre[0] > 0 else ("Right", -1.0)
        yaw = outward * 0.6 * (value["eyeLookOut" + side] - value["eyeLookIn" + side])
        pitch = 0.5 * (value["eyeLookDown" + side] - value["eyeLookUp" + side])
        turn = Rotation.from_euler("xz", [pitch, yaw]).as_matrix().astype(np.float32)
        head[ball] = (head[ball] - centre) @ turn.T + centre


def see(
    landmarker: Landmarker, image: NDArray[np.uint8], points: F32, actor: Actor, random: np.random.Generator
) -> tuple[F32, F32, float]:
    """Landmarks (478, 2) px, depth (478,) px and presence, tracked for two rounds from a rough region."""
    low, high = points[actor.face].min(0), points[actor.face].max(0)
    middle, side = (low + high) / 2, 1.5 * float((high - low).max())
    region = Region(tuple(float(v) for v in middle), side, 0.0)
    for _ in range(2):
        seen = landmarker.landmarks_in_regions(image, [region])[0]
        if seen.presence < 0.5:
            break
        region = landmarker.region_of_landmarks(seen.landmarks_px)
        jitter = random.normal(0, [0.01, 0.01, 0.02])
        middle = np.asarray(region.center_px) + jitter[:2] * region.side_px
        region = Region(tuple(float(v) for v in middle), region.side_px * float(np.exp(jitter[2])), region.rotation_rad)
    return seen.landmarks_px, seen.depth_px, float(seen.presence)
