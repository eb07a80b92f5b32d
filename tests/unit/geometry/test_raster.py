"""The rasteriser against closed forms: planes, barycentrics, occlusion, shared edges, a sphere's silhouette."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial import Delaunay

from facecap_addon.geometry.camera import centered_camera, project
from facecap_addon.geometry.raster import Fragments, rasterise, shade, vertex_normals

SIZE = 96
CAMERA = centered_camera(SIZE, SIZE, 120.0)


def rays() -> np.ndarray:
    """(H, W, 3) camera-space direction through every pixel centre, z = 1."""
    y, x = np.mgrid[:SIZE, :SIZE]
    center = np.array(CAMERA.center_px)
    flat = (np.stack([x, y], axis=-1) - center) / CAMERA.focal_px
    return np.concatenate([flat, np.ones((SIZE, SIZE, 1))], axis=-1)


def draw(vertices: np.ndarray, triangles: np.ndarray, **options: bool) -> Fragments:
    return rasterise(project(vertices, CAMERA), vertices[:, 2], triangles, SIZE, SIZE, **options)


def ball(
    rings: int, radius: float = 0.3, center: tuple[float, float, float] = (0.0, 0.0, 1.0)
) -> tuple[np.ndarray, np.ndarray]:
    polar, around = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, 2 * rings, endpoint=False), indexing="ij"
    )
    vertices = np.stack([np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)], axis=-1)
    i, j = np.mgrid[:rings, : 2 * rings]
    a, b = i * 2 * rings + j, i * 2 * rings + (j + 1) % (2 * rings)
    c, d = a + 2 * rings, b + 2 * rings
    triangles = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([b, d, c], -1).reshape(-1, 3)])
    return vertices.reshape(-1, 3) * radius + center, triangles.astype(np.int32)


def test_a_slanted_plane_has_the_depth_of_its_equation() -> None:
    normal, offset = np.array([0.5, -0.3, -1.0]), -1.2
    corners = np.array([[-0.4, -0.4], [0.4, -0.4], [0.4, 0.4], [-0.4, 0.4]])
    vertices = np.stack([*corners.T, (offset - corners @ normal[:2]) / normal[2]], axis=1)
    fragments = draw(vertices, np.array([[0, 1, 2], [0, 2, 3]]))
    seen = fragments.triangle >= 0
    assert seen.mean() > 0.4
    assert_allclose(fragments.depth_m[seen], (offset / (rays() @ normal))[seen], rtol=1e-5)
    assert np.isinf(fragments.depth_m[~seen]).all()


def test_barycentrics_give_back_the_point_that_the_pixel_sees() -> None:
    vertices = np.array([[-0.5, -0.3, 0.7], [0.5, -0.2, 1.5], [0.0, 0.5, 1.0]])
    triangle = np.array([[0, 1, 2]])
    fragments = draw(vertices, triangle)
    seen = fragments.triangle >= 0
    points = fragments.barycentric[seen] @ vertices
    assert seen.sum() > 500
    assert_allclose(points, rays()[seen] * points[:, 2:], atol=2e-5)
    assert_allclose(points[:, 2], fragments.depth_m[seen], rtol=1e-5)
    assert_allclose(fragments.barycentric[seen].sum(axis=1), 1.0, atol=1e-6)
    assert (fragments.barycentric[~seen] == 0).all()


def test_pixel_centres_are_at_whole_numbers() -> None:
    points = np.array([[9.9, 19.9], [12.1, 19.9], [12.1, 20.1], [9.9, 20.1]])
    fragments = rasterise(points, np.ones(4), np.array([[0, 1, 2], [0, 2, 3]]), 32, 32)
    assert np.argwhere(fragments.triangle >= 0).tolist() == [[20, 10], [20, 11], [20, 12]]


def test_the_nearer_surface_wins_whatever_the_order() -> None:
    square = np.array([[-0.3, -0.3, 0], [0.3, -0.3, 0], [0.3, 0.3, 0], [-0.3, 0.3, 0]])
    vertices = np.concatenate([square + np.array([0, 0, z]) for z in (1.5, 1.0, 2.0)])
    one = np.array([[0, 1, 2], [0, 2, 3]])
    triangles = np.concatenate([one, one + 4, one + 8])
    middle = (SIZE // 2, SIZE // 2 - 3)
    assert draw(vertices, triangles).triangle[middle] in (2, 3)
    assert draw(vertices, triangles[::-1]).triangle[middle] in (2, 3)


def test_intersecting_planes_meet_where_their_depths_are_equal() -> None:
    left = np.array([[-0.5, -0.5, 0.8], [0.5, -0.5, 1.2], [0.5, 0.5, 1.2], [-0.5, 0.5, 0.8]])
    right = left * (-1, 1, 1)
    one = np.array([[0, 1, 2], [0, 2, 3]])
    fragments = draw(np.concatenate([left, right]), np.concatenate([one, one + 4]))
    assert (fragments.triangle[20:70, 20:47] < 2).all()
    assert (fragments.triangle[20:70, 49:76] >= 2).all()


def test_shared_edges_leave_no_crack_and_cover_no_pixel_twice() -> None:
    random = np.random.default_rng(0)
    border = np.array([[0, 0], [SIZE, 0], [SIZE, SIZE], [0, SIZE]], float) * 1.2 - 0.1 * SIZE
    # Some points lie exactly on pixel centres and some edges run along rows and columns: the hard cases.
    inside = np.concatenate([random.uniform(0, SIZE, (150, 2)), random.integers(0, SIZE, (150, 2)).astype(float)])
    points = np.concatenate([border, np.unique(inside, axis=0)])
    triangles = Delaunay(points).simplices
    depth = np.ones(len(points))
    together = rasterise(points, depth, triangles, SIZE, SIZE)
    assert (together.triangle >= 0).all()
    times = np.zeros((SIZE, SIZE), int)
    for triangle in triangles:
        times += rasterise(points, depth, triangle[None], SIZE, SIZE).triangle >= 0
    assert (times == 1).all()


def test_a_spheres_silhouette_and_depth() -> None:
    radius, distance = 0.3, 1.0
    vertices, triangles = ball(160, radius, (0.0, 0.0, distance))
    fragments = draw(vertices, triangles)
    direction = rays() / np.linalg.norm(rays(), axis=2, keepdims=True)
    closest = np.sqrt(np.maximum(distance**2 - (direction[..., 2] * distance) ** 2, 0.0))
    # Pixels whose ray passes the edge by less than the facets' sag may fall on either side.
    clear = np.abs(closest - radius) > 3e-4
    assert ((fragments.triangle >= 0) == (closest < radius))[clear].all()
    hit = (closest < radius - 0.02) & (fragments.triangle >= 0)
    along = direction[..., 2] * distance - np.sqrt(np.maximum(radius**2 - closest**2, 0))
    assert_allclose(fragments.depth_m[hit], (along * direction[..., 2])[hit], atol=2e-4)


def test_faces_seen_from_inside_can_be_left_out() -> None:
    vertices, triangles = ball(24)
    front = draw(vertices, triangles, cull_back_faces=True)
    assert_allclose(front.depth_m, draw(vertices, triangles).depth_m)
    back = draw(vertices, triangles[:, ::-1], cull_back_faces=True)
    middle = (SIZE // 2, SIZE // 2)
    assert back.depth_m[middle] > 1.2 > 0.8 > front.depth_m[middle]


def test_what_lies_behind_the_camera_or_nowhere_is_left_out() -> None:
    square = np.array([[-0.3, -0.3, 1.0], [0.3, -0.3, 1.0], [0.3, 0.3, 1.0], [-0.3, 0.3, -1.0]])
    points = project(square, CAMERA)
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    assert set(np.unique(rasterise(points, square[:, 2], triangles, SIZE, SIZE).triangle)) == {-1, 0}
    points[0] = np.nan
    assert (rasterise(points, square[:, 2], triangles, SIZE, SIZE).triangle == -1).all()


@pytest.mark.parametrize("triangles", [np.zeros((0, 3), np.int32), np.array([[0, 0, 0]]), np.array([[0, 1, 1]])])
def test_nothing_to_see_is_an_empty_picture(triangles: np.ndarray) -> None:
    vertices = np.array([[0.0, 0.0, 1.0], [0.1, 0.0, 1.0]])
    fragments = draw(vertices, triangles)
    assert (fragments.triangle == -1).all()
    assert (shade(fragments, vertices, triangles) == 0).all()


def test_triangles_far_larger_than_the_picture_fill_it() -> None:
    points = np.array([[-1e7, -1e7], [1e7, -1e7], [0.0, 2e7]])
    fragments = rasterise(points, np.full(3, 2.0), np.array([[0, 1, 2]]), SIZE, SIZE)
    assert (fragments.triangle == 0).all()
    assert_allclose(fragments.depth_m, 2.0)


def test_many_layers_of_large_triangles_are_resolved_in_pieces() -> None:
    layers = 600
    points = np.tile(np.array([[-10.0, -10.0], [300.0, -10.0], [-10.0, 300.0]]), (layers, 1))
    depth = np.repeat(np.random.default_rng(1).permutation(layers) + 1.0, 3)
    fragments = rasterise(points, depth, np.arange(3 * layers).reshape(-1, 3), 128, 128)
    assert (fragments.depth_m == 1.0).all()
    assert (fragments.triangle == int(depth[::3].argmin())).all()


def test_normals_of_a_ball_point_outwards() -> None:
    vertices, triangles = ball(32, 1.0, (0.0, 0.0, 0.0))
    normals = vertex_normals(vertices, triangles)
    assert (np.einsum("vi,vi->v", normals, vertices) > 0.99).all()


def test_the_lit_side_is_brighter_and_inside_out_meshes_look_the_same() -> None:
    vertices, triangles = ball(48)
    fragments = draw(vertices, triangles)
    picture = shade(fragments, vertices, triangles, light_direction=(-1.0, 0.0, -0.5), background=(1, 2, 3))
    assert picture.dtype == np.uint8
    row = picture[SIZE // 2].astype(int).sum(axis=1)
    assert row[SIZE // 2 - 25] > row[SIZE // 2] > row[SIZE // 2 + 25]
    assert picture[0, 0].tolist() == [1, 2, 3]
    turned = triangles[:, ::-1]
    same = shade(draw(vertices, turned), vertices, turned, light_direction=(-1.0, 0.0, -0.5), background=(1, 2, 3))
    assert np.abs(same.astype(int) - picture).max() <= 2


def test_colours_are_linear_light_encoded_as_srgb() -> None:
    square = np.array([[-0.5, -0.5, 1.0], [-0.5, 0.5, 1.0], [0.5, 0.5, 1.0], [0.5, -0.5, 1.0]])
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    colors = np.tile([0.5, 0.0, 1.0], (4, 1))
    picture = shade(draw(square, triangles), square, triangles, colors, light_direction=(0, 0, -1), ambient=1.0)
    # IEC 61966-2-1: linear 0.5 is 188.
    assert np.abs(picture[SIZE // 2, SIZE // 2].astype(int) - (188, 0, 255)).max() <= 1
