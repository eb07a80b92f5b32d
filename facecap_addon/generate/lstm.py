"""Seo and Luo's predictor: an LSTM of three layers and 128 cells from one step of the landmarks to the next."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HIDDEN, LAYERS, STYLE = 128, 3, 8


class Predictor(nn.Module):
    """The next step from the steps so far.

    The paper starts every sequence from an empty memory and a step of zero, so its network can tell only one story.
    Where it is silent, we begin from a memory that a style, a vector of eight numbers, sets; the empty style is the
    paper's beginning.
    """

    def __init__(self, width: int, hidden: int = HIDDEN, layers: int = LAYERS, style: int = STYLE) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, layers, batch_first=True)
        self.dense = nn.Linear(hidden, width)
        self.start = nn.Linear(style, 2 * layers * hidden, bias=False)
        nn.init.normal_(self.start.weight, std=0.1)

    def init_memory(self, style: Tensor) -> tuple[Tensor, Tensor]:
        """Memories h and c, (layers, B, hidden), at the beginning of sequences of given styles (B, S)."""
        both = self.start(style).reshape(len(style), 2, self.lstm.num_layers, self.lstm.hidden_size)
        h, c = both.permute(1, 2, 0, 3).contiguous().unbind(0)
        return torch.tanh(h), c.contiguous()

    def forward(self, steps: Tensor, memory: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Steps (B, F, 3L) mm to the steps that follow them, and the memory after the last."""
        out, (h, c) = self.lstm(steps, memory)
        return self.dense(out), h, c

    def run_freely(self, style: Tensor, frames: int) -> Tensor:
        """(B, F, 3L) mm: steps that follow from styles (B, S), each fed back; the first is zero."""
        memory = self.init_memory(style)
        step = style.new_zeros(len(style), 1, self.dense.out_features)
        steps = [step]
        for _ in range(frames - 1):
            step, *rest = self(step, memory)
            memory = (rest[0], rest[1])
            steps.append(step)
        return torch.cat(steps, dim=1)


class OneStep(nn.Module):
    """A predictor as it is exported: one step at a time, the first one beginning from a style."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self.predictor = predictor

    def forward(
        self, step: Tensor, h: Tensor, c: Tensor, style: Tensor, first: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Step (1, 1, 3L) mm, h, c (layers, 1, hidden), style (1, S), first (1,): 1 at the beginning, 0 after it."""
        h0, c0 = self.predictor.init_memory(style)
        return self.predictor(step, (h + first * (h0 - h), c + first * (c0 - c)))
