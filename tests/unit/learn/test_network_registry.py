"""The registry of networks: every name leads to a training, and reading it loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from facecap_addon.jobs.settings.train import TrainSettings
from facecap_addon.jobs.training.train import describe_useless_settings
from facecap_addon.learn.networks.registry import NETWORKS, PRESETS

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_that_is_offered_can_be_trained_in_each_preset(name: str) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    from facecap_addon.learn.networks.presets import get_preset

    network = NETWORKS[name]
    assert callable(network.train)
    for preset in PRESETS:
        picture = get_preset(preset, name).picture
        assert (picture.height == picture.width) == network.square
        assert picture.channels == (3 if network.colour else 1)


def test_networks_know_settings_that_there_are_and_help_names_them_all() -> None:
    known = {field.name for field in fields(TrainSettings)}
    assert all(set(network.settings) <= known for network in NETWORKS.values())
    [offered] = [field for field in fields(TrainSettings) if field.name == "network"]
    assert all(name in offered.metadata["help"] for name in NETWORKS)


def test_settings_that_a_network_has_no_use_for_are_named() -> None:
    def said(network: str, **asked: object) -> str:
        return " ".join(describe_useless_settings(TrainSettings(folder=ROOT, network=network, **asked)))  # type: ignore[arg-type]

    assert said("laine", affine=True, stabilise=True) == "" == said("meng", mining="random")
    assert said("meng", affine=True, stabilise=True) == (
        "--affine, --stabilise: without effect, meng has no use for it."
    )
    assert said("dense", affine=True).startswith("--affine: ")
    assert said("laine", labelled_images=ROOT).startswith("--labelled-images: ")
    assert all(said(name) == "" for name in NETWORKS)
    assert said("ridge", preset="preview", epochs=3, patience=2, cutmix=False, stabilise=True) == (
        "--preset, --epochs, --patience, --no-cutmix: without effect, ridge has no use for it."
    )
    assert said("dense", epochs=3, mirror=False).startswith("--no-mirror: ")


def test_settings_are_read_without_torch() -> None:
    code = "import sys, facecap_addon.jobs.settings.train; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint({"torch", "numpy"})
