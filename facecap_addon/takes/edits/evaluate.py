"""A take under a stack of edits; when the stack changes, only what comes after the first change is done again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ...arrays import F32
from ..take import Take
from .columns import Curves, columns_of, curves_of, take_of
from .contacts import Gaps
from .kinds import Edit, Stack
from .operations import carry_out, edit_facts
from .stack_file import facts_of


def evaluate(take: Take, stack: Sequence[Edit], *, limits: F32 | None = None, gaps: Gaps | None = None) -> Take:
    """A take with all edits of a stack, as `Evaluator.evaluate`."""
    return Evaluator(take, limits=limits, gaps=gaps).evaluate(stack)


class Evaluator:
    """A take, ready to be edited again and again.

    Args:
        take: it is not changed.
        limits: (K, 2) float32, least and largest weights of the character's keys; None: 0 and 1.
        gaps: how far the character's lips and lids gape; None: what is closed is judged by the weights.
    """

    def __init__(self, take: Take, *, limits: F32 | None = None, gaps: Gaps | None = None) -> None:
        self.take, self.done = take, 0
        self._columns = columns_of(take, limits)
        self._gaps = None if gaps is None else gaps.of_channels(take.channels)
        self._edits: list[Edit] = []
        self._stages: list[Curves] = [curves_of(take)]

    def evaluate(self, stack: Sequence[Edit]) -> Take:
        """The take with the edits that count, in their order; the take itself where none does, or none shows a face.

        `done` is how many edits had to be carried out for it. Raises FacecapError where an edit's numbers do not fit.
        """
        edits = find_active(stack)
        same = next(
            (i for i, (new, old) in enumerate(zip(edits, self._edits, strict=False)) if new != old),
            min(len(edits), len(self._edits)),
        )
        del self._edits[same:], self._stages[same + 1 :]
        self.done = len(edits) - same
        if not edits or not self.take.solved.any():
            return self.take
        for edit in edits[same:]:
            self._stages.append(carry_out(edit, self._stages[-1], self._columns, self._gaps))
            self._edits.append(edit)
        edited = take_of(self.take, self._stages[-1], self._columns)
        before = self.take.provenance.get("edits", [])
        said = [*(before if isinstance(before, list) else []), *(facts_of(edit) for edit in edits)]
        facts = self.take.provenance
        for edit in edits:
            facts = edit_facts(edit, facts)
        return replace(edited, provenance={**facts, "edits": said})


def find_active(stack: Sequence[Edit]) -> Stack:
    """The edits that count: those that are on and, where there are solo ones, these; names do not matter any more."""
    on = [edit for edit in stack if edit.on]
    return tuple(replace(edit, name="", solo=False) for edit in [one for one in on if one.solo] or on)
