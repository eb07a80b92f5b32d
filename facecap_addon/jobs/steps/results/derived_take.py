"""Takes that are made of others: the one stays, what comes of it is written beside it and says where it is from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ....atomic_file import atomic_path
from ....errors import FacecapError
from ....json_types import Facts
from ....reports.filter_plot import draw_before_and_after
from ....settings_schema import to_json
from ....takes.measures.difference import compare
from ....takes.npz import save_take
from ....takes.take import Take
from ....takes.versions import ID, TAKE, add_id, home_of
from .outputs import OutputFiles, write_live_link


class DerivedTakeSettings(Protocol):
    """What is said of a take that is made of another: that one's file, its own, and what is written beside it."""

    @property
    def take(self) -> Path: ...
    @property
    def out(self) -> Path | None: ...
    @property
    def live_link(self) -> bool: ...
    @property
    def plot(self) -> bool: ...


@dataclass(frozen=True)
class DerivedTake:
    """A take that was made of another.

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


def write_derived_take(
    before: Take, after: Take, settings: DerivedTakeSettings, *, ending: str, made: str, plot: str, notes: list[str]
) -> DerivedTake:
    """Write a take that was made of another; one of that name which was there is kept.

    Args:
        ending: of its name, as ".filtered".  made: under what its provenance says from what it is, as "filtered".
        plot: what the plot's name ends in.  notes: what else there is to say, first.
    """
    stem = settings.take.name.removesuffix(TAKE).removesuffix(".csv").removesuffix(".livelink")
    out = settings.out or home_of(settings.take) / f"{stem}{ending}{TAKE}"
    files = OutputFiles(out.parent, out.name.removesuffix(TAKE))
    written = ("take.npz", "livelink.csv", plot)
    earlier = files.keep(written)
    # A take that was solved says so under "settings": what is made of it later needs that.
    facts = {"from": settings.take.name, "id": before.provenance.get(ID, ""), "settings": to_json(settings)}
    save_take(out, add_id(replace(after, provenance={**after.provenance, made: facts})))
    if settings.live_link:
        # Its timecodes know no time before the footage, to which a retime may move a take.
        late = max(0.0, -float(after.time_s[0]))
        write_live_link(files, replace(after, time_s=after.time_s + late) if late else after)
    drawn = None
    if settings.plot:
        drawn = files.named(plot)
        with atomic_path(drawn) as temporary:
            temporary.write_text(draw_before_and_after(before, after), encoding="utf-8")
    files.keep(written)
    lines = [*notes, _describe_change(before, after), str(out)]
    if earlier is not None:
        lines.append(f"The one that was there is kept: {earlier}")
    return DerivedTake(out, drawn, tuple(lines))


def _describe_change(before: Take, after: Take) -> str:
    both = before.solved[1:] & before.solved[:-1]
    steps = [0.0, 0.0]
    if both.any():
        steps = [float(np.abs(np.diff(take.weights, axis=0))[both].mean()) for take in (before, after)]
    change = f"Change from frame to frame {steps[0]:.4f} before, {steps[1]:.4f} after"
    moved = _largest_move(before, after)
    return f"{change}." if moved is None else f"{change}; no key moved by more than {moved:.3f}."


def _largest_move(before: Take, after: Take) -> float | None:
    """By how much a key is elsewhere at the same time; None where the takes play at times of their own."""
    if np.array_equal(before.time_s, after.time_s):
        return float(np.abs(after.weights - before.weights).max(initial=0.0))
    try:
        compared = compare(before, after)
    except FacecapError:
        return None
    return float(np.nanmax(np.abs(compared.mine - compared.theirs)))
