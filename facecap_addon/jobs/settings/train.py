"""What a training is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...learn.networks.registry import NETWORKS, PRESETS
from ...settings_schema import setting
from .pytorch import PRECISIONS, device_setting


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Settings of one training. Where a field is absent, the preset has the paper's value."""

    folder: Path = setting(help="Folder of the training set")
    out: Path | None = setting(
        None, help="Solver to write (.facecap); if not given: beside the set, named after the network"
    )
    network: str = setting(
        "laine",
        help="What to train: laine, dense, pointwise and ridge give vertices, ridge in minutes; meng and vgg-lstm give "
        "shape keys over time; dfcn gives shape keys and landmarks, fast enough for live capture; see docs/learn.md",
        tooltip="What the network gives",
        choices=tuple(NETWORKS),
        choice_labels={name: (network.label, network.summary) for name, network in NETWORKS.items()},
    )
    preset: str = setting(
        "full",
        help="full: the paper's sizes and epochs, for a graphics card; preview: a small network on a quarter of the "
        "pixels, minutes on a laptop",
        tooltip="Size of the network and length of the training",
        choices=PRESETS,
        label="Quality",
        choice_labels={
            "full": ("Full", "The full size, for a graphics card"),
            "preview": ("Preview", "A small network, minutes on a laptop"),
        },
    )
    epochs: int | None = setting(
        None, help="How often to go through the training set; if not given: by the quality", min=1, max=100_000
    )
    batch: int | None = setting(None, help="Frames per step", min=1, max=4096)
    seed: int = setting(0, help="Another number gives other random choices", min=0, max=1_000_000)
    patience: int = setting(
        0,
        help="Stop after so many epochs without a better result on the validation shots; 0: never",
        min=0,
        max=100_000,
        label="Stop Early After",
    )
    labelled_images: Path | None = setting(
        None, help="meng: folder of images sorted by expression", former_name="stills"
    )
    mining: str = setting(
        "auto",
        help="meng: how the images to compare are chosen; graded: by how far faces differ, of footage only; auto: "
        "graded, or semi-hard with labelled images",
        tooltip="How the images to compare are chosen",
        choices=("auto", "semi-hard", "random", "graded"),
        label="Comparisons",
        choice_labels={
            "auto": ("Automatic", "Graded for footage, semi-hard for sorted images"),
            "semi-hard": ("Semi-Hard", "Those that are told apart only just"),
            "random": ("Random", "Any of them"),
            "graded": ("Graded", "By how far faces differ, for footage only"),
        },
    )
    distil: bool = setting(
        False,
        help="dfcn: train a large network first, that finds wrong labels and teaches the small one",
        tooltip="Train a large network first, that finds wrong labels and teaches the small one",
        label="Distill",
    )
    outlier: float | None = setting(
        None,
        help="dfcn: distance of a whole label from the large network beyond which it counts as wrong; if not given: "
        "each key and landmark is judged by what the large network is usually off in it",
        tooltip="Distance of a whole label from the large network beyond which it counts as wrong; off: each key is "
        "judged by itself",
        min=0.0,
        label="Outlier Limit",
    )
    emphasis: float = setting(
        1.5,
        help="dfcn: factor on what the small network is not yet good enough at",
        tooltip="Factor on what the small network is not yet good enough at",
        min=1.0,
        max=100.0,
    )
    gap: float | None = setting(
        None,
        help="dfcn: how much better than the large network the small one has to be (squared distance); if not given: "
        "estimated",
        tooltip="How much better than the large network the small one has to be; off: estimated",
        min=0.0,
        label="Lead",
    )
    affine: bool = setting(
        False, help="Ignore that the whole face shifts, turns or stretches in the training data", label="Ignore Drift"
    )
    stabilise: bool = setting(
        False, help="Remove the head's motion from the point cache of each shot first", label="Hold Head Still"
    )
    mirror: bool = setting(
        True, help="Also learn from mirrored pictures, if the character is symmetric", label="Mirror Pictures"
    )
    cutmix: bool = setting(
        True,
        help="Also learn from brows and eyes of one frame over the mouth of another, where all keys have ARKit's names "
        "(laine, pointwise, vgg-lstm)",
        tooltip="Also learn from brows and eyes of one frame over the mouth of another",
        label="Mix Face Halves",
        former_name="halves",
    )
    lip_lid_weight: float = setting(
        8.0,
        help="How many times lips and lids count as much as the rest of the face (laine, pointwise); 1: alike",
        tooltip="How many times lips and lids count as much as the rest of the face; 1: alike",
        min=1.0,
        max=100.0,
        label="Lips and Lids",
    )
    int8: bool = setting(
        False, help="Also store the network in 8 bits, and report how much accuracy that costs", label="Smaller File"
    )
    compare: bool = setting(
        True,
        help="Compare with a fast solve on the shots kept back when the training is done",
        label="Compare at the End",
    )
    device: str = device_setting()
    precision: str = setting(
        "auto",
        help="Precision of the network: bf16 is faster on graphics cards and new processors",
        choices=tuple(PRECISIONS),
        choice_labels=PRECISIONS,
    )
    checkpoint_minutes: float = setting(5.0, help="Time between checkpoints", unit="min", min=0.01, max=1440)
    tensorboard: bool = setting(True, help="Write TensorBoard event files, where its package is installed")
    threads: int = setting(2, help="Processor threads", min=1, max=128)
