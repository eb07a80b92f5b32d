"""Build the training set: many people in many clips, crops of their faces and the weights that made them.

python -m tools.train_appearance.build ict|head PEOPLE SEED OUT.npz        (with the recordings in ../shared/data)
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecap_addon.landmarks.face_crops import CROPS, cut_face
from facecap_addon.landmarks.protocol import Landmarker
from facecap_addon.landmarks.regions import Region
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.rig.channels import ARKIT_CHANNELS
from tools.train_prior.actors import Actor, warped
from tools.train_prior.build import channel_groups, main, mirror_index, show_progress
from tools.train_prior.curves import recorded_weights, vary
from tools.train_prior.draw import draw

from .channels import HARDLY_SHOWN
from .looks import Surface, random_look, surface_of
from .picture import SIZE, film_picture, random_film, random_turn, vertex_normals

F32 = NDArray[np.float32]
CLIPS = 3
PER_CLIP = 28
CALM = 4
"""Of a clip's pictures the first show the face nearly at rest: what the others are compared with."""


def expressions(base: F32, random: np.random.Generator) -> F32:
    """(PER_CLIP, 52) weights of a clip: nearly calm first, then any, the `HARDLY_SHOWN` often shown alone or added."""
    mirror = mirror_index()
    out = vary(base, PER_CLIP, channel_groups(), mirror, random)
    hardly_seen = [ARKIT_CHANNELS.index(c) for c in HARDLY_SHOWN]
    for row in out[CALM:]:
        if random.random() < 0.55:
            some = random.choice(hardly_seen, random.integers(1, 4), replace=False)
            level = random.uniform(0, 1, some.size)
            row[some] = level
            if random.random() < 0.7:
                row[mirror[some]] = level
        if random.random() < 0.25:
            row[hardly_seen] *= 0
    out[:CALM] *= random.uniform(0, 0.25, (CALM, 1)) * (random.random((CALM, 1)) < 0.6)
    at = {c: k for k, c in enumerate(ARKIT_CHANNELS)}
    for a, b in (("jawLeft", "jawRight"), ("mouthLeft", "mouthRight")):
        both = np.minimum(out[:, at[a]], out[:, at[b]])
        out[:, at[a]] -= both
        out[:, at[b]] -= both
    out[:, at["jawOpen"]] = np.maximum(out[:, at["jawOpen"]], 0.35 * out[:, at["tongueOut"]])
    return out


def frontal_surface(actor: Actor, landmarker: Landmarker) -> Surface:
    """Where the rig's landmarks, lips and brows are."""
    normals = vertex_normals(np.ascontiguousarray(actor.neutral, np.float32), actor.triangles)
    distance, focal = 2.0, 200 * 2.0 / 0.16
    flat = np.stack([actor.neutral[:, 0], -actor.neutral[:, 2]], axis=1) / (actor.neutral[:, 1:2] + distance)
    points = (flat * focal + SIZE / 2).astype(np.float32)
    light = 0.35 + 0.65 * np.maximum(normals @ np.float32([0.2, -0.9, 0.35]), 0)[:, None]
    grey = np.full((SIZE, SIZE, 3), 0.3, np.float32)
    depth = (actor.neutral[:, 1] + distance).astype(np.float32)
    image = draw(points, depth, (actor.colors * light).astype(np.float32), actor.triangles, SIZE, grey)
    picture = (np.clip(image, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
    return surface_of(actor, normals, picture, points, landmarker)


def build(actor: Actor, curves: Path, people: int, seed: int, out: Path) -> None:
    """Draw `people` warped actors, each in `CLIPS` looks, and save crops, landmarks and weights to `out` (.npz)."""
    random = np.random.default_rng(seed)
    landmarker = open_landmarker()
    surface = frontal_surface(actor, landmarker)
    base = recorded_weights(curves, ARKIT_CHANNELS)
    rows: dict[str, list[NDArray]] = {c.name: [] for c in CROPS}
    rows |= {name: [] for name in ("landmarks", "depth", "weights", "neutral", "person", "clip")}
    started, lost = time.time(), 0
    for person in range(people):
        who = warped(actor, random)
        for clip in range(person * CLIPS, (person + 1) * CLIPS):
            look, film = random_look(who, surface, random), random_film(random)
            for i, weights in enumerate(expressions(base, random) * actor.has):
                turn = random_turn(random, calm=i < CALM)
                image, points = film_picture(who, surface, look, film, weights, turn, random)
                near = landmarker.region_of_landmarks(points[surface.landmark_vertex])
                jitter = random.normal(0, [0.02, 0.02, 0.03])
                x, y = np.asarray(near.center_px) + jitter[:2] * near.side_px
                region = Region((float(x), float(y)), near.side_px * float(np.exp(jitter[2])), near.rotation_rad)
                seen = landmarker.landmarks_in_regions(image, [region])[0]
                if seen.presence < 0.6:
                    lost += 1
                    continue
                for shape, part in zip(CROPS, cut_face(image, seen.landmarks_px), strict=True):
                    rows[shape.name].append(part)
                rows["landmarks"].append(seen.landmarks_px)
                rows["depth"].append(seen.depth_px)
                rows["weights"].append(weights.astype(np.float32))
                rows["neutral"].append(np.float32(i < CALM))
                rows["person"].append(np.float32(person))
                rows["clip"].append(np.float32(clip))
        show_progress(out.stem, person + 1, people, lost, started)
    np.savez(out, **{name: np.array(values) for name, values in rows.items()}, has=actor.has)


if __name__ == "__main__":
    main(build)
