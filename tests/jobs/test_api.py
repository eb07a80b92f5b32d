"""FaceCap from Python: the functions of `facecap_addon.api`, and every script of `examples/`."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facecap_addon import api as facecap

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def example(name: str) -> Callable[..., int]:
    """The `main` of a script."""
    return runpy.run_path(str(EXAMPLES / name))["main"]


@pytest.fixture(scope="module")
def clip(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.blender.face_video import write_face_video

    return write_face_video(tmp_path_factory.mktemp("clips") / "talk.mp4", frames=8)


@pytest.fixture(scope="module")
def solved(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("api")
    seen: list[float] = []
    take = facecap.solve(clip, out=out, blend=False, on_progress=lambda progress, fraction: seen.append(fraction))
    assert take.frame_count == 8 and take.solved.all()
    assert seen[0] == 0 and seen == sorted(seen) and seen[-1] > 0.9
    assert np.array_equal(facecap.load_take(out / "talk.take.npz").weights, take.weights)
    return out / "talk.take.npz"


def test_nothing_is_left_on_disk_without_a_folder(
    clip: Path, solved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(clip.parent.iterdir())
    take = facecap.solve(clip, end="3")
    assert take.frame_count in (3, 4)
    assert not list(tmp_path.iterdir()) and set(clip.parent.iterdir()) == before


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(facecap.FacecapError, match="no setting called 'speed'"):
        facecap.solve(tmp_path / "a.mp4", out=tmp_path, speed=3)
    with pytest.raises(facecap.FacecapError, match=r"a\.mp4"):
        facecap.solve(tmp_path / "a.mp4", out=tmp_path)
    with pytest.raises(facecap.FacecapError, match="no job called 'fly'"):
        facecap.run_job("fly", {})
    with pytest.raises(facecap.FacecapError, match="take"):
        facecap.load_take(tmp_path / "none.take.npz")


def test_a_caller_can_stop_a_job(clip: Path, tmp_path: Path) -> None:
    def stop(progress: object, fraction: float) -> None:
        raise facecap.CancelledError

    with pytest.raises(facecap.CancelledError):
        facecap.solve(clip, out=tmp_path, on_progress=stop)
    assert not list(tmp_path.glob("*.npz"))


def test_the_front_door_opens_without_anything_heavy() -> None:
    code = "import sys; import facecap_addon.api; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint({"numpy", "scipy", "PIL", "onnxruntime", "av", "torch", "bpy"})


def test_everything_public_is_named_and_told_of() -> None:
    tree = ast.parse((ROOT / "facecap_addon" / "api.py").read_text(encoding="utf-8"))
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert functions <= set(facecap.__all__)
    assert all(getattr(facecap, name).__doc__ for name in facecap.__all__)


def test_the_folder_is_solved_and_what_cannot_be_is_named(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(clip.read_bytes())
    (folder / "b.mp4").write_bytes(b"no video")
    assert example("solve_a_folder.py")(str(folder), str(tmp_path / "out")) == 2
    said = capsys.readouterr()
    assert "a.mp4: 8 of 8 frames" in said.out and said.err.startswith("b.mp4: ")


def test_a_video_is_solved(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert example("solve_a_video.py")(str(clip), str(tmp_path)) == 0
    assert "8 of 8 frames" in capsys.readouterr().out
    assert (tmp_path / "talk.report.html").is_file()


def test_curves_are_printed(solved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert example("plot_curves.py")(str(solved), "3") == 0
    header, *rows = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    take = facecap.load_take(solved)
    assert header[0] == "time_s" and len(header) == 4 and len(rows) == 8
    strongest = take.weights[:, take.channels.index(header[1])]
    np.testing.assert_allclose([float(row[1]) for row in rows], strongest, atol=1e-4)


def test_a_take_is_filtered(solved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert example("filter_a_take.py")(str(solved)) == 0
    _, before, _, after = capsys.readouterr().out.splitlines()[0].split()
    assert float(after) < float(before)


def test_an_expression_is_generated(models: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert example("generate_an_expression.py")("happiness", str(tmp_path)) == 0
    assert "52 shape keys" in capsys.readouterr().out
    take = facecap.load_take(next(tmp_path.glob("*.take.npz")))
    smile = take.weights[:, take.channels.index("mouthSmileLeft")]
    assert smile.max() > 0.2 and smile[0] < 0.1


def test_a_mesh_follows(solved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = ROOT / "sample_scenes" / "head.blend"
    assert example("retarget_to_a_mesh.py")(str(solved), str(head), str(tmp_path)) == 0
    assert "25 frames per second" in capsys.readouterr().out
    assert next(tmp_path.glob("*.pc2")).stat().st_size > 9575 * 12 * 8
