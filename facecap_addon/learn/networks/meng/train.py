"""Meng and Wen's training, from the set to the bundle: embedding first, then the LSTM; or both together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.spatial.distance import cdist
from torch import nn

from ....arrays import Rows
from ....errors import FacecapError
from ....solvers.bundle import SolverBundle, SolverFacts
from ....solvers.probes import make_solver_probes, pick_probe_rows
from ....solvers.solver import TrainedSolver
from ....solvers.whitening import Whitening
from ...data.crops import describe_framing, frame_shot
from ...data.cutmix import make_cutmix
from ...data.frames import (
    Frames,
    fit_whitening,
    read_judges,
    sample_calibration_pictures,
    split_frames,
    split_into_phases,
)
from ...data.labelled_images import find_labelled_images, select_validation_images
from ...data.mirror import find_mirror
from ...data.training_set import TrainingSet
from ...engine.augment import Augmentation, fit_augmentation
from ...engine.mesh_targets import MeshTargets
from ...engine.training_run import TrainingRun, describe_training
from ...export.onnx_export import check_parity, measure_parity, quantise, to_onnx
from ..presets import Preset
from .embedding_task import EmbeddingTask, crop_labelled_images, embed
from .facenet import EMBEDDING, FaceNet
from .graded_task import GradedTask
from .lstm import HIDDEN, WeightLstm
from .task import (
    FEATURES,
    JointTask,
    SequenceTask,
    TowerLstm,
    WeightsTask,
    make_face_root,
    measure_jitter_mm,
    measure_weights_rmse_mm,
)

CLASSES = 23
"""Expressions that the paper tells apart; so many are found in the footage where there are no labelled images."""
_PER_CLASS = 60
_INT8_EVALUATED_FRAMES = 600


def train_sequences(run: TrainingRun, training_set: TrainingSet, preset: Preset) -> list[str]:
    """Train and export; returns what there is to say.

    Raises:
        FacecapError: the set's targets are point caches: there are no weights to learn.
    """
    train_frames, validation_frames = split_frames(training_set, preset.picture, run.on_progress)
    train_frames = split_into_phases(training_set, train_frames)
    if validation_frames is not None:
        validation_frames = split_into_phases(training_set, validation_frames)
    mirror = find_mirror(training_set.rig) if run.settings.mirror else None
    targets = MeshTargets(training_set, train_frames, mirror=mirror)
    if not targets.from_weights:
        raise FacecapError("This network learns weights, and the set has point caches.", "Train laine on it.")
    whitening = fit_whitening(train_frames, whitened=preset.whitened)
    torch.manual_seed(run.settings.seed)
    mean = torch.from_numpy(train_frames.weights.mean(0))
    options = run.make_options(preset.batch)
    lines: list[str] = []
    task: WeightsTask
    if run.settings.network == "meng":
        embedding, lines = _train_embedding(run, preset, train_frames, validation_frames, whitening, targets)

        def embed_frames(frames: Frames, rows: Rows, *, mirrored: bool = False) -> NDArray[np.float32]:
            def pictures(part: Rows) -> NDArray[np.uint8]:
                return frames.read_pictures(part)[..., :: -1 if mirrored else 1].copy()

            return embed(embedding, whitening, pictures, rows, run.device)

        every = np.arange(train_frames.count)

        lstm = WeightLstm(EMBEDDING, mean)
        task = SequenceTask(
            lstm, train_frames, validation_frames, targets, training_set.rig, run.device,
            embed_frames=embed_frames,
            mirrored_embeddings=None if mirror is None else embed_frames(train_frames, every, mirrored=True),
        )  # fmt: skip
        options = replace(options, batch=64)
    else:
        network = TowerLstm(mean, preset.maps, (preset.picture.height, preset.picture.width), FEATURES, HIDDEN)
        task = JointTask(
            network, train_frames, validation_frames, targets, training_set.rig, run.device,
            whitening=whitening, limits=fit_augmentation(train_frames.face),
            cutmix=make_cutmix(training_set.rig.channels, train_frames) if run.settings.cutmix else None,
        )  # fmt: skip
        options = replace(options, batch=max(1, options.batch // 10))
        embedding, lstm = _Embedding(network), network.sequence
    epochs = run.train(task, preset.schedule, options, "train", "train", key="train")
    if not run.process_group.is_main:
        return []
    lines += describe_training(epochs)
    report = run.make_report(epochs)
    for judge in read_judges(training_set, preset.picture, run.on_progress):
        frames = split_into_phases(training_set, judge.frames)
        found, wanted = task.predict(frames), frames.weights
        rmse = measure_weights_rmse_mm(targets, found, wanted)
        moved = [measure_jitter_mm(targets, weights, frames) for weights in (found, wanted)]
        jitter, true_jitter = (float(each.mean()) if len(each) else 0.0 for each in moved)
        report |= judge.name_figures({"rmse_mm": rmse, "jitter_mm": jitter, "true_jitter_mm": true_jitter}, report)
        lines.append(
            f"{judge.label}: {rmse:.2f} mm, jitter {jitter:.3f} mm a frame (the target's is {true_jitter:.3f})."
        )
    run.on_progress("export", 0, 1)
    bundle, more = _make_bundle(training_set, preset, whitening, embedding, lstm, run.out.stem, report)
    if run.settings.int8:
        bundle, said = _add_int8(bundle, train_frames, validation_frames or train_frames, targets)
        more += said
    else:
        bundle = _add_probes(bundle, train_frames)
    run.save(bundle)
    return [*lines, *more]


def _add_probes(bundle: SolverBundle, train_frames: Frames) -> SolverBundle:
    """The bundle with pictures of the footage learned and what its networks give for them."""
    table = bundle.facts.whitening.make_table()
    pictures = train_frames.read_pictures(pick_probe_rows(train_frames.count))
    return replace(bundle, probes=make_solver_probes(bundle.networks, pictures, table))


def _add_int8(
    bundle: SolverBundle, train_frames: Frames, evaluated: Frames, targets: MeshTargets
) -> tuple[SolverBundle, list[str]]:
    """The bundle with its embedding quantised, too, and its probes; and what that costs."""
    facts = bundle.facts
    seen = sample_calibration_pictures(train_frames.read_pictures, train_frames.count, facts.whitening)
    small = quantise(bundle.networks["embedding"], seen)
    bundle = _add_probes(replace(bundle, networks={**bundle.networks, "embedding.int8": small}), train_frames)
    errors: list[float] = []
    notes: tuple[str, ...] = ()
    for precision in ("fp32", "int8"):
        solver, found = TrainedSolver(bundle, threads=2, precision=precision), []
        rows = np.arange(min(_INT8_EVALUATED_FRAMES, evaluated.count))
        for i in rows:
            if i == 0 or evaluated.shot[i] != evaluated.shot[i - 1]:
                solver.start_shot()
            found.append(solver.solve_crop(evaluated.read_pictures(rows[i : i + 1])[0]))
        errors.append(measure_weights_rmse_mm(targets, np.stack(found), evaluated.weights[rows]))
        notes = solver.notes
    facts.report["rmse_mm_int8"] = errors[1]
    line = f"Validation error {errors[0]:.3f} mm, its embedding quantised to 8 bits {errors[1]:.3f} mm."
    return bundle, [line, *notes]


class _Embedding(nn.Module):
    """The part of a `TowerLstm` that looks at pictures."""

    def __init__(self, network: TowerLstm) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.network.embed(pictures)


def _train_embedding(
    run: TrainingRun,
    preset: Preset,
    train_frames: Frames,
    validation_frames: Frames | None,
    whitening: Whitening,
    targets: MeshTargets,
) -> tuple[FaceNet, list[str]]:
    """The embedding network, trained on labelled images, or on the footage's own expressions."""
    settings = run.settings
    network = FaceNet(preset.width, preset.picture.height)
    lines: list[str] = []
    if settings.labelled_images is None and settings.mining in ("auto", "graded"):
        graded = GradedTask(
            network, train_frames, validation_frames, make_face_root(targets), whitening,
            fit_augmentation(train_frames.face), run.device,
        )  # fmt: skip
        options = replace(run.make_options(preset.embedding_batch), batch=preset.embedding_batch)
        run.train(graded, preset.embedding_schedule, options, "embed", "embed", within="embedding", key="embed")
        alike = graded.evaluate()
        if alike:
            lines.append(f"Distances in the embedding follow those of faces by {1 - alike['unlike']:.2f} (validation).")
        return network.eval(), lines
    if settings.labelled_images is not None:
        assert run.find_box is not None
        pictures, images, lines = crop_labelled_images(
            find_labelled_images(settings.labelled_images), preset.picture, run.find_box
        )
        labels, classes, apart = images.label, images.classes, select_validation_images(images)
    else:
        pictures, labels, classes, apart = find_expressions(train_frames, validation_frames, settings.seed)
        lines = [f"Without labelled images, {len(classes)} expressions were found in the footage itself."]
    mining = "random" if settings.mining == "random" else "semi-hard"
    task = EmbeddingTask(network, pictures, labels, classes, apart, whitening, Augmentation(), mining, run.device)
    options = replace(run.make_options(preset.embedding_batch), batch=preset.embedding_batch)
    epochs = run.train(task, preset.embedding_schedule, options, "embed", "embed", within="embedding", key="embed")
    if epochs and "between" in epochs[-1].validation:
        errors = task.evaluate()
        ratio = errors["between"] / max(errors["within"], 1e-9)
        lines.append(f"Expressions lie {ratio:.1f} times as far from each other as pictures of one (validation).")
    return network.eval(), lines


def find_expressions(
    train_frames: Frames, validation_frames: Frames | None, seed: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64], tuple[str, ...], NDArray[np.bool_]]:
    """Pictures of the expressions that come back in footage: groups of frames with similar weights.

    Returns:
        (S, C, H, W) pictures, (S,) labels, names, and (S,) whether they come from validation shots.
    """
    spread = np.maximum(train_frames.weights.std(0), 0.05)
    count = min(CLASSES, max(2, train_frames.count // 20))
    centres, _ = kmeans2(
        (train_frames.weights / spread).astype(np.float64), count, minit="++", rng=np.random.default_rng(seed)
    )
    pictures, labels, apart = [], [], []
    for frames, is_validation in ((train_frames, False), (validation_frames, True)):
        if frames is None:
            continue
        away = cdist((frames.weights / spread).astype(np.float64), centres, "sqeuclidean")
        nearest = away.argmin(1)
        for label in range(count):
            rows = np.flatnonzero(nearest == label)
            rows = rows[np.argsort(away[rows, label])][:_PER_CLASS]
            if len(rows):
                pictures.append(frames.read_pictures(rows))
                labels += [label] * len(rows)
                apart += [is_validation] * len(rows)
    return (
        np.concatenate(pictures),
        np.array(labels),
        tuple(f"expression {i + 1}" for i in range(count)),
        np.array(apart),
    )


def _make_bundle(
    training_set: TrainingSet,
    preset: Preset,
    whitening: Whitening,
    embedding: nn.Module,
    lstm: WeightLstm,
    name: str,
    report: dict[str, object],
) -> tuple[SolverBundle, list[str]]:
    picture = {"picture": torch.zeros(1, 3, preset.picture.height, preset.picture.width)}
    looking = to_onnx(embedding, picture, ("embedding",))
    state = torch.zeros(1, 1, lstm.lstm.hidden_size)
    step = {"embedding": torch.randn(1, 1, lstm.lstm.input_size), "hidden": state, "cell": state.clone()}
    following = to_onnx(lstm, step, ("weights", "hidden_after", "cell_after"))
    differences = [
        measure_parity(embedding, looking, {"picture": torch.randn_like(picture["picture"])}),
        measure_parity(lstm, following, step),
    ]
    check_parity(max(differences), "")
    facts = SolverFacts(
        name,
        "weights",
        frame_shot(training_set, training_set.shots[0], preset.picture),
        None,
        preset.picture,
        whitening.mean,
        whitening.deviation,
        training_set.rig.channels,
        training_set.rig.vertex_count,
        {**report, "parity": max(differences)},
        framing=describe_framing(training_set, preset.picture),
    )
    networks = {"embedding": looking, "sequence": following}
    bundle = SolverBundle(facts, networks, np.zeros(0, np.int32), training_set.rig.neutral.astype(np.float32))
    return bundle, [f"The exported networks differ from the trained ones by at most {max(differences):.1g}."]
