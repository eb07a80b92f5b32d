"""Rendering a take on the sample head: what the truth says is what Blender shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy", reason="Blender's Python module is not installed")

from facecap_addon.footage.footage import open_footage  # noqa: E402
from facecap_addon.footage.read import read_frames  # noqa: E402
from facecap_addon.takes.npz import load_take  # noqa: E402
from sample_scenes import render_take  # noqa: E402
from sample_scenes.head.arrays import build_head_arrays  # noqa: E402
from sample_scenes.head.keys import ARKIT_KEYS  # noqa: E402
from sample_scenes.head.landmarks import load_landmarks  # noqa: E402
from sample_scenes.performance import Performance, perform  # noqa: E402
from sample_scenes.studio import open_studio  # noqa: E402
from tests.blender.faces import evaluated_world  # noqa: E402

TAKE = Path(render_take.__file__).with_name("take_01.npz")


@pytest.fixture(autouse=True)
def empty_file_afterwards():  # type: ignore[no-untyped-def]
    yield
    bpy.ops.wm.read_homefile(use_empty=True)


def test_true_landmarks_are_where_blenders_camera_sees_the_evaluated_mesh() -> None:
    from bpy_extras.object_utils import world_to_camera_view
    from mathutils import Vector

    studio = open_studio(400, 1, lens_mm=60.0, distance_m=0.7)
    whole, frames = perform(), [20, 114, 160]
    performance = Performance(*(getattr(whole, name)[frames] for name in whole.__dataclass_fields__))
    landmarks = load_landmarks()[0]
    truth = render_take.truth_of(performance, studio, build_head_arrays(), landmarks)
    for row in range(len(frames)):
        weights = dict(zip(ARKIT_KEYS, performance.weights[row].tolist(), strict=True))
        studio.pose(weights, performance.turn_rad[row], performance.shift_m[row])
        world = landmarks.positions(evaluated_world(studio.head, 1))
        for number in (1, 13, 33, 152, 263, 291, 473):
            seen = world_to_camera_view(studio.scene, studio.scene.camera, Vector(world[number].tolist()))
            blender_px = np.array([seen.x * 400 - 0.5, (1 - seen.y) * 400 - 0.5])
            np.testing.assert_allclose(truth.landmarks_px[row, number], blender_px, atol=0.01)


@pytest.mark.parametrize("ending", [".npz", ".csv"])
def test_curves_of_ones_own_give_the_same_performance(ending: str) -> None:
    """The committed take, read back as somebody's recording."""
    again, first = render_take.curves_from(TAKE.with_suffix(ending), 0.0, 9.0), perform()
    assert len(again.time_s) == len(first.time_s)
    np.testing.assert_allclose(again.weights, first.weights, atol=2e-3)
    np.testing.assert_allclose(again.turn_rad, first.turn_rad, atol=np.radians(0.1))


def test_curves_that_end_too_early_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        render_take.main(["--curves", str(TAKE), "--start", "20"])
    assert stopped.value.code == 2
    assert "ends before 20.0 s" in capsys.readouterr().err


def test_a_short_take_is_rendered_with_its_truth(tmp_path: Path) -> None:
    out = tmp_path / "short"
    flags = ["--curves", str(TAKE), "--start", "4.4", "--seconds", "0.12", "--size", "96", "--samples", "4"]
    render_take.main([*flags, "--out", str(out)])
    truth = load_take(out.with_suffix(".npz"))
    frames = list(read_frames(open_footage(out.with_suffix(".mp4"))))
    assert len(frames) == truth.frame_count == 3
    assert out.with_suffix(".csv").is_file()
    np.testing.assert_allclose(truth.weights[0], load_take(TAKE).weights[110], atol=1e-6)
    # Skin where the cheeks are, background in the corner.
    x, y = truth.landmarks_px[0, 50].round().astype(int)
    skin, corner = frames[0].image[y, x].astype(int), frames[0].image[2, 2].astype(int)
    assert skin[0] > corner[0] + 40 and skin[0] > skin[2] + 15
