"""Seo and Luo's predictor: an LSTM of three layers and 128 cells from one step of the landmarks to the next."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN, LAYERS, STYLE = 128, 3, 48
_MOMENTUM = 0.9
_NEUTRAL_GAIN = 0.1
_CLOCK, _CLOCK_FRAMES = 18, 8.0
"""Time is heard as overlapping moments, so many of them, so far apart."""
_RANK = 96
_EVENNESS = 0.6
"""How far small directions are brought up to large ones: 0 not at all, 1 all the way."""

Memory = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Basis:
    """What steps and neutral faces are made of.

    Attributes:
        steps: (D, 3L) rows of unit length, the directions that steps go in.  spreads: (D,) mm, how far.
        faces: (K, 3L) mm, one standard deviation of neutral faces each.
    """

    steps: Tensor
    spreads: Tensor
    faces: Tensor


class Predictor(nn.Module):
    """The next step from the steps so far, beginning from a style and a neutral face.

    The network hears steps along some directions, and says the next one: o = dense(h) + P (A k * B t), the paper's
    answer and a bilinear one, of what is known of the sequence (its style and face, k) and of the time t. Without that,
    what is small and belongs to one style, as a smile that is a little lopsided, is not learned in minutes. Where what
    it heard was not what it had said, by e = x − o before, what it missed goes on as it went: y = o + a e + b (e − e
    before), with a and b learned too. Feeding on itself it misses nothing, and y is o; after steps of someone else it
    is as good as an extrapolation at least.

    The neutral face, as `FaceSpace` measures it, and the style, a few numbers, set the memory that a sequence begins
    with; they and the time are heard at every step. The empty style is the mean one.

    Args:
        basis: of the steps and faces to learn from.
        as_paper: steps themselves in and out, all of their coordinates; the memory begins empty, and the first input
            is the neutral face.
    """

    directions: Tensor
    gains: Tensor
    faces: Tensor

    def __init__(self, basis: Basis, *, as_paper: bool = False) -> None:
        super().__init__()
        self.as_paper = as_paper
        count, self.width = basis.steps.shape
        known = STYLE + len(basis.faces)
        self.lstm = nn.LSTM(self.width if as_paper else count + known + _CLOCK, HIDDEN, LAYERS, batch_first=True)
        self.dense = nn.Linear(HIDDEN, self.width if as_paper else count)
        self.register_buffer("faces", basis.faces)
        if as_paper:
            return
        self.register_buffer("directions", basis.steps)
        # Small directions are heard and told louder, else they would be lost beside those of the head.
        self.register_buffer("gains", weigh_directions(basis.spreads))
        self.of_known, self.of_time = nn.Linear(known, _RANK), nn.Linear(_CLOCK, _RANK, bias=False)
        self.planned = nn.Linear(_RANK, count, bias=False)
        nn.init.zeros_(self.planned.weight)
        self.start = nn.Linear(known, 2 * LAYERS * HIDDEN, bias=False)
        nn.init.normal_(self.start.weight, std=0.1)
        self.momentum = nn.Parameter(torch.tensor([1.0, _MOMENTUM]))

    def weigh(self, steps: Tensor) -> Tensor:
        """Steps (…, 3L) mm along the network's directions, small ones louder: what errors are measured in, so that a
        smile that is a little lopsided counts beside a head that turns."""
        return steps if self.as_paper else steps @ self.directions.T / self.gains

    def init_memory(self, style: Tensor, identity: Tensor) -> Memory:
        """Memories h and c, (layers, B, hidden), at the beginning, of styles (B, S) and faces (B, K)."""
        if self.as_paper:
            empty = style.new_zeros(LAYERS, len(style), HIDDEN)
            return empty, empty
        both = self.start(torch.cat([style, identity], dim=1)).reshape(len(style), 2, LAYERS, HIDDEN)
        h, c = both.permute(1, 2, 0, 3).contiguous().unbind(0)
        return torch.tanh(h), c.contiguous()

    def first_input(self, identity: Tensor) -> Tensor:
        """(B, 1, 3L): what a sequence hears first: nothing; as the paper has it, the neutral face's landmarks."""
        if self.as_paper:
            return _NEUTRAL_GAIN * (identity @ self.faces)[:, None]
        return identity.new_zeros(len(identity), 1, self.width)

    def forward(
        self, steps: Tensor, state: tuple[Tensor, ...], known: Tensor, deaf: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Steps (B, F, 3L) mm to the steps y that follow them, what the network said of each alone, o, and the state
        after the last.

        Args:
            state: see `begin`.  known: (B, S + K) styles and faces.  deaf: (B,) bool, sequences whose steps the network
                does not hear, so that it learns to say them by itself.
        """
        said, missed, frame, *memory = state
        if self.as_paper:
            out, (h, c) = self.lstm(steps, (memory[0], memory[1]))
            out = self.dense(out)
            return out, out, said, missed, frame, h, c
        heard = self.weigh(steps)
        if deaf is not None:
            heard = heard * (~deaf)[:, None, None]
        count = steps.shape[1]
        clock = _tell_time(frame + torch.arange(count, device=steps.device))
        beside = torch.cat([known, known.new_zeros(len(known), _CLOCK)], dim=1)[:, None]
        beside = beside + torch.cat([known.new_zeros(count, known.shape[1]), clock], dim=1)
        out, (h, c) = self.lstm(torch.cat([heard, beside], dim=2), (memory[0], memory[1]))
        told = (self.gains * (self.dense(out) + self._plan(known, clock))) @ self.directions
        errors = steps - torch.cat([said, told[:, :-1]], dim=1)
        change = errors - torch.cat([missed, errors[:, :-1]], dim=1)
        after = told + self.momentum[0] * errors + self.momentum[1] * change
        return after, told, told[:, -1:], errors[:, -1:], frame + count, h, c

    def begin(self, style: Tensor, identity: Tensor) -> tuple[Tensor, ...]:
        """The state before the first step: (B, 1, 3L) mm what was said of it and what the step before was missed by,
        (1,) frames gone by, and memories h and c (layers, B, hidden), of styles (B, S) and faces (B, K)."""
        nothing = style.new_zeros(len(style), 1, self.width)
        return nothing, nothing, style.new_zeros(1), *self.init_memory(style, identity)

    def predict(
        self, steps: Tensor, style: Tensor, identity: Tensor, deaf: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Whole sequences of true steps (B, F, 3L), the first zero, to what should follow each of them: y and o."""
        steps = torch.cat([steps[:, :1] + self.first_input(identity), steps[:, 1:]], dim=1)
        after, told, *_ = self(steps, self.begin(style, identity), torch.cat([style, identity], dim=1), deaf)
        return after, told

    def run_freely(self, style: Tensor, identity: Tensor, frames: int) -> Tensor:
        """(B, F, 3L) mm: steps that follow from styles (B, S) and faces (B, K), each fed back; the first is zero."""
        h, c = (list(part.unbind(0)) for part in self.init_memory(style, identity))
        step = style.new_zeros(len(style), self.dense.out_features)
        steps = [step]
        if self.as_paper:
            step = self.first_input(identity)[:, 0]
            for _ in range(frames - 1):
                step = self.dense(self._advance(step, h, c))
                steps.append(step)
            return torch.stack(steps, dim=1)
        known = torch.cat([style, identity], dim=1)
        clock = _tell_time(torch.arange(frames, device=style.device))[:, None].expand(-1, len(style), -1)
        plan = self._plan(known, clock[:, 0])
        for frame in range(frames - 1):
            heard = torch.cat([step / self.gains, known, clock[frame]], dim=1)
            step = self.gains * (self.dense(self._advance(heard, h, c)) + plan[:, frame])
            steps.append(step)
        # Feeding on itself it misses nothing, and leaves its directions nowhere.
        return torch.stack(steps, dim=1) @ self.directions

    def _plan(self, known: Tensor, clock: Tensor) -> Tensor:
        """(B, F, D): the bilinear part of the answer, of what is known (B, S + K) and moments (F, _CLOCK)."""
        return self.planned(self.of_known(known)[:, None] * self.of_time(clock))

    def _advance(self, heard: Tensor, h: list[Tensor], c: list[Tensor]) -> Tensor:
        """One step (B, H) of all layers, whose memories are replaced; as `nn.LSTM`, without its cost for each call."""
        for layer in range(LAYERS):
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            into, over, bias, more = (getattr(self.lstm, f"{name}_l{layer}") for name in names)
            gates = functional.linear(torch.cat([heard, h[layer]], 1), torch.cat([into, over], 1), bias + more)
            take, keep, new, show = gates.chunk(4, 1)
            c[layer] = torch.sigmoid(keep) * c[layer] + torch.sigmoid(take) * torch.tanh(new)
            heard = h[layer] = torch.sigmoid(show) * torch.tanh(c[layer])
        return heard


def weigh_directions(spreads: Tensor) -> Tensor:
    """(D,) how far one unit goes along each direction, of how far steps go, mm, (D,)."""
    return (spreads / spreads[0]).clamp(min=1e-3) ** _EVENNESS


def _tell_time(frames: Tensor) -> Tensor:
    """(F, _CLOCK): frames (F,) as moments, each of which swells and passes."""
    moments = _CLOCK_FRAMES * torch.arange(_CLOCK, device=frames.device)
    return 1.0 - torch.tanh((frames[:, None] - moments) / _CLOCK_FRAMES) ** 2


class OneStep(nn.Module):
    """A predictor as it is exported: one step at a time, the first one beginning from a style and a neutral face."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = predictor

    def forward(
        self,
        step: Tensor,
        said: Tensor,
        missed: Tensor,
        frame: Tensor,
        h: Tensor,
        c: Tensor,
        style: Tensor,
        identity: Tensor,
        first: Tensor,
    ) -> tuple[Tensor, ...]:
        """Step, said, missed (1, 1, 3L) mm, frame (1,), h, c (layers, 1, hidden), style (1, S), identity (1, K), first
        (1,): 1 at the beginning, 0 after it."""
        h0, c0 = self.predictor.init_memory(style, identity)
        heard = step + first * self.predictor.first_input(identity)
        state = (said, missed, frame, h + first * (h0 - h), c + first * (c0 - c))
        after, _, *state = self.predictor(heard, state, torch.cat([style, identity], dim=1))
        return after, *state
