"""What older versions wrote is read under the names they gave it; the files are theirs."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from facecap_addon.jobs.cli.arguments import add_arguments, from_arguments
from facecap_addon.jobs.settings.dataset import DatasetSettings
from facecap_addon.jobs.settings.generate import TrainGeneratorSettings
from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.jobs.steps.chunk_store import ChunkFolder
from facecap_addon.learn.data.training_set import TrainingSet, open_set, save_set
from facecap_addon.rig.network_response import load_response
from facecap_addon.settings_schema import from_json, from_json_text, to_json
from facecap_addon.solvers.bundle import load_bundle, save_bundle
from tests.unit.learn.test_training_set import rig

FORMER = Path(__file__).resolve().parents[1] / "data" / "former_names"


def test_settings() -> None:
    train = from_json_text(TrainSettings, '{"folder": "set", "halves": false, "stills": "faces"}')
    assert train == TrainSettings(folder=Path("set"), cutmix=False, labelled_images=Path("faces"))
    dataset = from_json_text(DatasetSettings, '{"folder": "set", "stills": "faces", "use": "held"}')
    assert dataset == DatasetSettings(folder=Path("set"), labelled_images=Path("faces"), use="validation")
    generator = from_json(TrainGeneratorSettings, {"expression": "fear", "held": 3})
    assert generator == TrainGeneratorSettings(expression="fear", validation_subjects=3)
    assert from_json(TrainSettings, to_json(train)) == train
    former = to_json(train, former_names=True)
    assert (former["halves"], former["stills"]) == (False, "faces") and not {"cutmix", "labelled_images"} & set(former)


def test_flags_which_the_help_no_longer_shows() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser, TrainSettings)
    given = from_arguments(TrainSettings, parser.parse_args(["--folder", "set", "--no-halves", "--stills", "faces"]))
    assert given == TrainSettings(folder=Path("set"), cutmix=False, labelled_images=Path("faces"))
    assert "--cutmix" in parser.format_help() and "--halves" not in parser.format_help()


def test_training_sets(tmp_path: Path) -> None:
    save_set(TrainingSet(tmp_path, rig()))
    shutil.copy(FORMER / "set.json", tmp_path / "set.json")
    found = open_set(tmp_path)
    assert [shot.use for shot in found.shots] == ["validation", "auto", "train"]
    assert [shot.name for shot in found.split_shots().validation] == ["s0"]
    save_set(found)
    assert json.loads((tmp_path / "set.json").read_text(encoding="utf-8"))["format"] == 3
    assert open_set(tmp_path).shots == found.shots


def test_solvers(tmp_path: Path) -> None:
    found = load_bundle(FORMER / "dense.facecap")
    assert found.facts.aligned_eyes == ((0.5, 0.5), (1.5, 0.5), (1.0, 1.5))
    save_bundle(tmp_path / "new.facecap", found)
    assert load_bundle(tmp_path / "new.facecap").facts == found.facts


def test_responses_of_the_landmark_network() -> None:
    found = load_response(FORMER / "response.npz")
    np.testing.assert_array_equal(found.error_modes, np.full((1, 2, 3), 0.5, np.float32))
    np.testing.assert_array_equal(found.error_m, [1, 2])
    assert found.view_bias.shape == (0, 2, 2)


def test_logs_and_checkpoints_of_trainings() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("safetensors")
    from facecap_addon.learn.engine.checkpoint import load_checkpoint
    from facecap_addon.learn.engine.trainer import read_epoch

    facts = load_checkpoint(FORMER / "checkpoint.safetensors", torch.nn.Linear(1, 1), None)
    line = (FORMER / "log.jsonl").read_text(encoding="utf-8")
    for epoch in (read_epoch(facts["epochs"][0]), read_epoch(json.loads(line))):
        assert epoch.validation == {"relative_error": 0.5, "end_mm": 3.0}
        assert read_epoch(vars(epoch)) == epoch


def never(*_: Any) -> Any:
    raise AssertionError("it is finished already")


def test_finished_parts_of_a_refinement() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("cv2")
    from facecap_addon.refine.chunked_minimise import PassCache, minimise_in_chunks
    from facecap_addon.refine.flow.face_motion import measure_face_motion
    from facecap_addon.refine.schedule import Pass
    from facecap_addon.refine.state import DeepState

    store, rest = ChunkFolder(FORMER), np.tile(np.eye(3), (2, 1, 1))
    state = DeepState(rest, np.zeros((2, 3)), np.zeros((2, 1)), np.zeros((2, 6)))
    viewed: Any = SimpleNamespace(points=SimpleNamespace(vertices=np.zeros((1, 3), int)))
    footage: Any = SimpleNamespace(pair=never)
    flow = measure_face_motion(viewed, footage, state, np.ones(2, bool), store)
    assert flow.confidence.item() == 0.75 and (flow.displacement == 3).all()
    context: Any = SimpleNamespace(device="cpu", workers=1, store=store)
    cache = PassCache()
    found = minimise_in_chunks(context, Pass("face", ()), np.arange(2), state, [], cache, lambda _: None, never)
    assert found.energy.tolist() == [1, 2] and (state.weights == 0.25).all() and (state.translation == 0.5).all()
    assert all((cache.occlusions[row] == 0.5).all() for row in (0, 1))
