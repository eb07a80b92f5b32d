"""Accuracy against a rendered performance with known weights: same rig, and across rigs.

    python -m benchmarks.ground_truth [--data ../shared/data] [--only same|across]

Same rig: the actor's own neutral and keys are the character. Across rigs: the sample head is the character; its weights
are put by name on the actor's rig. The footage is `renders/ict_rom.mp4` (rows 3600-3899 of `alex_rom_3.csv`).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.ict import load_ict_rig
from benchmarks.sample_head import sample_rig
from facecap_addon.fit.energies import expression_prior
from facecap_addon.fit.energies.expression_prior import poses_for_response
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.geometry.camera import focal_px_from_lens
from facecap_addon.jobs.steps.character import FORMAT
from facecap_addon.landmarks.appearance import open_appearance
from facecap_addon.landmarks.observations import Observations, load_observations, save_observations
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.tracking.observe import assemble, observe
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.rig.channels import ARKIT_CHANNELS, arkit_name
from facecap_addon.rig.embedding import LandmarkEmbedding, find_embedding, load_embedding, save_embedding
from facecap_addon.rig.network_response import NetworkResponse, load_response, measure_response, save_response
from facecap_addon.takes.take import Take
from tools.train_appearance.channels import HARDLY_SHOWN

F32 = NDArray[np.float32]
ROOT = Path(__file__).resolve().parent.parent
# Of the way landmarks are found and placed now: figures of another way would be compared with themselves.
CACHE = ROOT / ".cache" / f"ground_truth-{FORMAT}"
SKIN = 9409
MOVING_M = 0.0005
MOVING_STD = 0.04


def observe_clip(path: Path, *, fresh: bool = False, pixels: bool = True) -> Observations:
    """Landmarks of a whole clip and features of its crops (without `pixels`: none), kept in .cache between runs."""
    CACHE.mkdir(parents=True, exist_ok=True)
    landmarker = open_landmarker()
    appearance = open_appearance(landmarker.scheme) if pixels else None
    looked = "" if appearance is None else f".{appearance.version}"
    cached = CACHE / f"{path.stem}.{landmarker.model_version.replace('/', '_')[:40]}{looked}.npz"
    if cached.exists() and not fresh:
        return load_observations(cached)
    footage = open_footage(path)
    seen = list(observe(read_frames(footage), landmarker, appearance=appearance))
    observations = assemble(seen, landmarker, footage.size_px)
    save_observations(cached, observations)
    return observations


def embedding_of(rig: BlendshapeRig, name: str, *, fresh: bool = False):
    """The rig's landmarks, kept in .cache between runs."""
    cached = CACHE / f"{name}.embedding.npz"
    if cached.exists() and not fresh:
        return load_embedding(cached)
    embedding = find_embedding(rig, open_landmarker())
    CACHE.mkdir(parents=True, exist_ok=True)
    save_embedding(cached, embedding)
    return embedding


def response_of(rig: BlendshapeRig, name: str, *, fresh: bool = False) -> NetworkResponse:
    """The network's response to the rig, kept in .cache between runs."""
    cached = CACHE / f"{name}.response.npz"
    if cached.exists() and not fresh:
        return load_response(cached)
    response = measure_response(rig, embedding_of(rig, name), open_landmarker(), poses=poses_for_response(rig.channels))
    save_response(cached, response)
    return response


def driven(names: tuple[str, ...], channels: tuple[str, ...], weights: F32) -> F32:
    """(F, 57) weights of the truth's rig from ARKit-named weights: a key takes the channel of its ARKit name."""
    columns = {arkit_name(c): k for k, c in reversed(list(enumerate(channels)))}
    out = np.zeros((len(weights), len(names)), np.float32)
    for j, name in enumerate(names):
        source = columns.get(arkit_name(name))
        if arkit_name(name) is not None and source is not None:
            out[:, j] = weights[:, source]
    return out


def rmse_mm(rig_weights: F32, truth: F32, deltas: F32) -> float:
    """RMSE over frames and moving skin vertices, mm."""
    difference = np.tensordot(rig_weights - truth, deltas, axes=1)
    return float(np.sqrt((difference**2).sum(-1).mean()) * 1000)


def agreement(mine: F32, true: F32) -> tuple[float, float]:
    """Correlation (0 for a curve that never moves) and mean absolute error of a solved curve (F,) and the true one."""
    r = float(np.corrcoef(mine, true)[0, 1]) if mine.std() > 1e-6 else 0.0
    return r, float(np.abs(mine - true).mean())


@dataclass(frozen=True)
class Accuracy:
    """Solved weights against true ones.

    Attributes:
        rmse_mm: over frames and moving skin vertices of the truth's rig.
        correlation, absolute_error: means over the moving channels.
        rows: per moving channel its name, correlation, absolute error, and mean and deviation, true and solved.
        focal_px, residual_px: of the solve.
    """

    rmse_mm: float
    correlation: float
    absolute_error: float
    rows: list[tuple[str, float, float, float, float, float, float]]
    focal_px: float
    residual_px: float


@dataclass(frozen=True)
class Truth:
    """The rendered performance."""

    clip: Path
    weights: F32
    rig_names: tuple[str, ...]
    rig_weights: F32
    rig: BlendshapeRig
    deltas: F32
    focal_px: float


def load_truth(data: Path) -> Truth:
    """Read the truth that the development data hold."""
    return read_truth(data / "renders" / "ict_rom_truth.npz", data / "renders" / "ict_rom.mp4", data)


def read_truth(path: Path, clip: Path, data: Path) -> Truth:
    """Read a truth on the head of the development data; deltas are those of moving skin vertices, m.

    Its keys are the head's, or its own (`deltas_m`) where the person was made by warping them, too.
    """
    with np.load(path, allow_pickle=False) as truth:
        rig = load_ict_rig(data / "rig" / "ict_facekit_arkit.npz", truth["neutral_m"])
        if "deltas_m" in truth:
            rig = replace(rig, deltas=truth["deltas_m"].astype(np.float32))
        deltas = rig.deltas[:, :SKIN]
        lens_mm, sensor_mm, size = float(truth["lens_mm"]), float(truth["sensor_mm"]), truth["resolution"].tolist()
        return Truth(
            clip=clip,
            weights=truth["weights"],
            rig_names=tuple(str(n) for n in truth["rig_names"]),
            rig_weights=truth["rig_weights"],
            rig=rig,
            deltas=deltas[:, np.linalg.norm(deltas, axis=2).max(0) > MOVING_M],
            focal_px=focal_px_from_lens(lens_mm, sensor_mm, *size),
        )


def accuracy_of(take: Take, rig_weights: F32, truth: Truth) -> Accuracy:
    """Compare a take, and the truth rig's weights that it stands for, with the truth."""
    arkit = [arkit_name(c) for c in take.channels]
    rows = []
    for k, channel in enumerate(ARKIT_CHANNELS):
        true = truth.weights[:, k]
        if true.std() <= MOVING_STD:
            continue
        mine = take.weights[:, arkit.index(channel)] if channel in arkit else np.zeros_like(true)
        r, error = agreement(mine, true)
        rows.append((channel, r, error, float(true.mean()), float(mine.mean()), float(true.std()), float(mine.std())))
    return Accuracy(
        rmse_mm(rig_weights, truth.rig_weights, truth.deltas),
        float(np.mean([row[1] for row in rows])),
        float(np.mean([row[2] for row in rows])),
        rows,
        take.focal_px,
        float(np.nanmean(take.residual_px)),
    )


def same_rig(
    data: Path, *, match: str = "weights", fresh: bool = False, known_camera: bool = False, pixels: bool = True
) -> Accuracy:
    """The actor's own neutral and keys are the character."""
    truth = load_truth(data)
    embedding = embedding_of(truth.rig, "ict_actor", fresh=fresh)
    settings = FitSettings(focal_px=truth.focal_px if known_camera else None, match=match)
    observations = observe_clip(truth.clip, fresh=fresh, pixels=pixels)
    response = response_of(truth.rig, "ict_actor", fresh=fresh)
    take = solve_take(observations, truth.rig, embedding, settings, response=response)
    return accuracy_of(take, take.weights, truth)


def across_rigs(
    data: Path,
    rig: BlendshapeRig,
    embedding: LandmarkEmbedding,
    response: NetworkResponse,
    *,
    match: str = "weights",
    fresh: bool = False,
    known_camera: bool = False,
    pixels: bool = True,
) -> Accuracy:
    """Another character; its weights by name are put on the actor's rig."""
    truth = load_truth(data)
    settings = FitSettings(focal_px=truth.focal_px if known_camera else None, match=match)
    observations = observe_clip(truth.clip, fresh=fresh, pixels=pixels)
    take = solve_take(observations, rig, embedding, settings, response=response)
    return accuracy_of(take, driven(truth.rig_names, take.channels, take.weights), truth)


def show(name: str, accuracy: Accuracy, asked_mm: float, true_focal_px: float) -> None:
    """Print the numbers of one comparison."""
    print(
        f"\n{name}: RMSE {accuracy.rmse_mm:.2f} mm (asked {asked_mm}), focal length {accuracy.focal_px:.0f} px "
        f"(true {true_focal_px:.0f}), residual {accuracy.residual_px:.2f} px"
    )
    for channel, r, error, true, mine, true_std, std in accuracy.rows:
        means = f"mean true {true:.2f} solved {mine:.2f}   deviation {true_std:.2f} {std:.2f}"
        print(f"  {channel:20s} r {r:5.2f}  abs {error:.3f}   {means}")
    print(
        f"  mean over {len(accuracy.rows)} moving channels: correlation {accuracy.correlation:.3f} (asked 0.72), "
        f"absolute error {accuracy.absolute_error:.3f} (asked 0.10)"
    )
    hardly, count = mean_hardly_shown(accuracy.rows)
    print(f"  mean over the {count} of them that landmarks hardly show: correlation {hardly:.3f} (asked 0.70)")


def mean_hardly_shown(rows: Sequence[tuple[str, float, *tuple[float, ...]]]) -> tuple[float, int]:
    """Mean correlation of the moving channels that landmarks hardly show, and how many there are."""
    found = [row[1] for row in rows if row[0] in HARDLY_SHOWN]
    return float(np.mean(found)) if found else float("nan"), len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", choices=("same", "across"))
    parser.add_argument("--fresh", action="store_true", help="ignore cached landmarks, embeddings and responses")
    parser.add_argument("--known-camera", action="store_true")
    parser.add_argument("--landmarks-only", action="store_true", help="without the appearance network")
    parser.add_argument("--prior", type=Path, help="another expression prior, such as one trained without this rig")
    options = parser.parse_args()
    if options.prior is not None:
        expression_prior.MODEL_PATH = options.prior
    truth = load_truth(options.data)
    nothing = rmse_mm(truth.rig_weights * 0, truth.rig_weights, truth.deltas)
    print(f"moving skin vertices {truth.deltas.shape[1]}; doing nothing {nothing:.2f} mm")
    how = {"fresh": options.fresh, "known_camera": options.known_camera, "pixels": not options.landmarks_only}
    matches = ("weights", "look")
    if options.only != "across":
        for match in matches:
            show(f"same rig, match {match}", same_rig(options.data, match=match, **how), 1.5, truth.focal_px)
    if options.only != "same":
        rig = sample_rig()
        embedding = embedding_of(rig, "sample_head", fresh=options.fresh)
        response = response_of(rig, "sample_head", fresh=options.fresh)
        for match in matches:
            found = across_rigs(options.data, rig, embedding, response, match=match, **how)
            show(f"across rigs, match {match}", found, 2.6, truth.focal_px)


if __name__ == "__main__":
    main()
