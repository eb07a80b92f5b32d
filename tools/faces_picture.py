"""Make the guide's picture of generated expressions across faces, as figure 6 of Seo and Luo.

python -m tools.faces_picture
"""

from __future__ import annotations

import numpy as np

from facecap_addon.arrays import F32
from facecap_addon.generate.authored.proportions import Proportions, Shaper
from facecap_addon.generate.learned.generator import Generator, find_shipped, generate_sequence, load_generator
from facecap_addon.generate.solve_weights import place_on_character
from facecap_addon.geometry.quaternions import FRONT
from facecap_addon.images.draw import draw_text
from facecap_addon.images.encode import write_image
from facecap_addon.jobs.steps.sample_head import CACHE
from facecap_addon.landmarks.layout import mediapipe_of
from facecap_addon.retarget.warp import make_warp
from facecap_addon.rig.blendshapes import BlendshapeRig, load_rig
from facecap_addon.rig.embedding import LandmarkEmbedding, landmark_geometry, load_embedding
from facecap_addon.rig.placement.mesh_view import Mesh, frame_view, render_view, turn_view

from .fetch_clip import ROOT

PICTURE = ROOT / "docs" / "images" / "generate-faces.png"
SHOWN, SEED = ("happiness", "surprise"), 3
MOMENTS = (0.0, 0.25, 0.5, 1.0)
"""How far the expression has come."""
SIDE, LABEL = 170, 22
LIGHT = (0.3, -0.5, -1.0)


def heads() -> dict[str, Proportions]:
    """Names of heads, and what sets them apart."""
    none = np.zeros((3, 6))
    return {
        "as it is": Proportions(np.ones(3), none, 0.0, 0.0, 0.0),
        "wide mouth": Proportions(np.array([1.07, 1.0, 0.98]), none, 1.8, -1.0, -0.5),
        "narrow mouth": Proportions(np.array([0.93, 1.0, 1.02]), none, -1.8, 0.5, 0.5),
        "long jaw": Proportions(np.array([0.94, 1.0, 1.06]), none, 0.0, -1.8, 1.8),
        "short jaw": Proportions(np.array([1.06, 1.0, 0.95]), none, 0.3, 1.8, -1.8),
    }


def main() -> None:
    """Draw a row for each head."""
    rig = load_rig(sorted(CACHE.glob("rig-*.npz"))[-1])
    embedding = load_embedding(sorted(CACHE.glob("landmarks-*.npz"))[-1])
    rest = landmark_geometry(rig, embedding)[0][mediapipe_of("bu-83")].astype(np.float64)
    shaper = Shaper(rest, "bu-83")
    generators = [load_generator(find_shipped(name)) for name in SHOWN]
    rows = []
    for name, proportions in heads().items():
        vertices = move_vertices(rig, embedding, shaper, proportions)
        face = shaper.move(rest, proportions)
        tiles = [draw(frame, rig, embedding) for g in generators for frame in show(g, vertices, face, rig, embedding)]
        row = np.concatenate(tiles, axis=1)
        draw_text(row, (6, 16), name, 14, (60, 60, 60))
        rows.append(row)
    title = np.full((LABEL, rows[0].shape[1], 3), 250, np.uint8)
    for k, name in enumerate(SHOWN):
        draw_text(title, (6 + k * len(MOMENTS) * SIDE, 16), name, 15, (40, 40, 40))
    write_image(PICTURE, np.concatenate([title, *rows]))


def move_vertices(rig: BlendshapeRig, embedding: LandmarkEmbedding, shaper: Shaper, proportions: Proportions) -> F32:
    """(V, 3) float32 m, rig space: the head's vertices in other proportions."""
    axes = np.asarray(embedding.head_from_rig, np.float64)
    moved = shaper.move(rig.neutral @ axes[:3, :3].T + axes[:3, 3], proportions)
    return ((moved - axes[:3, 3]) @ axes[:3, :3]).astype(np.float32)


def show(
    generator: Generator, vertices: F32, face: np.ndarray, rig: BlendshapeRig, embedding: LandmarkEmbedding
) -> list[F32]:
    """Moments (V, 3) of an expression on a head, on its way to the strongest one."""
    sequence = generate_sequence(generator, seed=SEED, rest=face)
    placed = place_on_character(sequence, face)
    amount = np.linalg.norm(placed.face, axis=2).sum(axis=1)
    apex = int(amount.argmax())
    picks = [int((amount[: apex + 1] >= share * amount[apex]).argmax()) for share in MOMENTS]
    warp = make_warp(vertices, rig.triangles, embedding, sequence.scheme)
    turn = np.asarray(embedding.head_from_rig, np.float64)[:3, :3]
    return list(warp.play(placed.face[picks] @ turn))


def draw(vertices: F32, rig: BlendshapeRig, embedding: LandmarkEmbedding) -> np.ndarray:
    """(SIDE, SIDE, 3) uint8: a head from the front, a little from the side."""
    neutral = landmark_geometry(rig, embedding)[0]
    turn, shift = embedding.head_from_rig[:3, :3], embedding.head_from_rig[:3, 3]
    seen = (neutral[np.asarray(embedding.valid)].astype(np.float64) - shift) @ turn
    view = frame_view(seen, turn_view(FRONT @ turn, 0.25, 0.0), 0.64, 2 * SIDE)
    return render_view(Mesh(vertices, rig.triangles, rig.colors), view).picture(LIGHT)


if __name__ == "__main__":
    main()
