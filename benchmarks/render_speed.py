"""Speed of the differentiable renderer: `python -m benchmarks.render_speed`.

The skin of the ICT head (9,409 vertices) at 256 x 256 on two threads: rasterising alone, and a whole picture
(rasterise, shade, interpolate, antialias) with its derivatives.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks.ground_truth import ROOT, SKIN, load_truth
from facecap_addon.render.antialias import Topology, topology_of
from facecap_addon.render.camera import project
from facecap_addon.render.rasterise_cpu import rasterise_cpu
from facecap_addon.render.renderer import Appearance, render

SIZE, BATCH, ROUNDS = 256, 8, 12


def milliseconds(function: Callable[[], object]) -> float:
    """Median time of a call, ms."""
    function()
    spent = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        function()
        spent.append(time.perf_counter() - began)
    return float(np.median(spent)) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    rig = load_truth(parser.parse_args().data).rig
    torch.set_num_threads(2)
    triangles = rig.triangles[(rig.triangles < SKIN).all(1)]
    neutral = rig.neutral[:SKIN]
    topology = topology_of(triangles, neutral)
    turned = (neutral - neutral.mean(0)) @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32).T
    camera = torch.tensor([SIZE * 2.6, SIZE * 2.6, (SIZE - 1) / 2, (SIZE - 1) / 2])
    for batch in (1, BATCH):
        _measure(
            torch.tensor(turned + np.array([0, 0, 0.8]), dtype=torch.float32).repeat(batch, 1, 1), camera, topology
        )


def _measure(points: torch.Tensor, camera: torch.Tensor, topology: Topology) -> None:
    batch = len(points)
    points.requires_grad_()
    albedo = torch.rand(SKIN, 3, requires_grad=True)
    light = (0.1 * torch.rand(9, 3)).requires_grad_()
    places, depths = (values.detach().numpy() for values in project(points, camera))

    def picture() -> torch.Tensor:
        at, depth = project(points, camera)
        return render(points, at, depth, topology, Appearance(albedo, light), torch.zeros(3), (SIZE, SIZE))

    raster = milliseconds(lambda: rasterise_cpu(places, depths, topology.triangles.numpy(), SIZE, SIZE)) / batch
    forward = milliseconds(picture) / batch
    both = milliseconds(lambda: picture().square().sum().backward()) / batch
    print(f"batch {batch}: rasterise {raster:.1f} ms, picture {forward:.1f} ms, with derivatives {both:.1f} ms a frame")


if __name__ == "__main__":
    main()
