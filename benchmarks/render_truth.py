"""Renders a second performance with known weights, on a head that is neither the sample head nor the first truth's.

    python -m benchmarks.render_truth [--data ../shared/data] [--out build/second_rom]

The first truth (`renders/ict_rom.mp4`) was looked at while the fit was made. This one is kept apart: a person of other
proportions, skin and light, 25 frames per second, under rows of `alex_rom_3.csv` that the priors were not trained on
(113 to 120 s). `python -m benchmarks.second_truth` measures on it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import bpy  # type: ignore[import-not-found]
import cv2
import numpy as np
from mathutils import Matrix  # type: ignore[import-not-found]
from numpy.typing import NDArray

from benchmarks.ground_truth import ROOT
from benchmarks.ict import ict_landmark_vertices, load_ict_rig
from facecap_addon.atomic_file import atomic_path
from facecap_addon.footage.write import write_video
from facecap_addon.rig.channels import ARKIT_CHANNELS, arkit_name
from facecap_addon.takes.formats.live_link import read_live_link_csv
from sample_scenes.studio import head_matrix, open_studio
from tools.train_prior.actors import Palette, paint_ict_head

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
START_S, SECONDS, FPS = 113.0, 7.0, 25.0
SIZE_PX, SAMPLES, LENS_MM, SENSOR_MM, DISTANCE_M = 480, 12, 58.0, 36.0, 0.62
SEED = 20
# Not the colours that ICT heads are painted with in training: darker skin, bluish eyes.
PALETTE = Palette(
    skin=(0.33, 0.17, 0.11),
    lips=(0.27, 0.09, 0.08),
    brows=(0.02, 0.013, 0.01),
    mouth=(0.10, 0.02, 0.02),
    gums=(0.34, 0.10, 0.10),
    teeth=(0.72, 0.68, 0.58),
    sclera=(0.7, 0.68, 0.66),
    iris=(0.1, 0.16, 0.2),
    pupil=(0.004, 0.004, 0.004),
    brow_m=0.0036,
    iris_rad=0.46,
)


def perform(path: Path) -> tuple[F64, F32, F64]:
    """Times (F,), weights (F, 52) of the recording and head turns (F, 3) of our own: it has none."""
    take = read_live_link_csv(path)
    time_s = np.arange(round(SECONDS * FPS)) / FPS
    columns = [take.channels.index(name) for name in ARKIT_CHANNELS]
    weights = [np.interp(START_S + time_s, take.time_s, take.weights[:, column]) for column in columns]
    phase = 2 * np.pi * time_s / SECONDS
    turn = np.stack([0.30 * np.sin(phase), 0.10 * np.sin(2 * phase + 1.0), 0.06 * np.sin(3 * phase + 0.5)], axis=1)
    return time_s, np.clip(np.stack(weights, axis=1), 0, 1).astype(np.float32), turn


def make_person(neutral: F32, deltas: F32) -> tuple[F32, F32]:
    """Another person: wider jaw, smaller mouth, longer nose and so on, as a smooth change of space; keys go with it."""
    random = np.random.default_rng(SEED)
    front = neutral[np.linalg.norm(deltas, axis=2).max(0) > 0.002]
    centres = front[random.integers(len(front), size=10)]
    widths = random.uniform(0.018, 0.05, 10)
    pushes = random.normal(0, 1, (10, 3)) * (widths * 0.12)[:, None]
    scale, mirror = np.array([1.07, 0.97, 0.94]), np.array([-1.0, 1.0, 1.0])

    def warp(points: F32) -> F32:
        out = points * scale
        for centre, width, push in zip(centres, widths, pushes, strict=True):
            for place, by in ((centre, push), (centre * mirror, push * mirror)):
                out = out + by * np.exp(-((points - place) ** 2).sum(-1, keepdims=True) / (2 * width**2))
        return out.astype(np.float32)

    person = warp(neutral)
    return person, np.stack([warp(neutral + delta) - person for delta in deltas])


def put_head(neutral: F32, triangles: NDArray[np.int32], colours: F32) -> bpy.types.Object:
    """The head as a mesh object with its colours as skin, in the studio instead of the sample head."""
    for other in [o for o in bpy.data.objects if o.type in ("MESH", "EMPTY")]:
        bpy.data.objects.remove(other)
    mesh = bpy.data.meshes.new("Truth")
    mesh.from_pydata(neutral.tolist(), [], triangles.tolist())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(triangles), bool))
    attribute = mesh.color_attributes.new("Skin", "FLOAT_COLOR", "POINT")
    attribute.data.foreach_set("color", np.c_[colours, np.ones(len(colours))].astype(np.float32).ravel())
    material = bpy.data.materials.new("Skin")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    colour = nodes.new("ShaderNodeVertexColor")
    colour.layer_name = "Skin"
    shader = nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = 0.45
    links.new(colour.outputs["Color"], shader.inputs["Base Color"])
    mesh.materials.append(material)
    head = bpy.data.objects.new("Truth", mesh)
    bpy.context.scene.collection.objects.link(head)
    return head


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "second_rom", help="without ending")
    options = parser.parse_args()
    time_s, weights, turn = perform(options.data / "curves" / "alex_rom_3.csv")
    rig = load_ict_rig(options.data / "rig" / "ict_facekit_arkit.npz")
    neutral, deltas = make_person(rig.neutral, rig.deltas)
    landmarks = ict_landmark_vertices(options.data / "rig" / "ict_vertex_indices.json")
    colours = paint_ict_head(neutral, landmarks, PALETTE)
    columns = {name: k for k, name in enumerate(ARKIT_CHANNELS)}
    rig_weights = np.stack(
        [weights[:, columns[arkit_name(n)]] if arkit_name(n) in columns else 0 * weights[:, 0] for n in rig.channels], 1
    )
    studio = open_studio(SIZE_PX, SAMPLES, lens_mm=LENS_MM, distance_m=DISTANCE_M)
    # A harder light from the other side than on the sample take.
    bpy.data.objects["Key"].location.x *= -1
    bpy.data.objects["Key"].data.energy, bpy.data.objects["Key"].data.size = 16.0, 0.35
    head = put_head(neutral, rig.triangles, colours)
    middle = neutral[:9409].mean(0)
    centre = np.array([middle[0], neutral[:, 1].min() + 0.09, middle[2]])
    world = np.stack([head_matrix(one, np.zeros(3)) for one in turn])
    world[:, :3, 3] -= np.einsum("fij,j->fi", world[:, :3, :3], centre)
    bpy.context.view_layer.update()  # else the camera stands at the origin still
    with atomic_path(options.out.with_suffix(".npz")) as temporary:
        np.savez_compressed(
            temporary, time_s=time_s, channels=np.array(ARKIT_CHANNELS), weights=weights,
            rig_names=np.array(rig.channels), rig_weights=rig_weights.astype(np.float32), world_from_head=world,
            world_from_camera=np.array(bpy.context.scene.camera.matrix_world), lens_mm=LENS_MM, sensor_mm=SENSOR_MM,
            resolution=np.array([SIZE_PX, SIZE_PX]), neutral_m=neutral, deltas_m=deltas.astype(np.float16),
        )  # fmt: skip
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "frame.png"

        def shoot(row: int) -> NDArray[np.uint8]:
            shape = neutral + np.tensordot(rig_weights[row], deltas, axes=1).astype(np.float32)
            head.data.vertices.foreach_set("co", shape.astype(np.float32).ravel())
            head.data.update()
            head.matrix_world = Matrix(world[row].tolist())
            studio.shoot(picture)
            return np.asarray(cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB), np.uint8)

        frames = ((float(time_s[row]), shoot(row)) for row in range(len(time_s)))
        for done in write_video(options.out.with_suffix(".mp4"), frames, quality=20):
            left_s = (time.perf_counter() - began) / done * (len(time_s) - done)
            print(f"frame {done} of {len(time_s)}, {left_s:.0f} s left", file=sys.stderr)


if __name__ == "__main__":
    main()
