"""A face without shape keys, solved from pictures of it under known controls. `python -m benchmarks.bone_rig`

Rigify's own upgraded face (`--old`: the former one) is bound to the sample head; recorded curves go through the
shipped preset to its controls; Blender evaluates the mesh; pictures of it, with a turning head, are solved on the
channels that the preset makes of the rig. Printed, and kept in `benchmarks/results/bone_rig.txt`: how closely the
controls follow the true ones, and how far moving skin is off, beside a face that does nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import bpy  # type: ignore[import-not-found]
import numpy as np
from numpy.typing import NDArray

from benchmarks.ground_truth import ROOT
from benchmarks.render_truth import START_S
from facecap_addon import api
from facecap_addon.arrays import F32, F64
from facecap_addon.atomic_file import atomic_path
from facecap_addon.blender.scene.head.control_deltas import measure_mapped, on_stage
from facecap_addon.footage.write import write_video
from facecap_addon.rig.blendshapes import BlendshapeRig, save_rig
from facecap_addon.rig.channels import ARKIT_CHANNELS
from facecap_addon.rig.mapping.evaluate import evaluate
from facecap_addon.rig.mapping.mapping import Mapping, Target
from facecap_addon.rig.mapping.mapping_file import load_mapping
from facecap_addon.rig.mapping.presets import shipped_presets
from facecap_addon.rig.placement.mesh_view import LENS, Mesh, View, render_view, turn_view
from facecap_addon.takes.formats.live_link import read_live_link_csv
from facecap_addon.takes.take import Take
from tests.blender.rigs.rigify import Rigged, rigify_head

FPS, PICTURE_PX = 25.0, 640
FRONT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""A camera before the head, which looks along −Y: its axes (right, down, forward) in rig space."""
_MOVES_M = 0.001
_STILL_PART = 0.05
RESULTS = Path(__file__).resolve().parent / "results" / "bone_rig.txt"


@dataclass(frozen=True)
class Scores:
    """How near a solve is to the truth.

    Attributes:
        correlation: (T,) of each control that moves, `controls` by name.
        rmse_mm: of skin that moves, over all frames; `still_mm` for a face that does nothing.
    """

    controls: tuple[Target, ...]
    correlation: F64
    rmse_mm: float
    still_mm: float


def recorded(path: Path, seconds: float) -> tuple[F64, F32]:
    """Times (F,) and ARKit weights (F, 52) of a recording."""
    take = read_live_link_csv(path)
    time_s = np.arange(round(seconds * FPS)) / FPS
    columns = [take.channels.index(name) for name in ARKIT_CHANNELS]
    weights = [np.interp(START_S + time_s, take.time_s, take.weights[:, column]) for column in columns]
    return time_s, np.clip(np.stack(weights, axis=1), 0, 1).astype(np.float32)


def shown(rigged: Rigged, targets: tuple[Target, ...], values: F32) -> F32:
    """(F, V, 3) m: the mesh as Blender shows it under values (F, T) of controls."""
    with on_stage(rigged.skin.obj) as stage:
        return np.stack([stage.rest + stage.displace(dict(zip(targets, row.tolist(), strict=True))) for row in values])


def film(path: Path, time_s: F64, vertices: F32, rig: BlendshapeRig) -> None:
    """Pictures of a turning head, from its vertices (F, V, 3)."""
    middle = np.array([0.0, float(rig.neutral[:, 1].min()) + 0.06, -0.01])
    phase = 2 * np.pi * time_s / max(time_s[-1], 1.0)

    def picture(frame: int) -> NDArray[np.uint8]:
        turn = turn_view(FRONT, 0.25 * np.sin(phase[frame]), 0.08 * np.sin(2 * phase[frame] + 1.0))
        view = View(turn, middle, LENS * 0.36, 2 * PICTURE_PX)
        return render_view(Mesh(vertices[frame], rig.triangles, rig.colors), view).picture((0.3, -0.4, -0.85), 0.35)

    frames = ((float(time_s[frame]), picture(frame)) for frame in range(len(time_s)))
    for _ in write_video(path, frames, quality=16):
        pass


def score(rigged: Rigged, mapping: Mapping, rig: BlendshapeRig, take: Take, truth: F32, values: F32) -> Scores:
    """Compare a solve with the truth.

    Args:
        truth: (F, V, 3) m.  values: (F, T) of the mapping's controls.
    """
    targets, solved = evaluate(mapping, take.channels, take.weights.astype(np.float32))
    place = {target: k for k, target in enumerate(evaluate(mapping, ARKIT_CHANNELS, np.zeros((1, 52), np.float32))[0])}
    true = np.stack([values[:, place[target]] for target in targets], axis=1)
    # Controls of which the performance makes next to nothing have no curve to follow.
    used = np.ptp(true, axis=0) > _STILL_PART * _full_motion(mapping, targets)
    correlation = np.array([_correlate(a, b) for a, b in zip(true.T[used], solved.T[used], strict=True)])
    mesh = shown(rigged, targets, solved)
    skin = np.linalg.norm(rig.deltas, axis=2).max(axis=0) > _MOVES_M
    for part in rigged.skin.parts.values():
        skin &= ~part
    off, moved = mesh[:, skin] - truth[:, skin], truth[:, skin] - rig.neutral[skin]
    rms = [1000 * float(np.sqrt((a**2).sum(-1).mean())) for a in (off, moved)]
    return Scores(tuple(t for t, u in zip(targets, used, strict=True) if u), correlation, rms[0], rms[1])


def _full_motion(mapping: Mapping, targets: tuple[Target, ...]) -> F64:
    """(T,) the largest factor of each control: what a channel alone makes of it."""
    return np.array([max(abs(link.factor) for link in mapping.links if link.target == target) for target in targets])


def _correlate(true: F32, solved: F32) -> float:
    return float(np.corrcoef(true, solved)[0, 1]) if np.ptp(solved) > 0 else 0.0


def describe(scores: Scores) -> list[str]:
    """What was found, in lines."""
    by = scores.correlation
    worst = np.argsort(by)[:8]
    named = ", ".join(f"{scores.controls[k].name} {scores.controls[k].axis} {by[k]:.2f}" for k in worst)
    return [
        f"controls that move: {len(by)}; correlation mean {by.mean():.3f}, median {np.median(by):.3f}, "
        f"of {np.mean(by >= 0.8):.0%} at least 0.8",
        f"worst: {named}",
        f"moving skin: RMSE {scores.rmse_mm:.2f} mm; a face that does nothing {scores.still_mm:.2f} mm",
    ]


def main() -> None:
    """Render, solve, measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--old", action="store_true", help="the face before Upgrade Face Rig")
    parser.add_argument("--seconds", type=float, default=7.0)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--preset", type=Path, help="another mapping than the shipped one")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the solve")
    options = parser.parse_args()
    name = "Rigify old face" if options.old else "Rigify new face"
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    rigged = rigify_head(upgraded=not options.old)
    mapping = load_mapping(options.preset or shipped_presets()[name])
    began = time.perf_counter()
    measured = measure_mapped(rigged.skin.obj, mapping)
    lines = [
        f"python -m benchmarks.bone_rig {' '.join(sys.argv[1:])}".strip(),
        f"{name}: {len(measured.rig.channels)} channels measured in {time.perf_counter() - began:.1f} s; "
        f"median {np.median(measured.bent):.1%} from linear",
    ]
    time_s, weights = recorded(options.data / "curves" / "alex_rom_3.csv", options.seconds)
    targets, values = evaluate(mapping, ARKIT_CHANNELS, weights)
    truth = shown(rigged, targets, values)
    with tempfile.TemporaryDirectory() as folder:
        video, character = Path(folder) / "face.mp4", Path(folder) / "face.rig.npz"
        film(video, time_s, truth, measured.rig)
        with atomic_path(character) as temporary:
            save_rig(temporary, measured.rig)
        settings = dict(pair.split("=", 1) for pair in options.set)
        began = time.perf_counter()
        take = api.solve(video, character=character, out=Path(folder) / "out", blend=False, **settings)
        lines.append(f"solved {take.frame_count} frames in {time.perf_counter() - began:.0f} s")
    lines += describe(score(rigged, mapping, measured.rig, take, truth, values))
    print("\n".join(lines))
    if not options.preset:
        kept = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() and options.old else ""
        RESULTS.write_text(kept + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # bpy can hang at exit
