"""The filter job: a take in, a filtered take out; the solve stays, so another filter never needs a new solve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..arrays import F64
from ..atomic_file import atomic_path
from ..json_types import Facts
from ..landmarks.registry import open_landmarker
from ..reports.filter_plot import draw_before_and_after
from ..rig.blendshapes import BlendshapeRig
from ..rig.channels import arkit_name, match_channels
from ..rig.embedding import LandmarkEmbedding, landmark_geometry
from ..settings_schema import to_json
from ..takes.filters.take_filter import GapsOf, filter_take
from ..takes.live_link import notes_of, read_live_link_csv
from ..takes.metrics import lid_distance_m, lip_distance_m
from ..takes.npz import load_take, save_take
from ..takes.take import Take
from ..takes.versions import ID, add_id, home_of
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .settings.filter import ENDING, FilterSettings
from .steps.character import character_source, characters_in, find_character
from .steps.results.outputs import OutputFiles, write_live_link

_CHUNK_FRAMES = 512
_WRITTEN = ("take.npz", "livelink.csv", "filter.svg")


@dataclass(frozen=True)
class FilterResult:
    """A filtered take.

    Attributes:
        take: the file.  plot: curves before and after, or None.  lines: what there is to say.
    """

    take: Path
    plot: Path | None
    lines: tuple[str, ...]

    def to_json(self) -> Facts:
        """JSON-able facts."""
        plot = None if self.plot is None else str(self.plot)
        return {"take": str(self.take), "plot": plot, "lines": list(self.lines)}


def run(settings: FilterSettings, *, blender_hook: BlenderHook | None = None) -> Steps[FilterResult]:
    """Filter a take.

    Raises:
        FacecapError: the take or the character cannot be read, or the filter's numbers do not fit.
    """
    choice = settings.choice()
    yield Progress("open", 0, 1)
    is_csv = settings.take.suffix.lower() == ".csv"
    before = read_live_link_csv(settings.take) if is_csv else load_take(settings.take)
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
    stem = settings.take.name.removesuffix(".take.npz").removesuffix(".csv").removesuffix(".livelink")
    out = settings.out or home_of(settings.take) / f"{stem}{ENDING}.take.npz"
    files = OutputFiles(out.parent, out.name.removesuffix(".take.npz"))
    earlier = files.keep(_WRITTEN)
    facts: dict[str, object] = {"from": settings.take.name, "id": before.provenance.get(ID, "")}
    # A take that was solved says so under "settings": what is made of it later needs that.
    save_take(out, add_id(_add_facts(after, facts | {"settings": to_json(settings)})))
    if settings.live_link:
        write_live_link(files, after)
    plot = None
    if settings.plot:
        plot = files.named("filter.svg")
        with atomic_path(plot) as temporary:
            temporary.write_text(draw_before_and_after(before, after), encoding="utf-8")
    files.keep(_WRITTEN)
    yield Progress("filter", 1, 1)
    lines = [*notes, _describe_change(before, after), str(out)]
    if earlier is not None:
        lines.append(f"The one that was there is kept: {earlier}")
    return FilterResult(out, plot, tuple(lines))


def gaps_of(rig: BlendshapeRig, embedding: LandmarkEmbedding, channels: tuple[str, ...]) -> GapsOf:
    """How far lips and lids of a character gape beyond its closed ones, m, under weights of some channels."""
    neutral, deltas = (part.astype(np.float64) for part in landmark_geometry(rig, embedding))
    (columns, keys), _ = match_channels(rig.channels, channels)
    moved = np.zeros((len(channels), *neutral.shape))
    moved[columns] = deltas[keys]
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


def _describe_change(before: Take, after: Take) -> str:
    both = before.solved[1:] & before.solved[:-1]
    steps = [0.0, 0.0]
    if both.any():
        steps = [float(np.abs(np.diff(take.weights, axis=0))[both].mean()) for take in (before, after)]
    moved = np.abs(after.weights - before.weights)
    return (
        f"Change from frame to frame {steps[0]:.4f} before, {steps[1]:.4f} after; no key moved by more than "
        f"{float(moved.max(initial=0.0)):.3f}."
    )


def _add_facts(take: Take, facts: dict[str, object]) -> Take:
    return replace(take, provenance={**take.provenance, "filtered": facts})
