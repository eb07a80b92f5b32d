"""From a sequence of embeddings to blendshape weights (Meng and Wen 2019, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

HIDDEN, LENGTH = 256, 10


class WeightLstm(nn.Module):
    """One LSTM layer and a linear one: each step's hidden state gives that frame's K weights.

    The last layer begins at the mean weights, so that training starts from the mean face.

    Args:
        inputs: size of an embedding.  mean: (K,) mean weights.  hidden: size of the state.
    """

    def __init__(self, inputs: int, mean: Tensor, hidden: int = HIDDEN) -> None:
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden, batch_first=True)
        self.output = nn.Linear(hidden, len(mean))
        with torch.no_grad():
            self.output.bias.copy_(mean)
            nn.init.xavier_uniform_(self.output.weight)

    def forward(self, embeddings: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Weights of a stretch of frames, and the state after it.

        Args:
            embeddings: (B, T, D).  state: hidden and cell, (1, B, H) each; None at the start of a shot.
        Returns:
            (B, T, K) weights, not clipped; (1, B, H) hidden; (1, B, H) cell.
        """
        # In 32 bits: what is carried on and on must not be rounded, and many processors have no LSTM of 16 bits.
        with torch.autocast(embeddings.device.type, enabled=False):
            found, (hidden, cell) = self.lstm(embeddings.float(), state)
            return self.output(found), hidden, cell
