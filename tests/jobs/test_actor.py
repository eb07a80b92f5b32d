"""Actors and jobs: what a solve says of her, and a solve that knows her from before."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facecap_addon.errors import FacecapError
from facecap_addon.takes.actor import SCALED_REGIONS, save_actor, write_json
from facecap_addon.takes.npz import load_take, save_take
from tests.jobs.solving import quick, run


def test_a_solve_tells_of_its_actor_and_takes_her_from_a_file_or_a_take(face_clip: Path, tmp_path: Path) -> None:
    first = run("solve", quick(face_clip, tmp_path / "one"))
    actor = load_take(Path(first["take"])).actor
    assert actor is not None
    told = json.loads((tmp_path / "one" / "summary.json").read_text(encoding="utf-8"))["actor"]
    assert set(told["scales"]) == set(SCALED_REGIONS) and 0.3 < told["proportions"]["mouth_width"] < 1.0
    assert told["scales"]["mouth"]["found"] == round(actor.scales["mouth"].found, 3)

    save_actor(tmp_path / "her.actor.json", actor)
    solved = [
        load_take(Path(run("solve", quick(face_clip, tmp_path / name, actor=path, brows_scale=110.0))["take"]))
        for name, path in (("two", tmp_path / "her.actor.json"), ("three", Path(first["take"])))
    ]
    np.testing.assert_array_equal(solved[0].weights, solved[1].weights)
    assert solved[0].actor is not None
    assert solved[0].actor.scales["brows"].used == 1.1 and solved[0].actor.scales["brows"].asked
    np.testing.assert_allclose(solved[0].actor.neutral_m, actor.neutral_m, atol=1e-3)


def test_an_actor_that_does_not_fit_is_refused_before_the_work(face_clip: Path, tmp_path: Path) -> None:
    first = run("solve", quick(face_clip, tmp_path / "one"))
    take = load_take(Path(first["take"]))
    assert take.actor is not None
    save_take(tmp_path / "old.take.npz", replace(take, actor=None))
    other = tmp_path / "other.actor.json"
    other.write_text(json.dumps({**write_json(take.actor), "scheme": "ibug-68"}), encoding="utf-8")
    for path, words in ((tmp_path / "old.take.npz", "does not know its actor"), (other, "ibug-68 landmarks")):
        with pytest.raises(FacecapError, match=words):
            run("solve", quick(face_clip, tmp_path / "out", actor=path))
    assert not (tmp_path / "out").exists()
