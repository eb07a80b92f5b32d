"""What the actor looks like and how she is lit: albedo per vertex and nine spherical-harmonics coefficients.

Bao et al. section 3 estimate both on a frame where the face is close to neutral. Here several frames take part, the
calmest first: eyes that are shut in one are open in another, and a place that a shadow or a highlight crosses is seen
without it elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates
from torch import Tensor

from ...errors import FacecapError
from ...render.ambient_occlusion import measure_ambient_occlusion
from ...render.camera import intrinsics_of, project
from ...render.fragments import rasterise
from ...render.renderer import Appearance
from ...render.shading import decode_srgb, harmonics, vertex_normals
from ..render_mesh import RenderMesh
from ..state import DeepState, camera_points, head_points
from ..views import View, to_view

ROUNDS = 3
# A vertex is seen if nothing is nearer by more than this, and it does not stand edge-on. An eye lies close behind its
# lid: the tolerance is small, besides what the surface itself recedes within a pixel.
_BEHIND_M, _EDGE_ON = 0.0005, 0.2
_FEWEST_SEEN = 50
# Spherical harmonics of `geometry.raster.shade`'s lights, by least squares.
_PREVIEW_LIGHT = (1.472, -0.441, -0.977, -0.251, 0.379, 0.812, 0.770, 0.466, -0.015)
# Robust scales, linear light: of the light's fit, and of albedo between frames.
_LIGHT_ERROR, _ALBEDO_ERROR = 0.05, 0.15
_DARKEST = 0.05
# Weight of what is known beforehand, in frames seen from straight ahead.
_PRIOR_WEIGHT, _LIGHT_RIDGE = 0.05, 3e-6
# How far on the surface what light does not explain is taken to be the same.
_SPREAD_M, _MARGIN = 0.006, 4


@dataclass(frozen=True)
class SurfaceObservation:
    """What one frame shows of the surface.

    Attributes:
        color: (V, 3) linear.  weight: (V,) 0..1, how squarely each vertex is seen, 0 if hidden.
        basis: (V, 9) spherical harmonics of the normals, times each vertex' ambient occlusion.
    """

    color: Tensor
    weight: Tensor
    basis: Tensor


def observe_surface(mesh: RenderMesh, state: DeepState, view: View, picture: NDArray[np.uint8]) -> SurfaceObservation:
    """Read the surface's colours off a picture.

    Args:
        state: of one frame.  picture: (H, W, 3) uint8 sRGB, of `view`'s camera.
    """
    height, width = picture.shape[:2]
    points = to_view(camera_points(mesh, state), view)
    triangles = mesh.topology.triangles
    places, depth = project(points, intrinsics_of(view.camera).to(points.device))
    fragments = rasterise(places, depth, triangles, height, width)
    nearest = 1 / fragments.inverse_depth.reshape(-1)
    at = places[0].cpu().numpy().astype(np.float32)
    cell = np.round(np.nan_to_num(at, nan=-1.0)).astype(np.int64)
    inside = (cell[:, 0] >= 0) & (cell[:, 0] < width) & (cell[:, 1] >= 0) & (cell[:, 1] < height)
    index = torch.from_numpy(np.where(inside, cell[:, 1] * width + cell[:, 0], 0)).to(points.device)
    normals = vertex_normals(points, triangles)[0]
    cosine = -(normals * points[0]).sum(1) / points[0].norm(dim=1)
    recedes = depth[0] / view.camera.focal_px * (1 - cosine**2).clamp(min=0).sqrt() / cosine.clamp(min=_EDGE_ON)
    hidden = depth[0] > nearest[index] + _BEHIND_M + recedes
    seen = torch.from_numpy(inside).to(points.device) & ~hidden & (cosine > _EDGE_ON)
    color = cv2.remap(picture, at[None, :, 0], at[None, :, 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
    linear = decode_srgb(torch.from_numpy(color.astype(np.float32) / 255).to(points.device))
    still = head_points(mesh, state.weights, state.jaw)
    ambient_occlusion = measure_ambient_occlusion(still[0], vertex_normals(still, triangles)[0], triangles)
    return SurfaceObservation(
        linear, torch.where(seen, cosine.clamp(min=0) ** 2, 0.0), harmonics(normals) * ambient_occlusion[:, None]
    )


def own_appearance(mesh: RenderMesh) -> Appearance:
    """The character as its previews show it: its own colours, lit from above and from the left.

    Skin and light of another face would be laid over features that lie elsewhere; the landmark network then sees them
    move as neither face does.
    """
    light = torch.tensor(_PREVIEW_LIGHT, device=mesh.neutral.device)
    return Appearance(mesh.colors, light[:, None].repeat(1, 3))


def lit_appearance(mesh: RenderMesh, sightings: Sequence[SurfaceObservation]) -> Appearance:
    """The character in its own colours, or on plain skin, in the light that the footage shows, tone of skin included.

    Paint and light that differ move what the landmark network sees by as much as faces differ. Features stay where the
    character has them: skin of the footage would bring the actor's along.

    Args:
        sightings: of a few frames, lit alike; where they show too little of the surface, the previews' light it is.
    """
    weight = torch.stack([s.weight for s in sightings])
    if int((weight > 0).any(0).sum()) < _FEWEST_SEEN:
        return own_appearance(mesh)
    color, basis = torch.stack([s.color for s in sightings]), torch.stack([s.basis for s in sightings])
    return Appearance(mesh.colors, _fit_light(color, weight, basis, mesh.colors))


def estimate_appearance(mesh: RenderMesh, sightings: Sequence[SurfaceObservation], *, own_colors: bool) -> Appearance:
    """Albedo and light that explain what some frames show, alternating between the two.

    Args:
        sightings: of a few frames, lit alike.
        own_colors: whether the character's known colours (`RenderMesh.painted`) are kept, so that features stay where
            they are painted; of these only a slowly varying factor is found.
    Raises:
        FacecapError: no frame shows the surface.
    """
    weight = torch.stack([s.weight for s in sightings])
    if int((weight > 0).any(0).sum()) < _FEWEST_SEEN:
        raise FacecapError(
            "The character's face is not turned towards the camera, so its look cannot be compared with the footage.",
            "Check the solve this starts from, and that the mesh's faces point outward.",
        )
    color = torch.stack([s.color for s in sightings])
    basis = torch.stack([s.basis for s in sightings])
    known = (mesh.painted if own_colors else torch.zeros_like(mesh.painted))[:, None]
    everywhere = bool(known.all())
    albedo = torch.where(known, mesh.colors, 0.5)
    # Light is read off the skin alone where skin and eyes do not share a scale yet.
    lit = weight if everywhere else weight * ~known[:, 0]
    light = _fit_light(color, lit, basis, albedo)
    for _ in range(0 if everywhere else ROUNDS):
        albedo = torch.where(known, albedo, _fit_albedo(color, weight, (basis @ light).clamp(min=_DARKEST), albedo))
        # Light and albedo share one factor: the middle of what is seen is a grey of one half.
        middle = albedo[(lit > 0).any(0)].median(0).values.clamp(min=1e-3)
        albedo = torch.where(known, albedo, albedo * (0.5 / middle))
        light = _fit_light(color, lit, basis, albedo)
    if bool(known.any()):
        # What light and ambient occlusion do not explain (highlights, shadows) varies slowly.
        factor = _fit_slow_factor(color, weight * known[:, 0], (basis @ light).clamp(min=_DARKEST) * albedo, mesh)
        albedo = torch.where(known, albedo * factor, albedo)
    return Appearance(albedo.clamp(0, 4), light)


def _fit_slow_factor(color: Tensor, weight: Tensor, explained: Tensor, mesh: RenderMesh) -> Tensor:
    """(V, 3) that brings what is explained nearest to what is seen, by least squares in each vertex' surroundings.

    Dark places tell little about light, and least squares gives them little say. Surroundings are of space, not of the
    surface: hairs and lashes take part in what happens to the skin beneath.

    Args:
        color, explained: (S, V, 3) linear.  weight: (S, V).
    """
    cell = _SPREAD_M / 3
    places = mesh.neutral.cpu().numpy()
    at = (places - places.min(0)) / cell + _MARGIN
    size = tuple(int(n) + _MARGIN for n in np.ceil(at.max(0)))
    number = np.ravel_multi_index(tuple(np.round(at).astype(np.int64).T), size)

    def around(values: Tensor) -> NDArray[np.float64]:
        spread = np.bincount(number, values.cpu().numpy(), int(np.prod(size))).reshape(size)
        return gaussian_filter(spread, 3.0)

    factor = torch.ones_like(explained[0])
    # Colours of the character's own are near the truth; where paint stands for them, everything counts at first.
    robust = weight[..., None].expand_as(color)
    if bool(mesh.painted.all()):
        robust = robust / (1 + ((color - explained) / _ALBEDO_ERROR) ** 2) ** 2
    for _ in range(2):
        top, bottom = (robust * explained * color).sum(0), (robust * explained**2).sum(0)
        for channel in range(3):
            above, below = around(top[:, channel]), around(bottom[:, channel])
            little = 1e-3 * below.max() + 1e-12
            found = map_coordinates((above + little) / (below + little), at.T, order=1)
            factor[:, channel] = torch.from_numpy(found)
        robust = weight[..., None] / (1 + ((color - explained * factor) / _ALBEDO_ERROR) ** 2) ** 2
    return factor.clamp(0.25, 4.0)


def _fit_light(color: Tensor, weight: Tensor, basis: Tensor, albedo: Tensor) -> Tensor:
    """(9, 3) by iteratively reweighted least squares; color (S, V, 3), weight (S, V), basis (S, V, 9)."""
    some = weight > 0
    columns = []
    for channel in range(3):
        design = (basis * albedo[None, :, channel, None])[some]
        target, seen_weight = color[..., channel][some], weight[some]
        robust = torch.ones_like(seen_weight)
        solved = torch.zeros(9, dtype=color.dtype, device=color.device)
        for _ in range(4):
            w = (seen_weight * robust)[:, None]
            ridge = _LIGHT_RIDGE * seen_weight.sum() * torch.diag(torch.tensor([0.0, *[1.0] * 8], device=color.device))
            solved = torch.linalg.solve(design.T @ (w * design) + ridge, (design * w).T @ target)
            robust = 1 / (1 + ((design @ solved - target) / _LIGHT_ERROR) ** 2) ** 2
        columns.append(solved)
    return torch.stack(columns, 1)


def _fit_albedo(color: Tensor, weight: Tensor, light: Tensor, before: Tensor) -> Tensor:
    """(V, 3): a robust mean over frames of colour over light; where nothing is seen, as before."""
    ratio = color / light
    total = weight.sum(0)[:, None]
    middle = torch.where(total > 0, (ratio * weight[..., None]).sum(0) / total.clamp(min=1e-9), before)
    for _ in range(5):
        w = weight[..., None] / (1 + ((ratio - middle).abs().sum(-1, keepdim=True) / _ALBEDO_ERROR) ** 2)
        middle = ((ratio * w).sum(0) + _PRIOR_WEIGHT * before) / (w.sum(0) + _PRIOR_WEIGHT)
    return middle
