"""How far a job is and how long it will still take."""

from __future__ import annotations

from ..registry import Stages
from .progress import Progress

# Of a job of which less is done, nothing is known yet.
_LEAST_DONE = 0.03
_UNKNOWN = 0.05
"""What part of what is left a stage takes that nobody expected."""


class StageClock:
    """Estimates from progress events: `fraction` of the whole job, and `eta_s`, seconds until its end or None.

    Within a stage the mean speed since its start is used; the stages still to come are assumed to keep their usual
    proportion to the present one. A stage that says nothing of its own progress is judged by the whole job's. Whatever
    comes, even a stage that nobody expected, the fraction grows from where it stands.

    Args:
        stages: of the job, see `Job`.
    """

    def __init__(self, stages: Stages) -> None:
        self._stages = stages
        self._usual = dict(stages)
        self._place = -1
        self._done, self._share, self._left = 0.0, 0.0, sum(share for _, share in stages)
        self._unexpected = False
        self._stage = ""
        self._began_s: float | None = None
        self._stage_start_s = 0.0
        self._stage_first = 0
        self._floor = 0.0
        self.fraction = 0.0
        self.eta_s: float | None = None

    def update(self, progress: Progress, now_s: float) -> None:
        """Take a progress event in; `now_s` is any clock that only goes forward, in seconds."""
        if self._began_s is None:
            self._began_s = now_s
        if progress.stage != self._stage:
            self._stage, self._stage_start_s, self._stage_first = progress.stage, now_s, progress.done
            self._enter(progress.stage)
        inside = min(1.0, progress.done / progress.total) if progress.total > 0 else 0.0
        self.fraction = max(self.fraction, min(1.0, self._fraction_at(inside)))

        worked, elapsed_s = progress.done - self._stage_first, now_s - self._stage_start_s
        if worked > 0 and progress.total > 0 and elapsed_s > 0 and self._share > 0:
            per_unit_s = elapsed_s / worked
            later = self._left / self._share
            self.eta_s = per_unit_s * (progress.total - progress.done) + per_unit_s * progress.total * later
        elif self.fraction > _LEAST_DONE and now_s > self._began_s and self._share > 0:
            self.eta_s = (now_s - self._began_s) * (1 - self.fraction) / self.fraction

    def _enter(self, stage: str) -> None:
        """Go on to a stage: those passed over take no time. One that lies behind, or is unknown, comes in between."""
        self._floor = self.fraction
        after = [place for place in range(self._place + 1, len(self._stages)) if self._stages[place][0] == stage]
        self._unexpected = not after
        if not after:
            self._share = self._usual.get(stage, _UNKNOWN * self._left)
            return
        if self._place >= 0:
            self._done += self._stages[self._place][1]
        self._place = after[0]
        self._share = self._stages[self._place][1]
        self._left = sum(share for _, share in self._stages[self._place + 1 :])

    def _fraction_at(self, inside: float) -> float:
        """Of the whole, at a part of the stage; from where it stood when the stage began, if that was further on."""
        rest = self._share + self._left
        if rest <= 0:
            return self._floor
        begun = 0.0 if self._unexpected else self._done / (self._done + rest)
        begun = max(begun, self._floor)
        return begun + (1 - begun) * self._share * inside / rest


def duration_text(seconds: float) -> str:
    """`3 s`, `2:05`, `1:02:05`."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
