"""The networks there are: what each is called and learns, what it sees, and where its training is.

Settings, panel and job derive from it. It is plain data: torch, and a network's own modules, are imported only when it
is trained.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from ..data.training_set import TrainingSet
    from ..engine.training_run import TrainingRun
    from .presets import Preset


class Train(Protocol):
    """Trains a network on a set, writes the solver, and returns what there is to say."""

    def __call__(self, run: TrainingRun, training_set: TrainingSet, preset: Preset) -> list[str]: ...


PRESETS = ("full", "preview")
"""Every network has both; what they mean is in presets.py."""


@dataclass(frozen=True)
class Network:
    """A network that can be trained.

    Attributes:
        name: as it is typed.  label, summary: what it gives, in the panel.
        trainer: module, relative to this folder, and name of its `Train`.
        colour, square: the picture it sees; else grey, and upright.
        uses_labelled_images: whether it learns from images sorted by expression, too; then it needs no footage.
        two_cameras: whether it learns from footage of a second camera, too.
        settings: those that it has a use for, of those that not every network has.
    """

    name: str
    label: str
    summary: str
    trainer: tuple[str, str]
    colour: bool = False
    square: bool = False
    uses_labelled_images: bool = False
    two_cameras: bool = False
    settings: tuple[str, ...] = ()

    @property
    def train(self) -> Train:
        """Its training."""
        module, name = self.trainer
        return getattr(importlib.import_module(module, __package__), name)


_RIDGE = (".ridge.train", "train_ridge")
_STEPWISE = ("preset", "epochs", "batch", "patience", "precision", "checkpoint_minutes", "tensorboard")
"""Of networks that learn step by step: all but `ridge`, which solves one system of equations."""
_MESHES, _SEQUENCES = (".laine.train", "train_meshes"), (".meng.train", "train_sequences")
NETWORKS: dict[str, Network] = {
    network.name: network
    for network in (
        Network(
            "laine", "Vertices", "Every vertex of the face; the most detail", _MESHES,
            two_cameras=True, settings=(*_STEPWISE, "mirror", "cutmix", "affine", "stabilise", "lip_lid_weight"),
        ),
        Network(
            "dense", "Vertices, Simple", "Every vertex, by a simpler network", _MESHES,
            settings=(*_STEPWISE, "stabilise"),
        ),
        Network(
            "pointwise", "Vertices, Color", "Every vertex, from pictures in color", _MESHES,
            colour=True, two_cameras=True,
            settings=(*_STEPWISE, "mirror", "cutmix", "affine", "stabilise", "lip_lid_weight"),
        ),
        Network(
            "meng", "Shape Keys", "Shape keys over time, from expressions learned first", _SEQUENCES,
            colour=True, square=True, uses_labelled_images=True,
            settings=(*_STEPWISE, "mirror", "labelled_images", "mining"),
        ),
        Network(
            "vgg-lstm", "Shape Keys, Simple", "Shape keys over time, all learned at once", _SEQUENCES,
            colour=True, settings=(*_STEPWISE, "mirror", "cutmix"),
        ),
        Network(
            "dfcn", "Live", "Shape keys and landmarks, fast enough for live capture", (".dfcn.train", "train_faces"),
            square=True, settings=(*_STEPWISE, "mirror", "distil", "emphasis", "outlier", "gap"),
        ),
        Network(
            "ridge", "Vertices, Quick", "Every vertex, in minutes, from little footage", _RIDGE,
            colour=True, square=True, settings=("mirror", "stabilise"),
        ),
    )
}  # fmt: skip
"""By name, in the order they are offered. Saved scenes keep the place in this order: new ones come last."""


def find_useless_settings(network: str) -> frozenset[str]:
    """Settings that other networks have a use for, and this one has none."""
    return frozenset(name for other in NETWORKS.values() for name in other.settings) - set(NETWORKS[network].settings)
