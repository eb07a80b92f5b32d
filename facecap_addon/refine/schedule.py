"""The stages in which energies are lowered: what may move, what is looked at, how often."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..arrays import Bools
from ..rig.channels import arkit_name, region_of
from .energies.deep_energy import EnergyWeights
from .render_mesh import RenderMesh
from .settings import DeepSettings


@dataclass(frozen=True)
class Stage:
    """One step of the schedule.

    Attributes:
        name: for people.
        pose: what of the head moves: "none", "translation" or "all".
        keys: which keys move: "none", "jaw open", "jaw", "mouth" (and jaw), or "all".
        iterations: most linearisations.
        weights: what is minimised; factors multiply those of the settings.
        hold: how far (rad, m) the head is expected to move from where the stage finds it.
    """

    name: str
    pose: str
    keys: str
    iterations: int
    weights: EnergyWeights
    hold: tuple[float, float] = (0.1, 0.03)


# The network knows best where the head is, the picture how the face is shaped: shading misleads it about the head.
_FIRMLY = (0.005, 0.001)


# Residuals are squared, however large: so far off that none is an outlier.
_SQUARES = 1e4


def _paper_stages() -> tuple[Stage, ...]:
    """Bao et al. sections 8.1 and 8.2."""
    edges = EnergyWeights(edges=1.0, robust_mm=_SQUARES)
    lips = EnergyWeights("mouth", ridge=1.0, robust_mm=_SQUARES)
    return (
        Stage("translation, without the jaw", "translation", "none", 4, replace(edges, landmarks="not jaw")),
        Stage("head, without the jaw", "all", "none", 3, replace(edges, landmarks="not jaw")),
        Stage("head, by the jaw", "all", "none", 1, replace(edges, landmarks="jaw")),
        Stage("head", "all", "none", 2, edges),
        Stage("jaw open and head", "all", "jaw open", 3, lips),
        Stage("jaw", "none", "jaw", 2, lips),
        Stage("jaw, mouth and head", "all", "mouth", 3, EnergyWeights(ridge=1.0, robust_mm=_SQUARES)),
    )


_HEAD, _HEAD_AGAIN = ((Stage("head", "all", "none", count, EnergyWeights(by_geometry=True)),) for count in (3, 2))
# Depth that the first camera got wrong is far off to the side in another one.
_HEAD_ROUGHLY = (Stage("head, roughly", "all", "none", 3, EnergyWeights(robust_mm=25.0, by_geometry=True)),)
_FACE, _FACE_AGAIN = (
    (
        Stage("all keys", "all", "all", count, EnergyWeights(network=0.0, picture=1.0, blur_px=2.0), _FIRMLY),
        Stage("all keys, fine", "all", "all", 1, EnergyWeights(network=0.0, picture=1.0, blur_px=1.0), _FIRMLY),
    )
    for count in (2, 1)
)
_AGAIN = (Stage("expression again", "none", "all", 1, EnergyWeights(network=0.0, picture=1.0, blur_px=1.0)),)
_PAPER_AGAIN = (Stage("expression again", "none", "mouth", 3, EnergyWeights("mouth", ridge=1.0, robust_mm=_SQUARES)),)
# Of another face the picture says little: the network alone, by what changes.
_BY_CHANGES = (
    Stage("all keys, by changes", "all", "all", 3, EnergyWeights(spans=1.0, by_geometry=True), (0.02, 0.005)),
)


@dataclass(frozen=True)
class Pass:
    """Stages that all frames go through before neighbours are made consistent.

    Attributes:
        name: for people, and for the parts that are kept.  stages: in order.
        finds_failures: whether it says which frames are to be believed.
        updates_appearance: whether skin and light are worth estimating again after it.
        updates_occlusion: whether folds have changed so much since the last pass that their light is found anew.
    """

    name: str
    stages: tuple[Stage, ...]
    updates_occlusion: bool = False
    updates_appearance: bool = False
    finds_failures: bool = False


def passes_of(settings: DeepSettings, cameras: int = 1, *, by_picture: bool = True) -> tuple[Pass, ...]:
    """The schedule that the settings ask for, with so many cameras.

    Args:
        by_picture: whether the character's face is the actor's, so that the picture tells its keys; else the landmark
            network alone does, by what changes.
    """
    if settings.schedule == "paper":
        return (Pass("face", _with_factors(_paper_stages(), settings), updates_occlusion=True, finds_failures=True),)
    if not by_picture:
        stages = _BY_CHANGES if cameras == 1 else (*_HEAD_ROUGHLY, *_BY_CHANGES)
        return (Pass("face", _with_factors(stages, settings), updates_occlusion=True, finds_failures=True),)
    # A better face shows where the head is, and the other way round.
    passes = (
        Pass("head", _HEAD if cameras == 1 else (*_HEAD_ROUGHLY, *_HEAD), updates_occlusion=True),
        Pass("shape", _FACE, updates_appearance=True),
        Pass("head again", _HEAD_AGAIN, updates_occlusion=True),
        Pass("face", _FACE_AGAIN, finds_failures=True),
    )
    return tuple(replace(one, stages=_with_factors(one.stages, settings)) for one in passes)


def pass_again(settings: DeepSettings) -> Pass:
    """What re-estimates the expression after temporal refinement, the head held (appendix A.1)."""
    return Pass("expression", _with_factors(_PAPER_AGAIN if settings.schedule == "paper" else _AGAIN, settings))


def _with_factors(stages: tuple[Stage, ...], settings: DeepSettings) -> tuple[Stage, ...]:
    return tuple(
        replace(
            stage,
            weights=replace(
                stage.weights,
                network=stage.weights.network * settings.network,
                picture=stage.weights.picture * settings.picture,
                spans=stage.weights.spans * settings.network,
                edges=max(stage.weights.edges, settings.edges) * settings.network,
                ridge=max(stage.weights.ridge, settings.ridge) if stage.keys != "none" else 0.0,
            ),
        )
        for stage in stages
    )


def free_unknowns(stage: Stage, mesh: RenderMesh, regions: NDArray[np.str_], *, jaw_joint: bool) -> Bools:
    """(U,) what may move in a stage; regions (K,): see `key_regions`."""
    free = np.zeros(mesh.unknowns, bool)
    free[:6] = {"none": [False] * 6, "translation": [False] * 3 + [True] * 3, "all": [True] * 6}[stage.pose]
    keys = {
        "none": np.zeros(len(regions), bool),
        "jaw open": _find_opening_keys(mesh, regions),
        "jaw": regions == "jaw",
        "mouth": np.isin(regions, ("jaw", "mouth")),
        "all": np.ones(len(regions), bool),
    }[stage.keys]
    free[6 : 6 + len(regions)] = keys & (mesh.high > mesh.low)
    if mesh.jaw is not None and jaw_joint:
        free[6 + len(regions) :] = stage.keys in ("jaw", "mouth", "all")
    return free


def key_regions(mesh: RenderMesh) -> NDArray[np.str_]:
    """(K,) the region of every key: by its ARKit name, else by where it moves the face most."""
    low, high = mesh.landmarks[:, 2].min(), mesh.landmarks[:, 2].max()
    height = mesh.neutral[:, 2].cpu().numpy()
    reach = mesh.deltas.norm(dim=1).cpu().numpy()
    out = []
    for k, channel in enumerate(mesh.channels):
        name = arkit_name(channel)
        if name is not None:
            out.append(region_of(name))
            continue
        total = float(reach[:, k].sum())
        level = (float((reach[:, k] * height).sum()) / total - low) / (high - low) if total > 0 else 1.0
        out.append("jaw" if level < 0.25 else "mouth" if level < 0.45 else "eyes")
    return np.array(out)


def moves_slowly(regions: NDArray[np.str_]) -> Bools:
    """(K,) keys of brows, nose and cheeks, by their `key_regions`: lips, jaw and lids are fast."""
    return np.isin(regions, ("brows", "nose", "cheeks"))


def _find_opening_keys(mesh: RenderMesh, regions: NDArray[np.str_]) -> Bools:
    """(K,) the key that opens the jaw: jawOpen, or among the jaw's keys the one that moves most downward."""
    named = np.array([arkit_name(channel) == "jawOpen" for channel in mesh.channels])
    if named.any():
        return named
    down = np.where(regions == "jaw", -mesh.deltas[:, 2].sum(0).cpu().numpy(), -np.inf)
    out = np.zeros(len(down), bool)
    if np.isfinite(down).any():
        out[int(np.argmax(down))] = True
    return out
