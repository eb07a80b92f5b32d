"""Build the training set: crops of faces, drawn and filmed, with things before them, and where those are.

python -m tools.train_visibility.build ict|head PEOPLE SEED OUT.npz        (with the recordings in ../shared/data)
python -m tools.train_visibility.build film SEED OUT.npz CLIP [CLIP ...]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.landmarks.face_crops import WHOLE_FACE, cut_face
from facecap_addon.landmarks.protocol import PRESENCE_THRESHOLD, Landmarker
from facecap_addon.landmarks.regions import Region, crop, to_crop
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.visibility import CELL
from facecap_addon.rig.channels import ARKIT_CHANNELS
from tools.train_appearance.build import expressions, frontal_surface
from tools.train_appearance.looks import random_look
from tools.train_appearance.picture import film_picture, random_film, random_turn
from tools.train_prior.actors import Actor, ict_actor, sample_actor, warped
from tools.train_prior.build import show_progress
from tools.train_prior.curves import recorded_weights

from .occluders import Scene, put_before, put_harmless

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]
CLIPS, PER_CLIP, LOOKS = 3, 9, 3
"""Of each person: clips (light, skin, camera), pictures in each, and things tried before every picture."""
SIDE = 288
FILM_STEP, FILM_LOOKS = 3, 9


class Rows:
    """What is learned from, as it grows."""

    def __init__(self) -> None:
        self.crops: list[U8] = []
        self.covered: list[U8] = []
        self.person: list[int] = []
        self.lost = 0

    def add(self, scene: Scene, alpha: F32, person: int, landmarker: Landmarker, random: np.random.Generator) -> None:
        """Look at a scene as a solve does, and keep its crop and what covers it (H, W)."""
        image = (np.clip(scene.image, 0, 1) * 255).astype(np.uint8)
        near = landmarker.region_of_landmarks(scene.landmarks)
        jitter = random.normal(0, [0.02, 0.02, 0.03])
        x, y = np.asarray(near.center_px) + jitter[:2] * near.side_px
        region = Region((float(x), float(y)), near.side_px * float(np.exp(jitter[2])), near.rotation_rad)
        seen = landmarker.landmarks_in_regions(image, [region])[0]
        if seen.presence < PRESENCE_THRESHOLD:
            self.lost += 1
            return
        landmarks = seen.landmarks_px if random.random() < 0.8 else scene.landmarks
        (part,) = cut_face(image, landmarks, (WHOLE_FACE,))
        (cover,) = cut_face(np.repeat((alpha * 255).astype(np.uint8)[..., None], 3, axis=2), landmarks, (WHOLE_FACE,))
        height, width = cover.shape[:2]
        cells = cover[..., 0].reshape(height // CELL, CELL, width // CELL, CELL).mean((1, 3))
        self.crops.append(part)
        self.covered.append(np.round(cells).astype(np.uint8))
        self.person.append(person)

    def save(self, out: Path) -> None:
        """Write all rows to an .npz."""
        np.savez(out, crops=np.stack(self.crops), covered=np.stack(self.covered), person=np.array(self.person))


def build_drawn(actor: Actor, curves: Path, people: int, seed: int, out: Path) -> None:
    """Draw `people` warped actors in several looks, each with things before them, and save what is seen of them."""
    random = np.random.default_rng(seed)
    landmarker = open_landmarker()
    surface = frontal_surface(actor, landmarker)
    base = recorded_weights(curves, ARKIT_CHANNELS)
    rows, started = Rows(), time.time()
    for person in range(people):
        who = warped(actor, random)
        for _ in range(CLIPS):
            look, film = random_look(who, surface, random), random_film(random)
            every = expressions(base, random) * actor.has
            for weights in every[random.choice(len(every), PER_CLIP, replace=False)]:
                turn = random_turn(random, calm=False)
                picture, points = film_picture(who, surface, look, film, weights, turn, random)
                near = landmarker.region_of_landmarks(points[surface.landmark_vertex])
                seen = landmarker.landmarks_in_regions(picture, [near])[0]
                if seen.presence < PRESENCE_THRESHOLD:
                    continue
                face = Scene(picture.astype(np.float32) / 255, seen.landmarks_px)
                add_looks(rows, face, LOOKS, person, landmarker, random)
        show_progress(out.stem, person + 1, people, rows.lost, started)
    rows.save(out)


def build_filmed(clips: list[Path], seed: int, out: Path) -> None:
    """Cut faces out of clips, change light and proportions, put things before them, and save what is seen of them."""
    random = np.random.default_rng(seed)
    landmarker = open_landmarker()
    rows = Rows()
    for number, clip in enumerate(clips):
        for picture in list(read_faces(clip, landmarker, random)):
            for _ in range(FILM_LOOKS):
                add_looks(rows, _film_again(picture, random), 1, number, landmarker, random)
        print(f"{clip.name}: {len(rows.crops)} crops", file=sys.stderr, flush=True)
    rows.save(out)


def add_looks(
    rows: Rows, face: Scene, count: int, person: int, landmarker: Landmarker, random: np.random.Generator
) -> None:
    """Keep a face as often as asked, half of the time with something before it."""
    for _ in range(count):
        scene, alpha = put_harmless(face, random), np.zeros(face.shape, np.float32)
        for _ in range(int(random.choice([0, 1, 2], p=[0.42, 0.5, 0.08]))):
            scene, more = put_before(scene, random)
            alpha = np.maximum(alpha, more)
        rows.add(scene, alpha, person, landmarker, random)


def read_faces(clip: Path, landmarker: Landmarker, random: np.random.Generator) -> Iterator[Scene]:
    """The face in every third frame or so of a clip, upright in a square of its own."""
    region: Region | None = None
    for frame in read_frames(open_footage(clip)):
        if region is None:
            faces = landmarker.find_faces(frame.image)
            if not faces:
                continue
            region = landmarker.region_of_face(faces[0])
        seen = landmarker.landmarks_in_regions(frame.image, [region])[0]
        if seen.presence < PRESENCE_THRESHOLD:
            region = None
            continue
        region = landmarker.region_of_landmarks(seen.landmarks_px)
        if frame.index % FILM_STEP == 0:
            square = Region(region.center_px, region.side_px * float(random.uniform(0.95, 1.2)), region.rotation_rad)
            image = crop(frame.image, square, SIDE).astype(np.float32) / 255
            yield Scene(image, to_crop(seen.landmarks_px, square, SIDE).astype(np.float32))


def _film_again(scene: Scene, random: np.random.Generator) -> Scene:
    """The same face narrower or wider, turned, in another light, by another camera."""
    stretch = np.exp(random.normal(0, 0.06, 2))
    angle, middle = float(random.normal(0, 0.12)), SIDE / 2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn * stretch * float(np.exp(random.normal(-0.05, 0.1)))
    shift = middle - matrix @ [middle, middle] + random.normal(0, 6, 2)
    affine = np.concatenate([matrix, shift[:, None]], axis=1)
    image = cv2.warpAffine(scene.image, affine, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    gains = np.exp(random.normal(0, 0.25) + random.normal(0, 0.1, 3)).astype(np.float32)
    image = np.clip(image, 0, 1) ** np.float32(np.exp(random.normal(0, 0.2))) * gains
    grey = image.mean(2, keepdims=True)
    image = grey + (image - grey) * np.float32(random.choice([0.0, random.uniform(0.5, 1.3)], p=[0.1, 0.9]))
    if random.random() < 0.4:
        image = cv2.GaussianBlur(image, (0, 0), float(random.uniform(0.4, 2.0)))
    if random.random() < 0.4:
        image = image + random.standard_normal(image.shape, np.float32) * np.float32(random.uniform(0, 0.03))
    landmarks = scene.landmarks @ matrix.T.astype(np.float32) + shift.astype(np.float32)
    return Scene(np.clip(image, 0, 1).astype(np.float32), landmarks.astype(np.float32))


def main() -> None:
    kind = sys.argv[1]
    if kind == "film":
        build_filmed([Path(p) for p in sys.argv[4:]], int(sys.argv[2]), Path(sys.argv[3]))
        return
    people, seed, out = int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])
    data = Path(__file__).resolve().parents[3] / "shared" / "data"
    actor = ict_actor(data / "rig", ARKIT_CHANNELS) if kind == "ict" else sample_actor(ARKIT_CHANNELS)
    build_drawn(actor, data / "curves" / "alex_rom_3.csv", people, seed, out)


if __name__ == "__main__":
    main()
