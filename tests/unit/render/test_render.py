"""The differentiable renderer: what it covers, and that every derivative is the picture's own."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")

from facecap_addon.geometry.raster import rasterise as rasterise_in_numpy  # noqa: E402
from facecap_addon.refine.jaw_joint import rotation_matrices  # noqa: E402
from facecap_addon.render import rasterise_cpu, rasterise_torch  # noqa: E402
from facecap_addon.render.ambient_occlusion import measure_ambient_occlusion  # noqa: E402
from facecap_addon.render.antialias import topology_of  # noqa: E402
from facecap_addon.render.camera import project  # noqa: E402
from facecap_addon.render.forward_mode import differentiate_normals, render_with_derivatives  # noqa: E402
from facecap_addon.render.renderer import Appearance, render, vertex_light  # noqa: E402
from facecap_addon.render.shading import harmonics, vertex_normals  # noqa: E402

SIZE = 40


def sphere(rings: int = 14, sides: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of a unit sphere and its triangles, counter-clockwise from outside."""
    polar = np.linspace(0, np.pi, rings + 1)[1:-1]
    turn = np.arange(sides) / sides * 2 * np.pi
    ring = np.stack(
        [
            np.outer(np.sin(polar), np.cos(turn)),
            np.outer(np.sin(polar), np.sin(turn)),
            np.outer(np.cos(polar), np.ones(sides)),
        ],
        -1,
    )
    vertices = np.concatenate([[[0, 0, 1.0]], ring.reshape(-1, 3), [[0, 0, -1.0]]])
    first, last, triangles = 0, len(vertices) - 1, []
    for r in range(rings - 2):
        for s in range(sides):
            a, b = 1 + r * sides + s, 1 + r * sides + (s + 1) % sides
            triangles += [(a, a + sides, b), (b, a + sides, b + sides)]
    for s in range(sides):
        triangles += [(first, 1 + s, 1 + (s + 1) % sides)]
        base = 1 + (rings - 2) * sides
        triangles += [(last, base + (s + 1) % sides, base + s)]
    return vertices, np.array(triangles, np.int32)


VERTICES, TRIANGLES = sphere()
TOPOLOGY = topology_of(TRIANGLES, VERTICES)


def seen_triangles(points: np.ndarray, depth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same picture by the compiled loops and by torch alone."""
    by_numba = rasterise_cpu.rasterise_cpu(points, depth, TRIANGLES, SIZE, SIZE)[0]
    tensors = [torch.from_numpy(values) for values in (points, depth, TRIANGLES)]
    return by_numba, rasterise_torch.rasterise_torch(*tensors, SIZE, SIZE)[0].numpy()


def placed(shift: tuple[float, float, float] = (0.1, -0.05, 4.0)) -> tuple[np.ndarray, np.ndarray]:
    """(1, V, 2) px and (1, V) m of the sphere before a camera."""
    points = VERTICES + shift
    return (points[:, :2] / points[:, 2:] * 60 + (SIZE - 1) / 2)[None], points[None, :, 2].copy()


def test_all_three_rasterisers_see_the_same() -> None:
    points, depth = placed()
    by_numba, by_torch = seen_triangles(points, depth)
    np.testing.assert_array_equal(by_numba, by_torch)
    theirs = rasterise_in_numpy(points[0], depth[0], TRIANGLES, SIZE, SIZE).triangle
    assert (by_numba[0] != theirs).mean() < 0.01  # pixels exactly on an edge may go to either side
    assert 0.4 < (by_numba >= 0).mean() < 0.8


def test_neighbours_leave_no_crack_and_share_no_pixel() -> None:
    # Two triangles make a square whose edges and diagonal run through pixel centres.
    points = np.array([[[2.0, 2.0], [12.0, 2.0], [12.0, 12.0], [2.0, 12.0]]])
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    depth = np.ones((1, 4))
    seen = rasterise_cpu.rasterise_cpu(points, depth, triangles, 16, 16)[0][0]
    assert (seen >= 0).sum() == 100
    alone = [rasterise_cpu.rasterise_cpu(points, depth, triangles[k : k + 1], 16, 16)[0][0] >= 0 for k in range(2)]
    assert not (alone[0] & alone[1]).any()
    assert (alone[0] | alone[1]).sum() == 100


def test_what_cannot_be_drawn_is_left_out() -> None:
    points, depth = placed()
    whole = rasterise_cpu.rasterise_cpu(points, depth, TRIANGLES, SIZE, SIZE)[0]
    broken, behind = points.copy(), depth.copy()
    broken[0, 5] = np.nan
    behind[0, 60] = -1.0
    flat = np.concatenate([TRIANGLES, [[3, 3, 9], [4, 4, 4]]]).astype(np.int32)  # without area
    for p, d, t in ((broken, depth, TRIANGLES), (points, behind, TRIANGLES), (points, depth, flat)):
        seen, inverse_depth = rasterise_cpu.rasterise_cpu(p, d, t, SIZE, SIZE)
        other, other_nearness = rasterise_torch.rasterise_torch(*(torch.from_numpy(v) for v in (p, d, t)), SIZE, SIZE)
        np.testing.assert_array_equal(seen, other)
        np.testing.assert_allclose(inverse_depth, other_nearness, rtol=1e-6)
        assert (seen < len(TRIANGLES)).all()  # those without area are nowhere
    bad = np.flatnonzero((TRIANGLES == 5).any(1))
    assert not np.isin(rasterise_cpu.rasterise_cpu(broken, depth, TRIANGLES, SIZE, SIZE)[0], bad).any()
    np.testing.assert_array_equal(rasterise_cpu.rasterise_cpu(points, depth, flat, SIZE, SIZE)[0], whole)


def scene(dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    """Everything a picture depends on."""
    random = torch.Generator().manual_seed(3)

    def some(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=random, dtype=dtype)

    light = 0.25 * (some(9, 3) - 0.5)
    light[0] += 2.0
    return {
        "points": torch.tensor(VERTICES, dtype=dtype),
        "turn": torch.tensor([[0.1, -0.2, 0.05]], dtype=dtype),
        "shift": torch.tensor([[0.1, -0.05, 4.0]], dtype=dtype),
        "camera": torch.tensor([60.0, 61.0, 19.3, 19.6], dtype=dtype),
        "albedo": 0.3 + 0.5 * some(len(VERTICES), 3),
        "light": light,
        "background": torch.tensor([0.1, 0.2, 0.6], dtype=dtype),
    }


def draw(values: dict[str, torch.Tensor]) -> torch.Tensor:
    """(1, H, W, 3) the sphere as the scene says."""
    points = values["points"] @ rotation_matrices(values["turn"]).transpose(1, 2) + values["shift"][:, None]
    places, depth = project(points, values["camera"])
    look = Appearance(values["albedo"], values["light"])
    return render(points, places, depth, TOPOLOGY, look, values["background"], (SIZE, SIZE))


@pytest.mark.parametrize("name", ["points", "turn", "shift", "camera", "albedo", "light", "background"])
def test_derivatives_agree_with_finite_differences(name: str) -> None:
    """Along random directions, outlines included: the sphere ends inside the picture, on another colour."""
    values = scene()
    weights = torch.rand(1, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(9), dtype=torch.float64)

    def score(moved: torch.Tensor) -> torch.Tensor:
        return (draw(values | {name: moved}) * weights).sum()

    at = values[name].clone().requires_grad_()
    gradient = torch.autograd.grad(score(at), at)[0]
    assert float(gradient.norm()) > 0
    for seed in range(3):
        direction = torch.randn(at.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        step = 1e-7
        with torch.no_grad():
            difference = (score(at + step * direction) - score(at - step * direction)) / (2 * step)
        assert float((gradient * direction).sum()) == pytest.approx(float(difference), rel=2e-4, abs=2e-5)


def test_an_outline_grows_as_its_area_does() -> None:
    """A white disc on black: how much white there is changes with its size as the area of a circle does."""
    turn = torch.linspace(0, 2 * np.pi, 65, dtype=torch.float64)[:-1]
    rim = torch.stack([turn.cos(), turn.sin()], 1)
    disc = torch.cat([torch.zeros(1, 2, dtype=torch.float64), rim])
    triangles = np.array([(0, 1 + k, 1 + (k + 1) % 64) for k in range(64)], np.int32)
    topology = topology_of(triangles, np.concatenate([disc.numpy(), np.zeros((65, 1))], 1))
    light = torch.zeros(9, 3, dtype=torch.float64)
    light[0] = 1e3  # far brighter than white: the shade does not matter
    look = Appearance(torch.ones(65, 3, dtype=torch.float64), light)
    radius = torch.tensor(11.3, dtype=torch.float64, requires_grad=True)
    places = (disc * radius + torch.tensor([19.7, 20.2]))[None]
    points = torch.cat([places, torch.ones(1, 65, 1, dtype=torch.float64)], 2)
    picture = render(points, places, points[..., 2], topology, look, torch.zeros(3, dtype=torch.float64), (SIZE, SIZE))
    white = picture[..., 0].sum()
    polygon = 0.5 * 64 * np.sin(2 * np.pi / 64)
    assert white.item() == pytest.approx(polygon * 11.3**2, rel=0.01)
    assert float(torch.autograd.grad(white, radius)[0]) == pytest.approx(2 * polygon * 11.3, rel=0.05)


def test_directions_through_the_picture_are_those_of_torch() -> None:
    values = scene(torch.float32)
    points = (values["points"] @ rotation_matrices(values["turn"])[0].T + values["shift"]).float()
    look = Appearance(values["albedo"], values["light"])
    direction = 0.01 * torch.randn(points.shape, generator=torch.Generator().manual_seed(1))

    def whole(at: torch.Tensor) -> torch.Tensor:
        places, depth = project(at[None], values["camera"])
        return render(at[None], places, depth, TOPOLOGY, look, values["background"], (SIZE, SIZE))[0]

    def vertex(at: torch.Tensor) -> torch.Tensor:
        places, depth = project(at[None], values["camera"])
        return torch.cat([places[0], depth[0][:, None], vertex_light(at[None], TOPOLOGY, look)[0]], 1)

    now = vertex(points)
    drawn, tangents = render_with_derivatives(
        now[:, :2], now[:, 2], now[:, 3:], TOPOLOGY, values["background"], (SIZE, SIZE)
    )
    torch.testing.assert_close(drawn, whole(points))
    moved = torch.func.jvp(vertex, (points,), (direction,))[1][torch.from_numpy(tangents.seen)]
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(points, direction)
        theirs = torch.autograd.forward_ad.unpack_dual(whole(dual)).tangent
    ours = tangents.jvp(moved[..., None].numpy())[..., 0]
    np.testing.assert_allclose(ours, theirs.numpy(), atol=2e-5 * float(theirs.abs().max()))


def test_harmonics_are_the_light_of_an_environment() -> None:
    """Irradiance from light that varies as one harmonic, summed over the sky, is that harmonic's own."""
    count = 40_000
    i = np.arange(count) + 0.5
    polar, turn = np.arccos(1 - 2 * i / count), np.pi * (1 + 5**0.5) * i
    sky = np.stack([np.cos(turn) * np.sin(polar), np.sin(turn) * np.sin(polar), np.cos(polar)], 1)
    x, y, z = sky.T
    basis = np.stack(
        [
            np.full(count, 0.282095),
            *(0.488603 * v for v in (y, z, x)),
            *(1.092548 * v for v in (x * y, y * z)),
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        1,
    )
    normals = sky[::4000]
    lambert = np.maximum(normals @ sky.T, 0.0) @ basis * (4 * np.pi / count) / np.pi
    np.testing.assert_allclose(harmonics(torch.from_numpy(normals)).numpy(), lambert, atol=2e-4)


def test_a_bowl_sees_less_sky_inside() -> None:
    vertices, triangles = sphere(30, 40)
    below = (vertices[triangles][:, :, 2] < 0.3).all(1)
    outer, inner = vertices, 0.9 * vertices
    both = torch.from_numpy(np.concatenate([outer, inner]))
    walls = np.concatenate([triangles[below], triangles[below][:, ::-1] + len(vertices)]).astype(np.int32)
    normals = vertex_normals(both[None], torch.from_numpy(walls))[0]
    seen = measure_ambient_occlusion(both, normals, torch.from_numpy(walls.copy()), 128).numpy()
    bottom = int(np.argmin(vertices[:, 2]))
    assert seen[bottom] > 0.9
    assert 0.02 < seen[bottom + len(vertices)] < 0.6


def test_pictures_without_derivatives_are_the_same_pictures() -> None:
    """The compiled path and the operations on tensors."""
    points, depth = placed()
    space = torch.from_numpy(np.dstack([points * 0.001, depth[..., None]]).astype(np.float32))
    places, depths = torch.from_numpy(points).float(), torch.from_numpy(depth).float()
    topology = topology_of(TRIANGLES, space[0].numpy())
    look = Appearance(torch.rand(space.shape[1], 3), 0.4 * torch.rand(9, 3))
    given = (space, places, depths, topology, look, torch.tensor([0.2, 0.3, 0.4]), (SIZE, SIZE))
    with torch.enable_grad():
        by_tensors = render(*given)
    with torch.no_grad():
        compiled = render(*given)
    np.testing.assert_allclose(compiled.numpy(), by_tensors.numpy(), atol=2e-5)


def test_normals_bend_as_their_derivative_says() -> None:
    points, depth = placed()
    space = np.dstack([points * 0.001, depth[..., None]])[0].astype(np.float32)
    moved = np.random.default_rng(3).normal(size=(*space.shape, 4)).astype(np.float32)
    seen: NDArray[np.int64] = np.arange(0, len(space), 3)
    found, bent = differentiate_normals(space, TRIANGLES.astype(np.int64), moved, seen)
    triangles = torch.from_numpy(TRIANGLES)

    def normals(share: float, direction: int) -> NDArray[np.float64]:
        points = torch.from_numpy(space.astype(np.float64) + share * moved[..., direction].astype(np.float64))
        return vertex_normals(points[None], triangles)[0].numpy()[seen]

    np.testing.assert_allclose(found, normals(0.0, 0), atol=1e-5)
    for direction in range(4):
        difference = (normals(1e-6, direction) - normals(-1e-6, direction)) / 2e-6
        np.testing.assert_allclose(bent[..., direction], difference, rtol=1e-3, atol=1e-3 * np.abs(difference).max())
