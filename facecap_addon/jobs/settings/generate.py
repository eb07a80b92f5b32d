"""What a generate job, and the training of a generator, are asked to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...generate.authored.emotions import EXPRESSIONS
from ...settings_schema import setting
from .pytorch import PRECISIONS, device_setting
from .retarget import WarpSettings


@dataclass(frozen=True, kw_only=True)
class GenerateSettings(WarpSettings):
    """Settings of one generated performance."""

    expressions: str = setting(help=f"{', '.join(EXPRESSIONS)}, or a sequence of them, separated by commas")
    out: Path = setting(Path("facecap_out"), help="Folder for the results")
    character: str | None = setting(
        None, help="FILE.blend, FILE.blend:OBJECT or rig .npz that shows it; if not given: the sample head"
    )
    seed: int = setting(
        0, help="Another number gives another variant of the expression", min=0, max=1_000_000, label="Variant"
    )
    variation: float = setting(1.0, help="How much the variants differ; 0: not at all", min=0.0, max=1.5)
    intensity: float = setting(1.0, help="Strength of the expression; 1 = as it was learned", min=0.0, max=3.0)
    duration_s: float | None = setting(
        None,
        help="How long each expression lasts; if not given: as long as it was learned",
        unit="s",
        min=0.2,
        max=60.0,
    )
    overlap_s: float = setting(0.8, help="How long expressions of a sequence overlap", unit="s", min=0.0, max=10.0)
    repeat: int = setting(1, help="How often it is shown, each time in another variant", min=1, max=100)
    loop: bool = setting(False, help="Play the keys over and over")
    generators: Path | None = setting(
        None, help="Folder of generators of your own; if not given: those that came along"
    )
    motion: str = setting(
        "auto",
        help="keys: weights of the character's shape keys; points: a point cache; auto: keys where it has them",
        tooltip="What is animated",
        choices=("auto", "keys", "points"),
        label="Animate",
        choice_labels={
            "auto": ("Automatic", "Shape keys where the character has them, else a point cache"),
            "keys": ("Shape Keys", "Key the character's shape keys"),
            "points": ("Point Cache", "Move every vertex"),
        },
    )
    head: bool = setting(True, help="Also move the head", label="Also Move Head")
    head_bone: str | None = setting(
        None,
        help="Bone that the head's motion is keyed on, as BONE or ARMATURE:BONE; if not given: found, else the object",
    )
    blinks: bool = setting(True, help="Shape keys: blink now and then", label="Blinks")
    gaze: bool = setting(True, help="Shape keys: let the eyes rest on one thing after the other", label="Gaze")
    breathing: bool = setting(True, help="Shape keys: let the head move a little as it breathes", label="Breathing")
    scale: bool = setting(True, help="Scale the motion to the character's proportions, region by region")
    each_frame: bool = setting(False, help="Point cache: solve the warp anew in each frame, as the paper does")
    blend: bool = setting(True, help="Write a copy of the character's .blend that shows it")
    blender: Path | None = setting(None, help="Blender program to open .blend characters with")
    threads: int = setting(2, help="Threads", min=1, max=64)


@dataclass(frozen=True, kw_only=True)
class TrainGeneratorSettings:
    """Settings of one training of a generator."""

    expression: str = setting(help="What it learns to show", choices=EXPRESSIONS)
    out: Path = setting(Path("generators"), help="Folder for the generator and its log")
    data: Path | None = setting(
        None,
        help="Folder of BU-4DFE (SUBJECT/EXPRESSION/NUMBER.bnd), or of takes (.take.npz) or .landmarks.npz files, each "
        "from neutral to neutral; if not given: synthetic sequences",
    )
    source: str | None = setting(None, help="Character that the takes were solved on; if not given: the sample head")
    blender: Path | None = setting(None, help="Blender program to open a .blend character with")
    subjects: int = setting(160, help="Synthetic subjects", min=3, max=10_000)
    validation_subjects: int = setting(
        20, help="Subjects kept back for validation, which choose the checkpoint", min=0, max=5_000, former_name="held"
    )
    test_subjects: int = setting(
        20, help="Subjects kept back for the test, which gives the figures and chooses nothing", min=0, max=5_000
    )
    epochs: int | None = setting(
        None,
        help="How often to go through the sequences; if not given: 160, or 10,000 with --free-epochs 0, as the paper",
        min=1,
        max=1_000_000,
    )
    free_epochs: int = setting(
        24,
        help="Then so many epochs of free runs, which keep the network from drifting; 0: the paper's training",
        min=0,
    )
    batch: int | None = setting(
        None, help="Sequences per step; if not given: 10, or 5 with --free-epochs 0, as the paper", min=1, max=1000
    )
    seed: int = setting(0, help="Another number gives other random choices", min=0, max=1_000_000)
    patience: int = setting(
        0,
        help="Stop after so many epochs without a better result on the validation subjects; 0: never",
        min=0,
        max=1_000_000,
    )
    device: str = device_setting()
    tensorboard: bool = setting(False, help="Write TensorBoard event files, where its package is installed")
    precision: str = setting(
        "auto",
        help="Precision of the network: bf16 is faster on graphics cards, and on new processors in large batches",
        choices=tuple(PRECISIONS),
        choice_labels=PRECISIONS,
    )
    threads: int = setting(1, help="Processor threads; with small batches more than one hardly helps", min=1, max=128)
