"""Footage of any frame rate for networks that learned motion at one: when to step, and with what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import F32

_SAME = 0.15
"""A frame that comes so near to one step after the last is that step, whatever the stamps' jitter."""
_NEAR = 0.02
_FORGETS_S = 0.5


@dataclass(frozen=True)
class Steps:
    """What a frame asks of a network with a memory.

    Attributes:
        ticks: embeddings to step with, one after the other; each step is kept.
        beside: embedding of the frame itself, where it lies between two ticks: its step is not kept; else None.
        share: of a tick that has passed then, and so of the way that this step goes.
        restart: whether the memory is forgotten before, after a gap.
    """

    ticks: tuple[F32, ...]
    beside: F32 | None = None
    share: float = 1.0
    restart: bool = False


class SequenceClock:
    """Keeps the time of a network that steps at one rate.

    The network steps at its own rate, with embeddings interpolated between those of the frames around; a frame between
    two steps is answered by the share of a step that is not kept. So nothing is late, and every step spans the time
    that the network learned.

    Args:
        rate_fps: at which the network learned; None: every frame is a step.
    """

    def __init__(self, rate_fps: float | None) -> None:
        self._rate = rate_fps
        self.restart()

    def restart(self) -> None:
        """The next frame begins a shot."""
        self._tick_s: float | None = None
        self._last: tuple[float, F32] | None = None

    def step(self, time_s: float, embedding: F32) -> Steps:
        """What to do about the next frame, at a time later than the one before."""
        if self._rate is None:
            return Steps((embedding,))
        last, tick = self._last, self._tick_s
        self._last = (time_s, embedding)
        if last is None or tick is None or not 0 <= time_s - last[0] <= _FORGETS_S:
            self._tick_s = time_s
            return Steps((embedding,), restart=last is not None)
        passed = (time_s - tick) * self._rate
        if abs(passed - 1) < _SAME and abs((last[0] - tick) * self._rate) < _NEAR:
            self._tick_s = time_s
            return Steps((embedding,))
        ticks: list[F32] = []
        while (time_s - tick) * self._rate >= 1 - _NEAR:
            tick += 1 / self._rate
            between = np.clip((tick - last[0]) / max(time_s - last[0], 1e-9), 0, 1)
            ticks.append((last[1] + np.float32(between) * (embedding - last[1])).astype(np.float32))
        self._tick_s = tick
        share = (time_s - tick) * self._rate
        on_tick = bool(ticks) and abs(share) < _NEAR
        return Steps(tuple(ticks), None if on_tick else embedding, float(np.clip(share, 0, 1)))
