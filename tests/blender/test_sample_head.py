"""The sample head: topology, symmetry, the meaning of its keys, and that the landmark network finds the face."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from sample_scenes.head.arrays import HeadArrays, build_head_arrays, sculpted_head  # noqa: E402
from sample_scenes.head.eyes import SPOKES  # noqa: E402
from sample_scenes.head.keys import ARKIT_KEYS  # noqa: E402
from sample_scenes.head.layout import EYE, MOUTH  # noqa: E402
from sample_scenes.head.mouth import CORNER  # noqa: E402
from sample_scenes.head.proportions import EYE_CENTRE, EYEBALL_RADIUS, to_blender  # noqa: E402

BLEND = ROOT / "sample_scenes" / "head.blend"
EYE_M = to_blender(EYE_CENTRE)
RADIUS_M = EYEBALL_RADIUS * 1e-3


@pytest.fixture(scope="module")
def head() -> HeadArrays:
    return build_head_arrays()


def _edges(faces: list[tuple[int, ...]]) -> dict[tuple[int, int], int]:
    count: dict[tuple[int, int], int] = {}
    for face in faces:
        for a, b in zip(face, (*face[1:], face[0]), strict=False):
            count[(a, b)] = count.get((a, b), 0) + 1
    return count


def _corners(head: HeadArrays, face: tuple[int, ...], delta: np.ndarray | float = 0.0) -> np.ndarray:
    return (head.neutral.astype(np.float64) + delta)[list(face)]


def _lids(head: HeadArrays, ring: int) -> tuple[np.ndarray, np.ndarray]:
    """Upper and lower lid vertices of a loop of the left eye, paired along the fissure."""
    loop = sculpted_head().half.ring(EYE, ring)
    return loop[1:SPOKES], loop[:SPOKES:-1]


def test_size_and_budget(head: HeadArrays) -> None:
    skin = head.neutral[head.parts["skin"]]
    face_front = skin[skin[:, 1] < -0.06]
    chin = face_front[:, 2].min()
    height = skin[:, 2].max() - chin
    assert 0.215 < height < 0.235
    assert 6_000 <= len(head.neutral) <= 12_000
    assert np.mean([len(face) == 4 for face in head.faces]) > 0.95
    cranium = skin[skin[:, 2] > 0.03]
    assert 0.140 < np.ptp(cranium[:, 0]) < 0.155
    assert 0.180 < np.ptp(cranium[:, 1]) < 0.200


def test_topology_is_manifold_with_borders_only_where_meant(head: HeadArrays) -> None:
    edges = _edges(head.faces)
    assert max(edges.values()) == 1, "two faces share an edge in the same direction"
    border = {edge for edge in edges if (edge[1], edge[0]) not in edges}
    skin = set(head.parts["skin"].tolist())
    tucked = set(_tucked_loop(head).tolist())
    neck = {v for v in skin if head.neutral[v, 2] < -0.184}
    for a, _ in border:
        assert a not in skin or a in tucked or a in neck
    for name in ("eyeball_left", "eyeball_right", "tongue"):
        assert not any(a in set(head.parts[name].tolist()) for a, _ in border), f"{name} is closed"


def _tucked_loop(head: HeadArrays) -> np.ndarray:
    loop = sculpted_head().half.ring(EYE, 0)
    return np.r_[loop, head.mirror[loop]]


def test_no_face_has_zero_area(head: HeadArrays) -> None:
    for face in head.faces:
        p = _corners(head, face)
        area = 0.5 * np.linalg.norm(np.cross(p[2] - p[0], p[-1] - p[1]))
        assert area > 1e-9, face


def test_uvs_lie_on_the_sheet_and_do_not_overlap(head: HeadArrays) -> None:
    assert head.uv.min() >= 0.0 and head.uv.max() <= 1.0
    covered = np.zeros((2048, 2048), np.uint8)
    cv2 = pytest.importorskip("cv2")
    start, total = 0, 0.0
    for face in head.faces:
        corners = head.uv[start : start + len(face)].astype(np.float64)
        start += len(face)
        x, y = corners.T
        total += 0.5 * abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))
        cv2.fillConvexPoly(covered, np.round(corners * 2047 * 256).astype(np.int32), 1, cv2.LINE_8, 8)
    # Overlapping faces would paint less than their areas add up to; borders make each face paint a little more.
    assert covered.mean() > total * 0.995


def test_the_head_is_symmetric(head: HeadArrays) -> None:
    np.testing.assert_allclose(head.neutral[head.mirror], head.neutral * (-1, 1, 1), atol=1e-6)
    faces = {frozenset(face) for face in head.faces}
    assert all(frozenset(head.mirror[list(face)].tolist()) in faces for face in head.faces)


def test_every_arkit_key_is_there_and_moves_something(head: HeadArrays) -> None:
    assert tuple(head.deltas) == ARKIT_KEYS
    assert len(ARKIT_KEYS) == 52
    for name, delta in head.deltas.items():
        assert np.isfinite(delta).all()
        assert 0.0015 < np.linalg.norm(delta, axis=1).max() < 0.045, name


@pytest.mark.parametrize("name", [n for n in ARKIT_KEYS if n.endswith("Left")])
def test_pairs_mirror_exactly(head: HeadArrays, name: str) -> None:
    right = head.deltas[name[:-4] + "Right"]
    np.testing.assert_allclose(right[head.mirror], head.deltas[name] * (-1, 1, 1), atol=1e-7)


@pytest.mark.parametrize("name", [n for n in ARKIT_KEYS if not n.endswith(("Left", "Right"))])
def test_central_keys_are_symmetric(head: HeadArrays, name: str) -> None:
    delta = head.deltas[name]
    np.testing.assert_allclose(delta[head.mirror], delta * (-1, 1, 1), atol=1e-6)


def _allowed(head: HeadArrays, name: str) -> np.ndarray:
    """Where a key may move vertices (Blender axes, metres): face regions of Apple's description."""
    x, y, z = head.neutral.astype(np.float64).T
    side = x if name.endswith("Left") else -x
    if name.startswith("eye"):
        ok = (side > 0.004) & (z > -0.036) & (z < 0.034) & (y < -0.03)
    elif name.startswith("brow"):
        ok = (z > -0.004) & (z < 0.075) & (y < -0.02)
        if name != "browInnerUp":
            ok &= side > -0.008
    elif name in ("jawOpen", "jawForward", "jawLeft", "jawRight"):
        ok = (z < -0.012) & (z > -0.160) & (y < 0.020)
    elif name.startswith(("noseSneer", "cheekSquint", "mouthSmile")):
        ok = (side > -0.030) & (z > -0.118) & (z < 0.042) & (y < -0.015)
    else:
        ok = (z < -0.003) & (z > -0.118) & (y < -0.015)
        one_sided = name.startswith(
            ("mouthFrown", "mouthDimple", "mouthStretch", "mouthPress", "mouthLowerDown", "mouthUpperUp")
        )
        if one_sided:
            ok &= side > -0.030
    return ok


@pytest.mark.parametrize("name", ARKIT_KEYS)
def test_keys_stay_in_their_region(head: HeadArrays, name: str) -> None:
    outside = ~_allowed(head, name)
    assert np.linalg.norm(head.deltas[name][outside], axis=1).max() < 1e-4


@pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_lids_stay_outside_the_eyeball(head: HeadArrays, weight: float) -> None:
    for key in ("eyeBlinkLeft", "eyeLookDownLeft", "eyeLookUpLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeWideLeft",
                "eyeSquintLeft"):  # fmt: skip
        moved = head.neutral + weight * head.deltas[key]
        loops = np.concatenate([sculpted_head().half.ring(EYE, ring) for ring in range(5)])
        distance = np.linalg.norm(moved[loops] - EYE_M, axis=1)
        assert distance.min() > RADIUS_M, key


def test_a_blink_closes_the_lids(head: HeadArrays) -> None:
    closed = head.neutral + head.deltas["eyeBlinkLeft"]
    for ring in (1, 2):
        upper, lower = _lids(head, ring)
        assert np.linalg.norm(closed[upper] - closed[lower], axis=1).max() < 5e-4
        assert (closed[upper, 2] >= closed[lower, 2]).all()


def test_the_eye_is_open_at_rest(head: HeadArrays) -> None:
    upper, lower = _lids(head, 1)
    assert 0.009 < (head.neutral[upper, 2] - head.neutral[lower, 2]).max() < 0.012


@pytest.mark.parametrize(("key", "axis", "sign"), [("eyeLookUpLeft", 2, 1), ("eyeLookDownLeft", 2, -1),
    ("eyeLookInLeft", 0, -1),
                                                   ("eyeLookOutLeft", 0, 1), ("eyeLookOutRight", 0, -1)])  # fmt: skip
def test_eyes_look_where_the_key_says(head: HeadArrays, key: str, axis: int, sign: int) -> None:
    ball = head.parts["eyeball_left" if key.endswith("Left") else "eyeball_right"]
    pole = ball[head.neutral[ball, 1].argmin()]
    move = head.deltas[key][pole, axis] * sign
    assert 0.42 * RADIUS_M < move < 0.55 * RADIUS_M  # sine of 25 to 33 degrees


def _lips(head: HeadArrays, ring: int) -> tuple[np.ndarray, np.ndarray]:
    loop = sculpted_head().half.ring(MOUTH, ring)
    upper, lower = loop[:CORNER], loop[:CORNER:-1]
    return np.r_[upper, head.mirror[upper]], np.r_[lower, head.mirror[lower]]


@pytest.mark.parametrize("ring", [5, 6])
def test_lips_touch_at_rest_and_when_mouth_close_undoes_jaw_open(head: HeadArrays, ring: int) -> None:
    upper, lower = _lips(head, ring)
    for weight in (0.0, 0.3, 0.7, 1.0):
        closed = head.neutral + weight * (head.deltas["jawOpen"] + head.deltas["mouthClose"])
        gap = np.linalg.norm(closed[upper] - closed[lower], axis=1)
        assert gap.max() < 1e-4
    opened = head.neutral + head.deltas["jawOpen"]
    assert np.linalg.norm(opened[upper] - opened[lower], axis=1).max() > 0.018


@pytest.mark.parametrize("name", [n for n in ARKIT_KEYS if n != "mouthClose"])
def test_lips_do_not_pass_through_each_other(head: HeadArrays, name: str) -> None:
    for ring in (5, 6):
        upper, lower = _lips(head, ring)
        moved = head.neutral + head.deltas[name]
        assert (moved[upper, 2] - moved[lower, 2]).min() > -3e-4


def test_jaw_open_turns_chin_teeth_and_tongue(head: HeadArrays) -> None:
    move = np.linalg.norm(head.deltas["jawOpen"], axis=1)
    p = head.neutral
    chin = head.parts["skin"][np.argmin(np.abs(p[head.parts["skin"]] - (0, -0.0998, -0.097)).sum(1))]
    assert 0.025 < move[chin] < 0.030
    assert move[head.parts["upper_teeth"]].max() < 1e-6
    # Lower teeth move as one rigid piece.
    teeth = head.parts["lower_teeth"]
    before, after = p[teeth], p[teeth] + head.deltas["jawOpen"][teeth]
    np.testing.assert_allclose(
        np.linalg.norm(before - before[0], axis=1), np.linalg.norm(after - after[0], axis=1), atol=1e-6
    )
    tongue = head.parts["tongue"]
    assert move[tongue].min() > 0.003


@pytest.mark.parametrize(("key", "side", "up", "least"), [
    ("mouthSmileLeft", 1, 1, 0.012), ("mouthFrownLeft", 1, -1, 0.005), ("mouthStretchLeft", 1, -1, 0.008),
    ("mouthDimpleLeft", 1, 1, 0.005)])  # fmt: skip
def test_lip_corners_go_where_the_key_says(head: HeadArrays, key: str, side: int, up: int, least: float) -> None:
    corner = sculpted_head().half.ring(MOUTH, 6)[CORNER]
    move = head.deltas[key][corner]
    assert move[0] * side > 0 and move[2] * up > 0 and np.linalg.norm(move) > least
    assert np.linalg.norm(head.deltas[key][head.mirror[corner]]) < 1e-4


def test_keys_are_distinguishable(head: HeadArrays) -> None:
    flat = np.array([head.deltas[name].ravel() for name in ARKIT_KEYS], np.float64)
    flat /= np.linalg.norm(flat, axis=1)[:, None]
    likeness = flat @ flat.T - np.eye(len(flat))
    assert likeness.max() < 0.9


def test_the_committed_scene_is_what_the_script_builds(head: HeadArrays) -> None:
    bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")
    assert BLEND.stat().st_size < 4_000_000
    with bpy.data.libraries.load(str(BLEND)) as (source, target):
        target.objects = [name for name in source.objects if name == "Head"]
    thing = target.objects[0]
    try:
        mesh = thing.data
        count = len(mesh.vertices)
        assert count == len(head.neutral)
        found = np.empty(3 * count, np.float32)
        mesh.vertices.foreach_get("co", found)
        np.testing.assert_allclose(found.reshape(-1, 3), head.neutral, atol=1e-6)
        assert [tuple(p.vertices) for p in mesh.polygons] == head.faces
        keys = mesh.shape_keys.key_blocks
        assert [key.name for key in keys] == ["Basis", *ARKIT_KEYS]
        assert list(thing["arkit"]) == list(ARKIT_KEYS)
        for key in keys[1:]:
            key.data.foreach_get("co", found)
            np.testing.assert_allclose(
                found.reshape(-1, 3), head.neutral + head.deltas[key.name], atol=1e-6, err_msg=key.name
            )
        colors = np.empty(4 * count, np.float32)
        mesh.color_attributes["Color"].data.foreach_get("color", colors)
        np.testing.assert_allclose(colors.reshape(-1, 4)[:, :3], head.colors, atol=1e-5)
    finally:
        bpy.data.objects.remove(thing)
        bpy.data.meshes.remove(mesh)


LENS_MM, SENSOR_MM, DISTANCE_M, TARGET = 85.0, 36.0, 0.75, np.array([0.0, -0.06, -0.03])


@pytest.fixture
def studio():  # type: ignore[no-untyped-def]
    """A camera in front of the committed head; returns a function from key values to a picture."""
    bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")
    pytest.importorskip("onnxruntime")
    models = ROOT / "facecap_addon" / "landmarks" / "models" / "face_landmarks_attention.onnx"
    if not models.exists():
        pytest.skip("the landmark models are not built (tools/build_models)")
    cv2 = pytest.importorskip("cv2")
    import tempfile

    bpy.ops.wm.open_mainfile(filepath=str(BLEND))
    scene = bpy.context.scene
    thing = bpy.data.objects["Head"]
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens, camera.data.sensor_width = LENS_MM, SENSOR_MM
    camera.location = (TARGET[0], TARGET[1] - DISTANCE_M, TARGET[2])
    camera.rotation_euler = (np.pi / 2, 0.0, 0.0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    for name, place, energy in (("Key", (-0.6, -0.9, 0.7), 12.0), ("Fill", (0.8, -0.7, 0.1), 5.0)):
        light = bpy.data.objects.new(name, bpy.data.lights.new(name, "AREA"))
        light.data.energy, light.data.size = energy, 0.6
        light.location = place
        light.rotation_euler = _towards(np.array(place), TARGET)
        scene.collection.objects.link(light)
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 6
    scene.cycles.use_denoising = False
    scene.render.resolution_x = scene.render.resolution_y = 320
    scene.view_settings.view_transform = "Standard"
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "picture.png"

        def shoot(**values: float) -> np.ndarray:
            for key in thing.data.shape_keys.key_blocks[1:]:
                key.value = values.get(key.name, 0.0)
            scene.render.filepath = str(picture)
            bpy.ops.render.render(write_still=True)
            return np.ascontiguousarray(cv2.imread(str(picture))[:, :, ::-1])

        yield shoot
    bpy.ops.wm.read_homefile(use_empty=True)


def _towards(place: np.ndarray, target: np.ndarray) -> tuple[float, float, float]:
    x, y, z = target - place
    return float(np.arccos(-z / np.linalg.norm((x, y, z)))), 0.0, float(np.arctan2(-x, y))


def _seen(picture: np.ndarray):  # type: ignore[no-untyped-def]
    from facecap_addon.landmarks.mediapipe import MediaPipeLandmarker

    landmarker = MediaPipeLandmarker()
    faces = landmarker.find_faces(picture)
    assert len(faces) == 1, "one face is found"
    region = landmarker.region_of_face(faces[0])
    for _ in range(3):
        landmarks = landmarker.landmarks_in_regions(picture, [region])[0]
        region = landmarker.region_of_landmarks(landmarks.landmarks_px)
    return landmarks


def _pixels(points: np.ndarray, size: int = 320) -> np.ndarray:
    focal = LENS_MM / SENSOR_MM * size
    depth = points[:, 1] - (TARGET[1] - DISTANCE_M)
    return np.c_[
        size / 2 + focal * (points[:, 0] - TARGET[0]) / depth, size / 2 - focal * (points[:, 2] - TARGET[2]) / depth
    ]


# MediaPipe's landmark -> loop, spoke, side on the head.
KNOWN = {
    "right iris": 468, "left iris": 473, "left corner of the mouth": 291, "right corner of the mouth": 61,
    "upper lip": 0,
    "lower lip": 17, "left outer canthus": 263, "left inner canthus": 362, "left upper lid": 386, "left lower lid": 374,
}  # fmt: skip


def test_the_landmark_network_finds_the_face_and_its_features(studio, head: HeadArrays) -> None:  # type: ignore[no-untyped-def]
    half = sculpted_head().half
    mouth, eye, edge = half.ring(MOUTH, 10), half.ring(EYE, 2), half.ring(MOUTH, 6)
    left, right = head.parts["eyeball_left"][0], head.parts["eyeball_right"][0]
    truth = {
        "right iris": right, "left iris": left, "left corner of the mouth": edge[CORNER],
        "right corner of the mouth": head.mirror[edge[CORNER]], "upper lip": mouth[0], "lower lip": mouth[-1],
        "left outer canthus": eye[SPOKES], "left inner canthus": eye[0], "left upper lid": eye[SPOKES // 2],
        "left lower lid": eye[2 * SPOKES - SPOKES // 2],
    }  # fmt: skip
    landmarks = _seen(studio())
    assert landmarks.presence > 0.9
    expected = _pixels(head.neutral[list(truth.values())].astype(np.float64))
    found = landmarks.landmarks_px[[KNOWN[name] for name in truth]]
    millimetres = np.linalg.norm(found - expected, axis=1) / (LENS_MM / SENSOR_MM * 320 / 0.67) * 1000
    assert millimetres.max() < 5.0, dict(zip(truth, millimetres.round(1), strict=False))
    assert np.median(millimetres) < 2.5, dict(zip(truth, millimetres.round(1), strict=False))


@pytest.mark.slow
def test_the_landmark_network_finds_the_face_under_every_key(studio) -> None:  # type: ignore[no-untyped-def]
    presence = {name: _seen(studio(**{name: 1.0})).presence for name in ARKIT_KEYS}
    lost = {name: round(value, 2) for name, value in presence.items() if value < 0.9}
    assert not lost
