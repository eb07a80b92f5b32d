"""How the landmark network responds to a character's keys, measured on renders before the first take.

The network does not answer a face's motion one to one. It sees a chin drop by two thirds of what the mesh's chin drops,
and lids close by less than they do. Before a character is fitted to footage the network is therefore shown renders of
it: many poses, each a few shape keys at random, from a random side. A ridge regression, held near the mesh's own
geometry, gives every landmark the place and the motion per key that the network will report of it, and the error that
remains. What it reports also changes with the side from which it sees a face: that bias is a second regression.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import F32, F64
from ..errors import UNREADABLE, FacecapError
from ..geometry.camera import project
from ..landmarks.layout import layout_of
from ..landmarks.protocol import PRESENCE_THRESHOLD, Landmarker
from .blendshapes import BlendshapeRig
from .channels import arkit_name, mirror_name
from .embedding import LandmarkEmbedding, landmark_geometry
from .placement.default_colors import paint_eyes
from .placement.face_parts import find_covering_triangles, find_still_vertices
from .placement.mesh_view import Direction, Mesh, frame_view, render_view, turn_view, view_px
from .response_regression import Pictures, regress_response
from .surface import loose_parts, place_points

PICTURES_PER_CHANNEL, FEWEST, MOST = 6, 120, 420
_SIZE, _FILL = 416, 0.62
_THREADS, _CHUNK_POSES = 2, 8
_MM = 1000.0
_REACH_MM = 0.4
_YAW_RAD, _PITCH_RAD = 0.28, 0.16
# Beyond what is measured the bias stays as it is there.
_FARTHEST_YAW_RAD, _FARTHEST_PITCH_RAD = 0.8, 0.5


@dataclass(frozen=True)
class NetworkResponse:
    """A character's landmarks as the network sees them.

    Attributes:
        rest: (L, 3) float32 m, head space, at neutral.
        deltas: (K, L, 3) float32 m, head space, displacement at weight 1.
        error_modes: (B, L, 3) float32 m, head space: ways in which all landmarks err together, each of unit variance.
        error_m: (L,) float32, what is left of each landmark's own error, per coordinate of the picture.
        view_bias: (T, L, 2) float32 m, in the picture of a head that stands upright (x right, y down): how far off
            landmarks are seen, per feature of the view, see `view_features`.
    """

    rest: F32
    deltas: F32
    error_modes: F32
    error_m: F32
    view_bias: F32


def view_features(yaw: F64, pitch: F64) -> F64:
    """(N, T) features of views that `NetworkResponse.view_bias` belongs to.

    Args:
        yaw, pitch: (N,) rad, of a head that is seen from the front at 0, see `turn_view`.
    """
    yaw, pitch = (
        np.clip(yaw, -_FARTHEST_YAW_RAD, _FARTHEST_YAW_RAD),
        np.clip(pitch, -_FARTHEST_PITCH_RAD, _FARTHEST_PITCH_RAD),
    )
    # Zero in the mean over the views that are measured: rest and keys stay what is seen on average.
    return np.stack([yaw, pitch, yaw**2 - _YAW_RAD**2, pitch**2 - _PITCH_RAD**2, yaw * pitch], axis=1)


def measure_response(
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    landmarker: Landmarker,
    *,
    poses: F32 | None = None,
    pictures: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> NetworkResponse:
    """Measure how the landmark network responds to a character's keys.

    Args:
        rig: the character.  embedding: its landmarks.  landmarker: an open backend, of the embedding's scheme.
        poses: (N, K) weights to render besides random ones, such as recorded performances have.
        pictures: how many to draw; absent: as many as the number of keys asks for.
        on_progress: called with (pictures done, pictures in all); it may raise to cancel.
    Returns:
        What is seen; the mesh's own geometry where the network sees no face.
    """
    rest, deltas = landmark_geometry(rig, embedding)
    reach = np.linalg.norm(deltas, axis=2).max(1) * np.abs(rig.usual_ranges).max(1) * _MM
    active = np.flatnonzero(reach > _REACH_MM * embedding.rig_scale)
    mesh = face_mesh(rig, embedding)
    count = pictures or int(np.clip(PICTURES_PER_CHANNEL * len(active), FEWEST, MOST))
    count = count if len(active) else 0

    def measure(picture: int) -> tuple[F64, F64, F64, F32] | None:
        random = np.random.default_rng((478, picture))
        posed = sample_weights(rig, active, random)
        if poses is not None and picture % 2 == 1:
            posed = poses[picture // 2 % len(poses)]
        seen = _measure_picture(
            rig, embedding, mesh, posed, rest + np.tensordot(posed, deltas, axes=1), landmarker, random
        )
        return None if seen is None else (*seen, posed)

    measured: list[tuple[F64, F64, F64, F32]] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        for first in range(0, count, _CHUNK_POSES):
            if on_progress is not None:
                on_progress(first, count)
            measured += [a for a in pool.map(measure, range(first, min(first + _CHUNK_POSES, count))) if a is not None]
    if len(measured) < FEWEST // 2:
        error = np.full(len(rest), 0.002 * embedding.rig_scale, np.float32)
        return NetworkResponse(rest, deltas, np.zeros((0, *rest.shape), np.float32), error, _no_view_bias(len(rest)))
    residuals, rows, view, weights = (np.array(part) for part in zip(*measured, strict=True))
    seen = Pictures(weights[:, active], view_features(*view.T), rows, residuals)
    found = regress_response(rest, deltas[active], seen, embedding.rig_scale)
    seen_deltas = deltas.copy()
    seen_deltas[active] += found.deltas
    return NetworkResponse(rest + found.rest, seen_deltas, found.error_modes, found.error_m, found.view_bias)


def adapt_response(
    response: NetworkResponse, before: tuple[F32, F32], after: tuple[F32, F32], moved: NDArray[np.intp]
) -> NetworkResponse:
    """What a network sees of a character whose landmarks were moved: measured where they were, now as far off.

    What the network makes of a face, beyond where the face is, is taken to be the same in the new place.

    Args:
        before, after: landmarks (L, 3) m and what keys do to them (K, L, 3) m, see `landmark_geometry`.
        moved: which ones were moved.
    """
    rest, deltas = response.rest.copy(), response.deltas.copy()
    rest[moved] += after[0][moved] - before[0][moved]
    deltas[:, moved] += after[1][:, moved] - before[1][:, moved]
    return replace(response, rest=rest, deltas=deltas)


def sample_weights(rig: BlendshapeRig, active: NDArray[np.intp], random: np.random.Generator) -> F32:
    """(K,) weights of a random expression: up to six keys, sides mostly alike, `mouthClose` with `jawOpen` only."""
    names = [arkit_name(channel) for channel in rig.channels]
    weights = np.zeros(len(rig.channels), np.float32)
    for k in random.choice(active, size=min(len(active), int(random.integers(1, 7))), replace=False):
        level = random.uniform(0.15, 1.0)
        members = [int(k)]
        name = names[k]
        if name is not None and mirror_name(name) in names and random.random() < 0.65:
            members.append(names.index(mirror_name(name)))
        for member in members:
            low, high = rig.usual_ranges[member]
            weights[member] = level * (high if high > 0 else low)
    if "mouthClose" in names and "jawOpen" in names:
        jaw, close = names.index("jawOpen"), names.index("mouthClose")
        weights[jaw] = max(weights[jaw], weights[close])
    return weights


def _measure_picture(
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    mesh: Mesh,
    pose: F32,
    head: F64,
    landmarker: Landmarker,
    random: np.random.Generator,
) -> tuple[F64, F64, F64] | None:
    """Residuals (L, 2), m at the face, rows (L, 2, 3) and yaw and pitch (2,) of one picture; None without a face."""
    axes = embedding.head_from_rig[:3, :3]
    in_rig = (head - embedding.head_from_rig[:3, 3]) @ axes
    yaw, pitch = random.normal(0, _YAW_RAD), random.normal(0, _PITCH_RAD)
    shown = in_rig[embedding.valid]
    view = frame_view(shown, turn_view(_frontal_rotation(embedding), yaw, pitch), _FILL, _SIZE)
    posed = Mesh(rig.vertices_at(pose), mesh.triangles, mesh.colors)
    light: Direction = (float(random.normal(0, 0.4)), float(random.normal(-0.4, 0.2)), -0.85)
    picture = render_view(posed, view).picture(light, ambient=float(random.uniform(0.2, 0.5)))
    camera = view.camera_space(in_rig)
    expected = project(camera, view.camera)
    seen = landmarker.landmarks_in_regions(picture, [landmarker.region_of_landmarks((expected - 0.5) / 2)])[0]
    if seen.presence < PRESENCE_THRESHOLD:
        return None
    residual = (view_px(seen.landmarks_px) - expected) * view.pixel_m
    toward = view.rotation @ axes.T  # camera from head
    scale = view.distance_m / camera[:, 2]
    q = camera[:, :2] / camera[:, 2:]
    row = scale[:, None, None] * (toward[None, :2] - q[:, :, None] * toward[None, 2:])
    return residual, row, np.array([yaw, pitch])


def face_mesh(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> Mesh:
    """The character's mesh around its face, without what hides its eyes; with painted eyeballs if it has no colours."""
    layout, near = layout_of(embedding.scheme), _find_near_face(rig, embedding)
    placed = place_points(rig.neutral, rig.triangles, embedding.triangle, embedding.barycentric)
    front = frame_view(placed[embedding.valid], _frontal_rotation(embedding), _FILL, _SIZE)
    landmarks_px = project(front.camera_space(placed), front.camera)
    around = Mesh(rig.neutral, rig.triangles[near], None)
    near = near[~find_covering_triangles(around, front, landmarks_px, layout, find_still_vertices(rig))]
    if rig.colors is not None:
        return Mesh(rig.neutral, rig.triangles[near], rig.colors)
    irises = [*layout.iris_right, *layout.iris_left]
    if not irises:
        return Mesh(rig.neutral, rig.triangles[near], None)
    part = loose_parts(rig.neutral, rig.triangles)
    skin = int(np.bincount(part[embedding.triangle[list(layout.nose)]]).argmax())
    eyes = np.isin(part, np.setdiff1d(part[embedding.triangle[irises]], [skin]))
    corners = [layout.upper_lid_left[0], layout.upper_lid_right[0]]
    width = float(np.linalg.norm(placed[corners[0]] - placed[corners[1]]))
    colors = paint_eyes(rig.neutral, rig.triangles, eyes, _frontal_rotation(embedding), width)
    return Mesh(rig.neutral, rig.triangles[near], colors)


def _frontal_rotation(embedding: LandmarkEmbedding) -> F64:
    """(3, 3) rotation of a view from the front, as in `View`."""
    axes = embedding.head_from_rig[:3, :3]
    return np.stack([axes[0], -axes[2], axes[1]])


def _find_near_face(rig: BlendshapeRig, embedding: LandmarkEmbedding) -> NDArray[np.intp]:
    """Triangles that a view of the face can show; bodies can be large."""
    at = rig.neutral[rig.triangles[embedding.triangle[embedding.valid], 0]]
    low, high = at.min(0), at.max(0)
    first = rig.neutral[rig.triangles[:, 0]]
    return np.flatnonzero(np.linalg.norm(first - 0.5 * (low + high), axis=1) < 1.1 * float(np.linalg.norm(high - low)))


def save_response(path: Path, response: NetworkResponse) -> None:
    """Write a response to an `.npz` (the caller makes the write atomic)."""
    with path.open("wb") as stream:
        np.savez_compressed(
            stream,
            rest=response.rest,
            deltas=response.deltas.astype(np.float16),
            error_modes=response.error_modes.astype(np.float16),
            error_m=response.error_m,
            view_bias=response.view_bias,
        )


def _no_view_bias(landmarks: int) -> F32:
    return np.zeros((0, landmarks, 2), np.float32)


def load_response(path: Path) -> NetworkResponse:
    """Read what `save_response` wrote. Raises FacecapError if the file is damaged."""
    try:
        with np.load(path, allow_pickle=False) as data:
            modes = "error_modes" if "error_modes" in data else "habits"  # as older versions call them
            rest, deltas, error_modes, error_m = (
                data[name].astype(np.float32) for name in ("rest", "deltas", modes, "error_m")
            )
            # Older versions know nothing of the view.
            bias = data["view_bias"].astype(np.float32) if "view_bias" in data else _no_view_bias(len(rest))
            return NetworkResponse(rest, deltas, error_modes, error_m, bias)
    except UNREADABLE as error:
        raise FacecapError(
            f"The network's response to the character in {path.name} cannot be read ({error}).",
            "Solve again; it is made anew.",
        ) from error
