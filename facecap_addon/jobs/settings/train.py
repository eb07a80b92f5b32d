"""What a training is asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...settings_schema import setting

NETWORKS = ("laine", "dense", "pointwise", "meng", "vgg-lstm", "dfcn")


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Settings of one training. Where a field is absent, the preset has the paper's value."""

    folder: Path = setting(help="Folder of the training set")
    out: Path | None = setting(None, help="Solver to write (.facecap); absent: beside the set, named after the network")
    network: str = setting(
        "laine",
        help="What to train: laine (convolutions to vertices), dense (its fully connected form), pointwise (Meng and "
        "Wen's 1x1 variant), meng (expression embedding and LSTM to weights), vgg-lstm (both trained together) or dfcn "
        "(FACEGOOD's teacher and student: weights and landmarks, fast enough for live capture)",
        choices=NETWORKS,
    )
    preset: str = setting(
        "full",
        help="full: the paper's sizes and epochs, for a graphics card; preview: a small network on a quarter of the "
        "pixels, minutes on a laptop",
        choices=("full", "preview"),
    )
    epochs: int | None = setting(None, help="How often to go through the set", min=1, max=100_000)
    batch: int | None = setting(None, help="Frames per step", min=1, max=4096)
    seed: int = setting(0, help="Of everything random", min=0, max=1_000_000)
    patience: int = setting(
        0, help="Stop after so many epochs without a better result on held-out shots; 0: never", min=0, max=100_000
    )
    stills: Path | None = setting(None, help="meng: folder of stills sorted by expression, for the embedding")
    mining: str = setting("semi-hard", help="meng: how triplets are chosen", choices=("semi-hard", "random"))
    outlier: float | None = setting(
        None, help="dfcn: distance from the teacher beyond which a label counts as wrong; absent: estimated", min=0.0
    )
    emphasis: float = setting(1.5, help="dfcn: factor on what the student is not good enough at", min=1.0, max=100.0)
    gap: float | None = setting(
        None,
        help="dfcn: squared distance by which the student has to be better than the teacher; absent: estimated",
        min=0.0,
    )
    affine: bool = setting(False, help="Forgive affine motion of the target, with a fixed output layer (appendix A.1)")
    stabilise: bool = setting(False, help="Bring each shot's point cache to rest first (appendix A.2)")
    mirror: bool = setting(True, help="Of a symmetric character, learn from mirrored pictures, too")
    halves: bool = setting(
        True,
        help="laine, pointwise, vgg-lstm: where all keys have ARKit's names, learn from brows and eyes of one frame "
        "over the mouth of another, too",
    )
    int8: bool = setting(False, help="Also write the network quantised to 8 bits, and say what that costs")
    compare: bool = setting(True, help="Compare with the landmark fit on held-out shots when the training is done")
    device: str = setting("auto", help="Where torch works", choices=("auto", "cpu", "cuda"))
    precision: str = setting(
        "auto",
        help="Numbers in the network: bf16 is faster on graphics cards and new processors",
        choices=("auto", "fp32", "bf16"),
    )
    checkpoint_minutes: float = setting(5.0, help="Time between checkpoints", unit="min", min=0.01, max=1440)
    tensorboard: bool = setting(True, help="Write TensorBoard event files, where its package is installed")
    threads: int = setting(2, help="Threads for torch", min=1, max=128)
