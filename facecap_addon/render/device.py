"""Where torch works, and on how many threads."""

from __future__ import annotations

import torch

from ..errors import FacecapError


def device_of(asked: str) -> str:
    """Torch's name of a device; asked: "auto", "cpu" or "cuda". Raises FacecapError if there is none."""
    if asked == "cuda" and not torch.cuda.is_available():
        raise FacecapError("There is no graphics card that torch can use.", "Choose the CPU, or leave it to FaceCap.")
    return "cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu"


def use_threads(count: int) -> None:
    """How many threads torch's own loops use."""
    torch.set_num_threads(count)
