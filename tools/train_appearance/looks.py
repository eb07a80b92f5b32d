"""How a drawn person looks besides her shape: skin, lips, brows, beard, wrinkles, glasses."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from facecap_addon.landmarks.face_crops import image_from_face_plane
from facecap_addon.landmarks.protocol import Landmarker
from facecap_addon.landmarks.regions import Region
from facecap_addon.rig.channels import ARKIT_CHANNELS
from tools.train_prior.actors import Actor

F32 = NDArray[np.float32]
_BROWS = ((70, 63, 105, 66, 107, 55, 65, 52, 53, 46), (300, 293, 334, 296, 336, 285, 295, 282, 283, 276))
_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_EYES = ((33, 133, 159, 145), (362, 263, 386, 374))


@dataclass(frozen=True)
class Surface:
    """Where things are on a rig, before anybody is made of it.

    Attributes:
        landmark_vertex: (478,) the front vertex nearest to each landmark.
        place: (V, 2) every vertex on the mean face's plane, outer eye distances.
        front: (V,) bool, skin that faces the camera.
        lips, brows: (V,) bool.
        neighbours: (V, V), mean over each vertex's neighbours.
    """

    landmark_vertex: NDArray[np.intp]
    place: F32
    front: NDArray[np.bool_]
    lips: NDArray[np.bool_]
    brows: NDArray[np.bool_]
    neighbours: csr_matrix


def surface_of(actor: Actor, normals: F32, picture: NDArray[np.uint8], points: F32, landmarker: Landmarker) -> Surface:
    """Find a rig's landmarks on a frontal picture (H, W, 3) of it, its vertices being at `points` (V, 2) px there."""
    face = points[actor.face]
    middle, side = (face.min(0) + face.max(0)) / 2, 1.5 * float(np.ptp(face, axis=0).max())
    region = Region((float(middle[0]), float(middle[1])), side, 0.0)
    for _ in range(4):
        seen = landmarker.landmarks_in_regions(picture, [region])[0]
        region = landmarker.region_of_landmarks(seen.landmarks_px)
    landmarks = seen.landmarks_px
    front = (normals[:, 1] < -0.15) & (actor.neutral[:, 1] < np.quantile(actor.neutral[actor.face, 1], 0.98))
    candidates = np.flatnonzero(front)
    nearest = [candidates[np.argmin(((points[candidates] - p) ** 2).sum(1))] for p in landmarks]
    matrix = image_from_face_plane(landmarks)
    place = np.linalg.solve(matrix[:, :2], (points - matrix[:, 2]).T).T.astype(np.float32)

    def within(outline: tuple[int, ...]) -> NDArray[np.bool_]:
        polygon = landmarks[list(outline)].astype(np.float32)
        return np.array([cv2.pointPolygonTest(polygon, (float(x), float(y)), False) >= 0 for x, y in points])

    count = len(points)
    pairs = np.concatenate([actor.triangles[:, [i, j]] for i, j in ((0, 1), (1, 2), (2, 0))])
    links = csr_matrix((np.ones(2 * len(pairs), np.float32), np.concatenate([pairs, pairs[:, ::-1]]).T), (count, count))
    links.data[:] = 1.0
    degree = np.maximum(np.asarray(links.sum(1)).ravel(), 1)
    neighbours = csr_matrix(links.multiply(1.0 / degree[:, None]))
    brows = np.any([within(b) for b in _BROWS], axis=0)
    return Surface(np.array(nearest), place, front, within(_LIPS) & front, brows & front, neighbours)


@dataclass(frozen=True)
class Look:
    """One look of a person.

    Attributes:
        colors: (V, 3) 0..1, at rest.
        folds: (V, K) float32, how much darker each ARKit channel makes a vertex: wrinkles.
        cavity: how much darker hollows are.  gloss, hardness: of highlights.
        glasses: outlines of two lenses and of the frame's lines in head space, m; empty without glasses.
        frame_color: (3,).  lens: how dark the glass is.
    """

    colors: F32
    folds: F32
    cavity: float
    gloss: float
    hardness: float
    glasses: tuple[F32, ...]
    frame_color: F32
    lens: float


def random_look(actor: Actor, surface: Surface, random: np.random.Generator) -> Look:
    """Paint an actor (already another person's shape)."""
    colors = actor.colors.copy()
    u, v = surface.place.T
    skin = surface.front & ~surface.lips & ~surface.brows
    noise = random.normal(0, 1, (len(colors), 3)).astype(np.float32)
    for _ in range(int(random.integers(0, 5))):
        noise = surface.neighbours @ noise
    noise /= noise.std() + 1e-6
    grey = noise[:, :1] * float(random.uniform(0, 0.09)) + noise * float(random.uniform(0, 0.03))
    colors *= np.where(skin[:, None], np.exp(grey), 1)
    hair = np.float32(random.uniform(0.02, 0.25)) * np.float32([1.0, *np.sort(random.uniform(0.3, 1.0, 2))[::-1]])
    _mix(colors, surface.brows, hair if random.random() < 0.7 else colors[skin].mean(0), random.uniform(0, 0.9))
    lipstick = np.float32([random.uniform(0.3, 0.8), random.uniform(0.05, 0.5), random.uniform(0.1, 0.5)])
    _mix(colors, surface.lips, lipstick, random.uniform(0, 0.8) * (random.random() < 0.6))
    if random.random() < 0.35:
        moustache = (u / 0.34) ** 2 + ((v - 0.27) / 0.08) ** 2 < 1
        level = float(random.uniform(0.30, 0.75))
        chin = (v > level) & ((u / 0.40) ** 2 + ((v - 0.42) / 0.19) ** 2 > 1)
        beard = skin & ((moustache & (random.random() < 0.8)) | (chin & (random.random() < 0.8)))
        density = np.clip(random.normal(random.uniform(0.2, 0.8), 0.25, len(colors)), 0, 0.95).astype(np.float32)
        _mix(colors, beard, hair, density[beard][:, None])
    wears = random.random() < 0.25
    return Look(
        np.clip(colors, 0.01, 1).astype(np.float32),
        _random_folds(surface, random),
        cavity=float(random.uniform(0, 1.0)),
        gloss=float(random.choice([0.03, random.uniform(0, 0.35)])),
        hardness=float(np.exp(random.uniform(np.log(6), np.log(60)))),
        glasses=_random_glasses(actor, surface, random) if wears else (),
        frame_color=(random.uniform(0, 0.5) * random.uniform(0.3, 1, 3)).astype(np.float32),
        lens=float(random.choice([0.0, random.uniform(0, 0.5)])),
    )


def _mix(colors: F32, where: NDArray[np.bool_], other: F32, share: float | F32) -> None:
    colors[where] = colors[where] * (1 - share) + other * share


def _random_folds(surface: Surface, random: np.random.Generator) -> F32:
    """Lines across the forehead, between the brows and on the nose's root, and beside nose and mouth."""
    u, v = surface.place.T
    folds = np.zeros((len(u), len(ARKIT_CHANNELS)), np.float32)
    if random.random() < 0.4:
        return folds
    strength, phase = random.uniform(0.1, 0.6, 4), random.uniform(0, 6, 2)

    def add(channel: str, pattern: NDArray[np.floating]) -> None:
        folds[:, ARKIT_CHANNELS.index(channel)] += pattern * surface.front

    lines = np.maximum(np.sin(v * 2 * np.pi / random.uniform(0.07, 0.12) + 0.8 * np.cos(3 * u) + phase[0]), 0) ** 2
    forehead = lines * ((v > -1.0) & (v < -0.62)) * strength[0]
    add("browInnerUp", forehead * np.exp(-((u / 0.25) ** 2)))
    root = np.maximum(np.sin(v * 2 * np.pi / 0.08 + phase[1]), 0) * (np.abs(u) < 0.13) * (v > -0.45) * (v < -0.12)
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        add("browOuterUp" + side, forehead * np.exp(-(((u - sign * 0.35) / 0.2) ** 2)))
        between = np.exp(-(((u - sign * 0.06) / 0.02) ** 2)) * ((v > -0.7) & (v < -0.45))
        add("browDown" + side, between * strength[1])
        add("noseSneer" + side, root * (u * sign > -0.03) * strength[2])
        crease = np.exp(-(((u - sign * (0.24 + 0.45 * np.maximum(v - 0.1, 0))) / 0.025) ** 2)) * (
            (v > 0.08) & (v < 0.4)
        )
        for channel, share in (("mouthSmile", 1.0), ("noseSneer", 0.7), ("cheekSquint", 0.5), ("mouthUpperUp", 0.7)):
            add(channel + side, crease * strength[3] * share)
    return folds


def _random_glasses(actor: Actor, surface: Surface, random: np.random.Generator) -> tuple[F32, ...]:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    wide, high = random.uniform(0.020, 0.029), random.uniform(0.014, 0.024)
    power = random.uniform(0.5, 1.0)
    ring = np.stack([np.sign(f) * np.abs(f) ** power for f in (np.cos(angle), np.sin(angle))], axis=1) * [wide, high]
    forward = random.uniform(0.008, 0.016)
    parts, centres = [], []
    for eye in _EYES:
        corners = actor.neutral[surface.landmark_vertex[list(eye)]]
        centre = corners.mean(0) + np.float32([0, corners[:, 1].min() - corners[:, 1].mean() - forward, -0.002])
        centres.append(centre)
        parts.append(centre + np.stack([ring[:, 0], np.zeros(24), ring[:, 1]], axis=1))
    inward = np.float32([wide if centres[0][0] < centres[1][0] else -wide, 0, 0.004])
    parts.append(np.stack([centres[0] + inward, centres[1] + inward * [-1, 1, 1]]))
    for centre, away in zip(centres, (-inward, inward), strict=True):
        edge = centre + away * [1, 0, 0]
        parts.append(np.stack([edge, edge + np.float32([np.sign(away[0]) * 0.012, 0.09, 0.004])]))
    return tuple(p.astype(np.float32) for p in parts)
