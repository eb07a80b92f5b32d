"""The job that lets an actor learn from corrected poses how far each of her channels goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import FacecapError
from ..fit.actor.channel_gains import learn_from_corrections, with_seen
from ..json_types import Facts
from ..takes.actor import load_actor, save_actor
from ..takes.corrections import about_frames, corrections_of, load_corrections, seen_and_wanted
from ..takes.names import find_free_path
from ..takes.npz import load_take
from ..takes.versions import TAKE, home_of
from .runtime.blender_process import BlenderHook
from .runtime.progress import Progress, Steps
from .settings.teach_actor import TeachActorSettings

ENDING = ".actor.json"


@dataclass(frozen=True)
class TeachActorResult:
    """What was learned.

    Attributes:
        actor: the file.  gains: factors that changed, by ARKit name.
    """

    actor: Path
    gains: dict[str, float]

    @property
    def lines(self) -> tuple[str, ...]:
        """What there is to say."""
        said = ", ".join(f"{name} ×{gain:.2f}" for name, gain in self.gains.items())
        return f"Learned {said or 'nothing new'}", str(self.actor)

    def to_json(self) -> Facts:
        """JSON-able facts."""
        return {"actor": str(self.actor), "gains": dict(self.gains), "lines": list(self.lines)}


def run(settings: TeachActorSettings, *, blender_hook: BlenderHook | None = None) -> Steps[TeachActorResult]:
    """Let an actor learn.

    Raises:
        FacecapError: a file cannot be read, or there is no corrected pose to learn from.
    """
    yield Progress("lesson", 0, 1)
    take = load_take(settings.take)
    listed = corrections_of(take) if settings.corrections is None else load_corrections(settings.corrections)
    pairs = seen_and_wanted(with_seen(about_frames(listed, take.time_s), take))
    if not pairs:
        raise FacecapError(
            "There is no corrected pose to learn from.",
            "Keep poses in Blender (Keep This Pose), or give their file: --corrections FILE.",
        )
    actor = take.actor if settings.actor is None else load_actor(settings.actor)
    if actor is None:
        raise FacecapError("The take does not know its actor.", "Solve again, or give her file: --actor FILE.")
    gains = learn_from_corrections(actor.gains, pairs)
    stem = settings.take.name.removesuffix(TAKE)
    out = settings.out or find_free_path(home_of(settings.take) / f"{stem}{ENDING}", ENDING)
    save_actor(out, replace(actor, gains=gains))
    yield Progress("lesson", 1, 1)
    changed = {name: gain.gain for name, gain in sorted(gains.items()) if gain != actor.gains.get(name)}
    return TeachActorResult(out, changed)
