"""The filter job: a take in, a filtered take out; the solve stays, so another filter never needs a new solve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..landmarks.registry import open_landmarker
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import arkit_name, match_halves
from ..rig.embedding import LandmarkEmbedding, landmark_geometry
from ..takes.filters.take_filter import GapsOf, filter_take
from ..takes.formats.performance import read_performance
from ..takes.formats.recording import notes_of
from ..takes.measures.metrics import lid_distance_m, lip_distance_m
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .settings.filter import ENDING, FilterSettings
from .steps.character import character_source, characters_in, find_character
from .steps.results.derived_take import DerivedTake, write_derived_take

_CHUNK_FRAMES = 512


FilterResult = DerivedTake
"""A filtered take."""


def run(settings: FilterSettings, *, blender_hook: BlenderHook | None = None) -> Steps[FilterResult]:
    """Filter a take.

    Raises:
        FacecapError: the take or the character cannot be read, or the filter's numbers do not fit.
    """
    choice = settings.choice()
    yield Progress("open", 0, 1)
    before = read_performance(settings.take)
    gaps: GapsOf | None = None
    notes = list(notes_of(before))
    if settings.character is not None:
        folder = characters_in(settings.take.parent)
        landmarker = open_landmarker(threads=settings.threads)
        character = yield from find_character(
            character_source(settings.character),
            landmarker,
            blender=settings.blender,
            hook=blender_hook,
            folder=folder,
        )
        notes += character.notes
        gaps = gaps_of(character.rig, character.embedding, before.channels)
    yield Progress("filter", 0, 1)
    after = filter_take(before, choice, gaps_of=gaps)
    written = write_derived_take(
        before, after, settings, ending=ENDING, made="filtered", plot="filter.svg", notes=notes
    )
    yield Progress("filter", 1, 1)
    return written


def gaps_of(rig: BlendshapeRig, embedding: LandmarkEmbedding, channels: tuple[str, ...]) -> GapsOf:
    """How far lips and lids of a character gape beyond its closed ones, m, under weights of some channels."""
    neutral, deltas = (part.astype(np.float64) for part in landmark_geometry(rig, embedding))
    columns, keys = match_halves(rig.channels, channels)
    moved = np.zeros((len(channels), *neutral.shape))
    np.add.at(moved, columns, deltas[keys])
    scheme = embedding.scheme

    def raw(weights: NDArray[np.floating]) -> F64:
        parts = []
        for first in range(0, len(weights), _CHUNK_FRAMES):
            points = neutral + np.tensordot(np.asarray(weights[first : first + _CHUNK_FRAMES], np.float64), moved, 1)
            parts.append(np.concatenate([lip_distance_m(points, scheme)[:, None], lid_distance_m(points, scheme)], 1))
        return np.concatenate(parts)

    shut = np.zeros((1, len(channels)))
    for k, channel in enumerate(channels):
        if (arkit_name(channel) or "").startswith("eyeBlink"):
            shut[0, k] = 1.0
    rest = raw(np.concatenate([np.zeros_like(shut), shut]))
    closed = rest.min(0)

    def beyond(weights: NDArray[np.floating]) -> F64:
        return np.maximum(raw(weights) - closed, 0.0)

    return beyond
