"""How far a job is and how long it will still take."""

from __future__ import annotations

from collections.abc import Mapping

from .progress import Progress

# Rough shares of a solve's time; they matter only until a stage has shown its own speed.
SOLVE_STAGES: Mapping[str, float] = {
    "open": 0.02,
    "character": 0.05,
    "landmarks": 0.55,
    "proxy": 0.05,
    "fit": 0.15,
    "files": 0.03,
    "blend": 0.05,
    "preview": 0.10,
}


class StageClock:
    """Estimates from progress events: `fraction` of the whole job, and `eta_s`, seconds until its end or None.

    Within a stage the mean speed since its start is used; the stages still to come are assumed to keep their usual
    proportion to the present one.
    """

    def __init__(self, shares: Mapping[str, float] = SOLVE_STAGES) -> None:
        self._shares = shares
        self._order = list(shares)
        self._stage = ""
        self._stage_start_s = 0.0
        self._stage_first = 0
        self.fraction = 0.0
        self.eta_s: float | None = None

    def update(self, progress: Progress, now_s: float) -> None:
        """Take a progress event in; `now_s` is any clock that only goes forward, in seconds."""
        if progress.stage != self._stage:
            self._stage, self._stage_start_s, self._stage_first = progress.stage, now_s, progress.done
        share = self._shares.get(progress.stage, 0.0)
        position = self._order.index(progress.stage) if progress.stage in self._shares else 0
        before = sum(self._shares[name] for name in self._order[:position])
        later = sum(self._shares[name] for name in self._order[position + 1 :])
        inside = min(1.0, progress.done / progress.total) if progress.total > 0 else 0.0
        self.fraction = max(self.fraction, min(1.0, before + share * inside))

        worked = progress.done - self._stage_first
        elapsed_s = now_s - self._stage_start_s
        if worked <= 0 or progress.total <= 0 or elapsed_s <= 0.0 or share <= 0.0:
            return
        per_unit_s = elapsed_s / worked
        self.eta_s = per_unit_s * (progress.total - progress.done) + per_unit_s * progress.total * later / share


def duration_text(seconds: float) -> str:
    """`3 s`, `2:05`, `1:02:05`."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
