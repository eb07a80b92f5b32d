"""Checkpoints of a training: tensors in safetensors, facts as text in its header. Nothing is ever unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...atomic_file import atomic_path
from ...errors import UNREADABLE, FacecapError

_FACTS = "facecap"
_MOST_BYTES = 8 << 30


def save_checkpoint(path: Path, network: nn.Module, optimizer: torch.optim.Adam, facts: dict[str, Any]) -> None:
    """Write a checkpoint, completely or not at all: the one before survives a full disk."""
    from safetensors.torch import save_file

    tensors = {f"network.{name}": value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"adam.{key}.{name}"] = torch.as_tensor(value).detach().cpu().contiguous()
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, {_FACTS: json.dumps(facts)})


def load_checkpoint(path: Path, network: nn.Module, optimizer: torch.optim.Adam | None) -> dict[str, Any]:
    """Read a checkpoint into a network and its optimiser; returns the facts.

    Raises:
        FacecapError: it is damaged, or belongs to another network.
    """
    tensors, facts = _read(path)
    state = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
    wanted = network.state_dict()
    if state.keys() != wanted.keys() or any(state[name].shape != wanted[name].shape for name in wanted):
        raise FacecapError(f"{path.name} belongs to another network.", "Delete it, or train with its settings.")
    network.load_state_dict(state)
    if optimizer is not None:
        for name, parameter in network.named_parameters():
            found: dict[str, Tensor] = {}
            for key in ("step", "exp_avg", "exp_avg_sq"):
                value = tensors.get(f"adam.{key}.{name}")
                if value is not None:
                    found[key] = value if key == "step" else value.to(parameter)
            if found:
                optimizer.state[parameter] = found
    return facts


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    try:
        if path.stat().st_size > _MOST_BYTES:
            raise FacecapError(f"{path.name} is too large for a checkpoint.", "Delete it.")
        with safe_open(str(path), framework="pt") as file:
            facts = json.loads((file.metadata() or {})[_FACTS])
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118 (not a dict)
    except (*UNREADABLE, SafetensorError) as error:
        raise FacecapError(f"The checkpoint {path.name} is damaged.", "Delete it and train again.") from error
