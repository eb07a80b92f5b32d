"""Accuracy against a rendered performance with known weights: same rig, and across rigs.

    python -m benchmarks.ground_truth [--data ../shared/data] [--only same|across]

Same rig: the actor's own neutral and keys are the character. Across rigs: the sample head is the character; its weights
are put by name on the actor's rig. The footage is `renders/ict_rom.mp4` (rows 3600-3899 of `alex_rom_3.csv`).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.ict import load_ict_rig
from facecap_addon.fit import prior
from facecap_addon.fit.prior import poses_to_rehearse
from facecap_addon.fit.settings import FitSettings
from facecap_addon.fit.solve import solve_take
from facecap_addon.footage.footage import open_footage
from facecap_addon.footage.read import read_frames
from facecap_addon.geometry.camera import focal_px_from_lens
from facecap_addon.landmarks.observations import Observations, load_observations, save_observations
from facecap_addon.landmarks.registry import open_landmarker
from facecap_addon.landmarks.track import assemble, observe
from facecap_addon.rig.blendshapes import BlendshapeRig
from facecap_addon.rig.channels import ARKIT_CHANNELS, arkit_name
from facecap_addon.rig.embedding import find_embedding, load_embedding, save_embedding
from facecap_addon.rig.rehearsal import Rehearsal, load_rehearsal, rehearse, save_rehearsal

F32 = NDArray[np.float32]
ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "ground_truth"
SKIN = 9409
MOVING_M = 0.0005
MOVING_STD = 0.04


def observe_clip(path: Path, *, fresh: bool = False) -> Observations:
    """Landmarks of a whole clip, kept in .cache between runs."""
    CACHE.mkdir(parents=True, exist_ok=True)
    landmarker = open_landmarker()
    cached = CACHE / f"{path.stem}.{landmarker.model_version.replace('/', '_')[:40]}.npz"
    if cached.exists() and not fresh:
        return load_observations(cached)
    footage = open_footage(path)
    observations = assemble(list(observe(read_frames(footage), landmarker)), landmarker, footage.size_px)
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


def rehearsal_of(rig: BlendshapeRig, name: str, *, fresh: bool = False) -> Rehearsal:
    """The rig's rehearsal, kept in .cache between runs."""
    cached = CACHE / f"{name}.rehearsal.npz"
    if cached.exists() and not fresh:
        return load_rehearsal(cached)
    rehearsal = rehearse(rig, embedding_of(rig, name), open_landmarker(), poses=poses_to_rehearse(rig.channels))
    save_rehearsal(cached, rehearsal)
    return rehearsal


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--only", choices=("same", "across"))
    parser.add_argument("--fresh", action="store_true", help="ignore cached landmarks and embeddings")
    parser.add_argument("--known-camera", action="store_true")
    parser.add_argument("--prior", type=Path, help="another expression prior, such as one trained without this rig")
    arguments = parser.parse_args()
    if arguments.prior is not None:
        prior.MODEL_PATH = arguments.prior
    truth = np.load(arguments.data / "renders" / "ict_rom_truth.npz", allow_pickle=False)
    names = tuple(str(n) for n in truth["rig_names"])
    ict = load_ict_rig(arguments.data / "rig" / "ict_facekit_arkit.npz", truth["neutral_m"])
    deltas = ict.deltas[:, :SKIN]
    deltas = deltas[:, np.linalg.norm(deltas, axis=2).max(0) > MOVING_M]
    nothing = rmse_mm(truth["rig_weights"] * 0, truth["rig_weights"], deltas)
    print(f"moving skin vertices {deltas.shape[1]}; doing nothing {nothing:.2f} mm")
    observations = observe_clip(arguments.data / "renders" / "ict_rom.mp4", fresh=arguments.fresh)
    print(f"presence {observations.presence.min():.2f}..{observations.presence.max():.2f}")
    true_focal = focal_px_from_lens(float(truth["lens_mm"]), float(truth["sensor_mm"]), *observations.image_size)
    settings = FitSettings(focal_px=true_focal if arguments.known_camera else None)
    if arguments.only != "across":
        take = solve_take(
            observations,
            ict,
            embedding_of(ict, "ict_actor", fresh=arguments.fresh),
            settings,
            rehearsal=rehearsal_of(ict, "ict_actor", fresh=arguments.fresh),
        )
        print(
            f"\nsame rig: RMSE {rmse_mm(take.weights, truth['rig_weights'], deltas):.2f} mm (asked 1.5), "
            f"focal {take.focal_px:.0f} px (true {true_focal:.0f}), residual {np.nanmean(take.residual_px):.2f} px"
        )
        report(take.channels, take.weights, truth)
    if arguments.only != "same":
        from benchmarks.sample_head import sample_rig

        rig = sample_rig()
        take = solve_take(
            observations,
            rig,
            embedding_of(rig, "sample_head", fresh=arguments.fresh),
            settings,
            rehearsal=rehearsal_of(rig, "sample_head", fresh=arguments.fresh),
        )
        error = rmse_mm(driven(names, take.channels, take.weights), truth["rig_weights"], deltas)
        print(
            f"\nacross rigs: RMSE {error:.2f} mm (asked 2.6), focal {take.focal_px:.0f} px, "
            f"residual {np.nanmean(take.residual_px):.2f} px"
        )
        report(take.channels, take.weights, truth)


def report(channels: tuple[str, ...], weights: F32, truth: dict[str, NDArray]) -> None:
    """Print correlation and absolute error of every moving channel, and their means."""
    arkit = [arkit_name(c) for c in channels]
    rows = []
    for k, channel in enumerate(ARKIT_CHANNELS):
        true = truth["weights"][:, k]
        if true.std() <= MOVING_STD:
            continue
        mine = weights[:, arkit.index(channel)] if channel in arkit else np.zeros_like(true)
        r = float(np.corrcoef(mine, true)[0, 1]) if mine.std() > 1e-6 else 0.0
        rows.append((channel, r, float(np.abs(mine - true).mean()), true.mean(), mine.mean(), true.std(), mine.std()))
    for channel, r, error, mt, mm, st, sm in rows:
        print(
            f"  {channel:20s} r {r:5.2f}  abs {error:.3f}   mean true {mt:.2f} solved {mm:.2f}   std {st:.2f} {sm:.2f}"
        )
    print(
        f"  mean over {len(rows)} moving channels: correlation {np.mean([r[1] for r in rows]):.3f} (asked 0.72), "
        f"absolute error {np.mean([r[2] for r in rows]):.3f} (asked 0.10)"
    )


if __name__ == "__main__":
    main()
