"""Networks in TorchScript, as users bring them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ...errors import FacecapError


def open_torchscript(path: Path, way_out: str) -> Any:
    """A network, on the CPU, ready to be called.

    Raises:
        FacecapError: torch is not installed, or the file cannot be read.
    """
    try:
        import torch  # only for who names a TorchScript network
    except ImportError as error:
        raise FacecapError(
            "A TorchScript network needs PyTorch, which is not installed.", "Install PyTorch or convert it to ONNX."
        ) from error
    try:
        return torch.jit.load(str(path), map_location="cpu").eval()
    except (RuntimeError, ValueError) as error:
        raise FacecapError(f"{path.name} is not a network that can be read.", way_out) from error
