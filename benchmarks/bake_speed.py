"""Seconds to bake 52 channels x 10,000 frames into a new action, and that the keys evaluate.

    python -m benchmarks.bake_speed [--frames 10000] [--rounds 3]

Needs bpy. The least of some rounds counts, in seconds and beside handing bare curves the same numbers; the asked-for
time is 1 s.
"""

from __future__ import annotations

import argparse
import time

import bpy
import numpy as np

from benchmarks.processor import processor
from facecap_addon.blender.scene.animation.action import key_channels
from facecap_addon.blender.scene.animation.curves import curves_of
from facecap_addon.rig.channels import ARKIT_CHANNELS

ASKED_S = 1.0


def head_with_keys(channels: tuple[str, ...]) -> bpy.types.Object:
    """A small mesh object with a shape key per channel; how large the mesh is does not matter to baking."""
    mesh = bpy.data.meshes.new("Head")
    mesh.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    obj = bpy.data.objects.new("Head", mesh)
    bpy.context.scene.collection.objects.link(obj)
    obj.shape_key_add(name="Basis", from_mix=False)
    for k, channel in enumerate(channels):
        obj.shape_key_add(name=channel, from_mix=False).data[k % 3].co.z = 1.0
    return obj


def bare_s(obj: bpy.types.Object, frames: np.ndarray, weights: np.ndarray) -> float:
    """Seconds to hand the numbers once more to curves that are there already."""
    blocks, there = obj.data.shape_keys.key_blocks, curves_of(obj.data.shape_keys)
    curves = [there.find(blocks[channel].path_from_id("value")) for channel in ARKIT_CHANNELS]
    assert all(len(curve.keyframe_points) == len(frames) for curve in curves)
    pairs = np.empty((len(frames), 2), np.float32)
    started = time.perf_counter()
    for k, curve in enumerate(curves):
        pairs[:, 0], pairs[:, 1] = frames, weights[:, k]
        curve.keyframe_points.foreach_set("co", pairs.ravel())
        curve.update()
    return time.perf_counter() - started


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    weights = np.random.default_rng(0).uniform(0, 1, (options.frames, len(ARKIT_CHANNELS))).astype(np.float32)
    # Frames of footage at another rate than the scene's: keys lie between whole frames.
    frames = 1.0 + np.arange(options.frames) * 24 / 29.97
    seconds: list[float] = []
    for _ in range(options.rounds):
        bpy.ops.wm.read_homefile(use_empty=True)
        obj = head_with_keys(ARKIT_CHANNELS)
        started = time.perf_counter()
        key_channels(obj, ARKIT_CHANNELS, frames, weights)
        seconds.append(time.perf_counter() - started)
    bare = min(bare_s(obj, frames, weights) for _ in range(options.rounds))
    middle = options.frames // 2
    bpy.context.scene.frame_set(int(frames[middle]), subframe=float(frames[middle] % 1))
    evaluated = obj.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.shape_keys
    values = np.array([evaluated.key_blocks[c].value for c in ARKIT_CHANNELS])
    error = float(np.abs(values - weights[middle]).max())
    print(processor())
    print(f"Blender {bpy.app.version_string}: {len(ARKIT_CHANNELS)} channels x {options.frames} frames baked in")
    print(f"  {min(seconds) / bare:.1f} times what handing bare curves the same numbers takes")
    print(
        f"  {min(seconds):.2f} s (of {', '.join(f'{s:.2f}' for s in seconds)}), asked for {ASKED_S:.0f} s; "
        f"evaluated at frame {frames[middle]:.3f} to {error:.1e}"
    )


if __name__ == "__main__":
    main()
