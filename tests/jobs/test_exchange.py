"""Import and export on the command line: what goes out comes in, and what cannot says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.spatial.transform import Rotation

from facecap_addon import api
from facecap_addon.jobs.cli.main import main
from facecap_addon.rig.blendshapes import save_rig
from facecap_addon.takes.formats.live_link import read_live_link_csv
from facecap_addon.takes.formats.point_cache import write_point_cache
from facecap_addon.takes.npz import load_take, save_take
from facecap_addon.takes.take import Take
from tests.unit.sample import posed_take, sample
from tests.unit.takes.edited import make_take

FRAMES = 20


def performed(uneven: bool = False) -> Take:
    """A take of the sample head, its truth in the middle of each key's range."""
    rng = np.random.default_rng(2)
    rig = sample().rig
    weights = rng.uniform(0, 0.6, (FRAMES, len(rig.channels)))
    take = posed_take(weights, np.zeros((FRAMES, 3)), fps=30.0, size=(640, 480), focal_px=700.0)
    if uneven:
        take.time_s[:] = np.cumsum(rng.uniform(0.01, 0.06, FRAMES))
    return take


@pytest.fixture
def head(tmp_path: Path) -> Path:
    save_rig(tmp_path / "head.npz", sample().rig)
    return tmp_path / "head.npz"


def test_a_recording_becomes_a_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = make_take()
    save_take(tmp_path / "a.take.npz", before)
    assert main(["export", str(tmp_path / "a.take.npz"), "--format", "live-link"]) == 0
    assert main(["import", str(tmp_path / "a.livelink.csv"), "--out", str(tmp_path / "b.take.npz")]) == 0
    assert "50 of 50 frames, 52 channels" in capsys.readouterr().out
    after = load_take(tmp_path / "b.take.npz")
    assert_allclose(after.weights, before.weights, atol=1e-9)
    assert after.provenance["kind"] == "Live Link Face CSV"
    assert read_live_link_csv(tmp_path / "b.livelink.csv").frame_count == 50


def test_a_take_that_was_imported_is_filtered_and_edited(tmp_path: Path) -> None:
    save_take(tmp_path / "a.take.npz", make_take())
    api.export_take(tmp_path / "a.take.npz", "arkit-json", out=tmp_path / "a.json")
    take = api.import_take(tmp_path / "a.json", out=tmp_path / "b.take.npz")
    assert api.filter_take(tmp_path / "b.take.npz", plot=False).weights.shape == take.weights.shape
    assert api.edit_take(tmp_path / "b.take.npz", "Quiet Eyes", plot=False).frame_count == take.frame_count


@pytest.mark.parametrize("ending", ["pc2", "mdd"])
def test_vertices_become_the_weights_they_were_made_of(tmp_path: Path, head: Path, ending: str) -> None:
    take = performed(uneven=ending == "mdd")
    save_take(tmp_path / "a.take.npz", take)
    more = ["--character", str(head), "--fps", "30"]
    assert main(["export", str(tmp_path / "a.take.npz"), "--format", ending, *more]) == 0
    out = tmp_path / "b.take.npz"
    assert main(["import", str(tmp_path / f"a.{ending}"), "--out", str(out), *more]) == 0
    back = load_take(out)
    assert_allclose(back.time_s, take.time_s - take.time_s[0], atol=1e-5)
    # The keys' shapes overlap: what counts is that the face is the same, to a hundredth of a millimetre.
    rig = sample().rig
    for row in (0, 9, 19):
        assert_allclose(rig.vertices_at(back.weights[row]), rig.vertices_at(take.weights[row]), atol=1e-5)
    assert np.abs(back.weights - take.weights).max() < 0.01


def test_a_cache_in_centimetres_with_y_up_of_a_head_that_turns(tmp_path: Path, head: Path) -> None:
    take, rig = performed(), sample().rig
    turn = np.zeros((FRAMES, 3))
    turn[:, 2] = np.linspace(0, 0.4, FRAMES)
    y_up = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    spin = Rotation.from_rotvec(turn).as_matrix()  # about the up axis of the rig
    frames = [
        (100 * rig.vertices_at(row) @ spin[k].T @ y_up.T).astype(np.float32) for k, row in enumerate(take.weights)
    ]
    write_point_cache(tmp_path / "a.mdd", frames, take.time_s, rig.vertex_count)
    back = api.import_take(tmp_path / "a.mdd", character=head, out=tmp_path / "b.take.npz")
    assert np.abs(back.weights - take.weights).max() < 0.01
    first, last = back.head_rotation_wxyz[[0, -1]].astype(np.float64)
    assert_allclose(2 * np.arccos(np.clip(abs(first @ last), 0, 1)), 0.4, atol=1e-3)


def test_what_cannot_be_imported_or_exported_says_why(
    tmp_path: Path, head: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_point_cache(tmp_path / "a.mdd", [np.zeros((4, 3), np.float32)] * 2, np.array([0.0, 0.1]), 4)
    save_take(tmp_path / "a.take.npz", make_take())
    for arguments, words in (
        (["import", str(tmp_path / "a.mdd")], "--character"),
        (["import", str(tmp_path / "a.mdd"), "--character", str(head)], "has 4 vertices"),
        (["import", str(tmp_path / "none.csv")], "There is no file"),
        (["import", str(head)], "not a FaceCap take"),
        (["export", str(tmp_path / "a.take.npz"), "--format", "glb", "--character", str(head)], "from a .blend"),
        (["export", str(tmp_path / "a.take.npz"), "--format", "unity", "--mapping", str(head)], "mapping"),
    ):
        assert main(arguments) == 2
        assert words in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["a.mdd", "a.take.npz", "head.npz"]
