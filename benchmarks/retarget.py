"""Landmarks onto meshes, measured: `python -m benchmarks.retarget`.

Printed, and kept in `benchmarks/results/retarget.txt`: time to prepare and to play 135 frames on 10,000 vertices beside
a bare matrix product of the size and the paper's own way (a new solve in each frame), memory on 200,000 vertices, how
exactly landmarks are met, how still the rest keeps, triangles turned over by every generator's sequences, and what each
kernel makes of the sample head's own keys.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator

from facecap_addon.generate.authored.emotions import EXPRESSIONS
from facecap_addon.generate.learned.generator import find_shipped, generate_sequence, load_generator
from facecap_addon.generate.solve_weights import place_on_character
from facecap_addon.jobs.steps.sample_head import CACHE
from facecap_addon.landmarks.layout import mediapipe_of
from facecap_addon.retarget.geodesic import edge_graph, measure_distance
from facecap_addon.retarget.options import KERNELS, WarpOptions
from facecap_addon.retarget.per_frame_warp import warp_per_frame
from facecap_addon.retarget.rbf import fit_rbf, measure_influence
from facecap_addon.retarget.warp import make_warp
from facecap_addon.rig.blendshapes import BlendshapeRig, load_rig
from facecap_addon.rig.embedding import LandmarkEmbedding, load_embedding
from facecap_addon.rig.surface import place_points

RESULTS = Path(__file__).resolve().parent / "results" / "retarget.txt"
SCHEME, SEQUENCES = "bu-83", 20


def main() -> None:
    """Measure everything."""
    rig = load_rig(sorted(CACHE.glob("rig-*.npz"))[-1])
    embedding = load_embedding(sorted(CACHE.glob("landmarks-*.npz"))[-1])
    lines = [*speed(rig, embedding), *size(rig, embedding), *exactness(rig, embedding), *kernels(rig, embedding)]
    RESULTS.write_text("python -m benchmarks.retarget\n" + "\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


def landmarks(rig: BlendshapeRig, embedding: LandmarkEmbedding, vertices: np.ndarray) -> np.ndarray:
    """(83, 3) m, rig space."""
    twins = mediapipe_of(SCHEME)
    return place_points(vertices, rig.triangles, embedding.triangle[twins], embedding.barycentric[twins])


def told(rig: BlendshapeRig, embedding: LandmarkEmbedding, expression: str, seed: int) -> np.ndarray:
    """(135, 83, 3) m, rig axes: one generated sequence on this head."""
    axes = np.asarray(embedding.head_from_rig, np.float64)
    rest = landmarks(rig, embedding, rig.neutral) @ axes[:3, :3].T + axes[:3, 3]
    sequence = generate_sequence(load_generator(find_shipped(expression)), seed=seed)
    return place_on_character(sequence, rest).face @ axes[:3, :3]


def best(function: Callable[[], object], times: int = 9) -> float:
    """Shortest of some runs, ms."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        function()
        found.append(time.perf_counter() - began)
    return 1000 * min(found)


def refined(
    rig: BlendshapeRig, embedding: LandmarkEmbedding, wanted: int
) -> tuple[np.ndarray, np.ndarray, LandmarkEmbedding]:
    """The head with triangles split in four until it has so many vertices, and its landmarks on them."""
    from dataclasses import replace

    vertices, triangles = rig.neutral.astype(np.float64), rig.triangles.astype(np.int64)
    places = place_points(vertices, triangles, embedding.triangle, embedding.barycentric)
    while len(vertices) < wanted:
        edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
        unique, index = np.unique(np.sort(edges, axis=1), axis=0, return_inverse=True)
        middle = len(vertices) + index.reshape(3, -1).T
        vertices = np.concatenate([vertices, vertices[unique].mean(axis=1)])
        a, b, c = triangles.T
        ab, bc, ca = middle.T
        parts = ([a, ab, ca], [ab, b, bc], [ca, bc, c], [ab, bc, ca])
        triangles = np.concatenate([np.stack(part, 1) for part in parts])
    from facecap_addon.rig.surface import find_nearest

    triangle, barycentric, _ = find_nearest(places, vertices, triangles, np.arange(len(triangles)))
    moved = replace(embedding, triangle=triangle, barycentric=barycentric.astype(np.float32))
    return vertices.astype(np.float32), triangles.astype(np.int32), moved


def speed(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> list[str]:
    """135 frames on about 10,000 vertices."""
    moving = told(rig, embedding, "surprise", 0)
    prepare = best(lambda: make_warp(rig.neutral, rig.triangles, embedding, SCHEME), 5)
    warp = make_warp(rig.neutral, rig.triangles, embedding, SCHEME)
    play = best(lambda: warp.frames(moving))
    product = np.ascontiguousarray(moving.transpose(1, 0, 2).reshape(83, -1), np.float32)
    bare = best(lambda: warp.matrix @ product)

    def product_and_copy() -> np.ndarray:
        out = np.empty((135, *warp.rest.shape), np.float32)
        out[:] = warp.rest
        return out

    written = best(product_and_copy)
    each = best(lambda: list(warp_per_frame(warp, moving, WarpOptions())), 1)
    whole = len(rig.neutral)
    lines = [
        f"{whole} vertices, {len(warp.rows)} of which follow; {SCHEME}; 135 frames",
        f"prepare {prepare:.0f} ms; play {play:.1f} ms ({play / 135:.3f} ms a frame)",
        f"bare matrix product of that size {bare:.1f} ms, writing the frames at rest {written:.1f} ms: "
        f"play is {play / (bare + written):.2f} times both",
        f"solved anew in each frame, as in the paper: {each / 135:.1f} ms a frame, {each / play:.0f} times as long",
    ]
    apart = np.stack(list(warp_per_frame(warp, moving, WarpOptions()))) - warp.frames(moving)
    lines.append(
        f"difference between both ways: {1000 * np.sqrt((apart**2).sum(axis=2).mean()):.3f} mm on average, at most "
        f"{1000 * np.linalg.norm(apart, axis=2).max():.2f} mm"
    )
    # All vertices following, without rigid parts: the product of the size.
    dense = np.random.default_rng(0).normal(size=(10_000, 83)).astype(np.float32)
    from dataclasses import replace

    plain = replace(warp, rest=np.zeros((10_000, 3), np.float32), rows=np.arange(10_000), matrix=dense, rigid_parts=())
    play, bare = best(lambda: plain.frames(moving)), best(lambda: dense @ product)
    lines.append(
        f"10,000 vertices that all follow: {play:.1f} ms; the bare product {bare:.1f} ms, {play / bare:.2f} times"
    )
    return lines


def size(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> list[str]:
    """A mesh of 200,000 vertices in flat memory."""
    moving = told(rig, embedding, "surprise", 0)
    vertices, triangles, placed = refined(rig, embedding, 200_000)
    began = time.perf_counter()
    warp = make_warp(vertices, triangles, placed, SCHEME)
    prepared = time.perf_counter() - began
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.perf_counter()
    for repeat in range(4):
        for frame in warp.play(moving):
            del frame
        if repeat == 0:
            first = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return [
        f"{len(vertices)} vertices: prepared in {prepared:.2f} s, 135 frames in {seconds:.2f} s; memory grows by "
        f"{(first - before) / 1024:.0f} MiB over the first 135 frames and by {(after - first) / 1024:.0f} over 405 more"
    ]


def exactness(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> list[str]:
    """How exactly landmarks are met, what stays, what turns over."""
    warp = make_warp(rig.neutral, rig.triangles, embedding, SCHEME)
    graph = edge_graph(rig.neutral, rig.triangles)
    near = rig.triangles[embedding.triangle[mediapipe_of(SCHEME)]].ravel()
    eyes = landmarks(rig, embedding, rig.neutral)[[0, 12]]
    skin = np.zeros(len(rig.neutral), bool)
    skin[near] = True
    on_skin = np.isfinite(measure_distance(graph, near))
    far = on_skin & (measure_distance(graph, near) > np.linalg.norm(eyes[0] - eyes[1]) + 1e-4)
    rest = landmarks(rig, embedding, rig.neutral)
    before = _normals(rig.neutral[rig.triangles])
    miss = still = 0.0
    turned = frames = 0
    for expression in EXPRESSIONS:
        for seed in range(SEQUENCES):
            moving = told(rig, embedding, expression, seed)
            shown = warp.frames(moving)
            for frame, displacement in zip(shown, moving, strict=True):
                reached = landmarks(rig, embedding, frame) - rest
                miss = max(miss, float(np.abs(reached - displacement)[warp.skin.used].max()))
            still = max(still, float(np.abs(shown[:, far] - warp.rest[far]).max()))
            for frame in shown[::3]:
                turned += int((np.einsum("td,td->t", _normals(frame[rig.triangles]), before) < 0).sum())
                frames += 1
    random = np.random.default_rng(4)
    centres, points, values = (random.normal(scale=0.05, size=(n, 3)) for n in (83, 2000, 83))
    apart = 0.0
    for ours, theirs in (
        ("gaussian", "gaussian"),
        ("thin-plate", "thin_plate_spline"),
        ("multiquadric", "multiquadric"),
    ):
        shape = {} if ours == "thin-plate" else {"epsilon": 1 / (np.sqrt(2) * 0.03)}
        wanted = RBFInterpolator(centres, values, kernel=theirs, degree=1, **shape)(points)
        found = measure_influence(fit_rbf(centres, kernel=ours, sigma=0.03), points) @ values
        apart = max(apart, float(np.abs(found - wanted).max()))
    return [
        f"landmarks on the mesh are missed by at most {miss:.1e} m over {len(EXPRESSIONS) * SEQUENCES} sequences",
        f"{int(far.sum())} vertices beyond the falloff move by at most {1000 * still:.4f} mm",
        f"triangles turned over in {frames} frames: {turned}",
        f"difference from scipy's RBFInterpolator: {apart:.1e}",
    ]


def kernels(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> list[str]:
    """What each kernel makes of the landmarks of the head's own keys, whose vertices are known."""
    rest = landmarks(rig, embedding, rig.neutral)
    moving = np.stack([landmarks(rig, embedding, rig.neutral + delta) - rest for delta in rig.deltas])
    lines = ["kernel: error on the sample head's 52 keys, mm, with the sides of the mouth apart / together"]
    for kernel in KERNELS:
        errors = []
        for separate in (True, False):
            warp = make_warp(
                rig.neutral,
                rig.triangles,
                embedding,
                SCHEME,
                WarpOptions(kernel=kernel, lip_lid_coordinates=separate),
            )
            rows = warp.skin.rows
            apart = (warp.frames(moving) - rig.neutral - rig.deltas)[:, rows]
            errors.append(1000 * float(np.sqrt((apart**2).sum(axis=2).mean())))
        lines.append(f"  {kernel:<18}{errors[0]:6.2f} / {errors[1]:.2f}")
    truth = rig.deltas[:, rows]
    lines.append(f"  (no motion at all  {1000 * float(np.sqrt((truth**2).sum(axis=2).mean())):.2f})")
    return lines


def _normals(corners: np.ndarray) -> np.ndarray:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


if __name__ == "__main__":
    main()
