"""One process among several that train together, as torchrun starts them; alone, it changes nothing."""

from __future__ import annotations

import os

import numpy as np
import torch
import torch.distributed as distributed
from numpy.typing import NDArray
from torch import nn


class Workers:
    """The processes that share a training.

    Args:
        rank: this one's number.  count: how many there are.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        self.rank, self.count = rank, count

    @property
    def first(self) -> bool:
        """Whether this one writes files and judges."""
        return self.rank == 0

    def share(self, items: NDArray[np.intp]) -> NDArray[np.intp]:
        """This process's part of a batch; every one gets at least one item."""
        return items[self.rank :: self.count] if len(items) >= self.count else items

    def wrapped(self, network: nn.Module) -> nn.Module:
        """The network, its gradients averaged over all processes."""
        return network if self.count == 1 else nn.parallel.DistributedDataParallel(network)

    def leave(self) -> None:
        """Part from the others, when the training is over."""
        if self.count > 1:
            distributed.destroy_process_group()

    def agreed(self, stop: bool) -> bool:
        """What the first process says."""
        if self.count == 1:
            return stop
        flag = torch.tensor([float(stop)], device="cuda" if distributed.get_backend() == "nccl" else "cpu")
        distributed.broadcast(flag, 0)
        return bool(flag[0] > 0)


def workers_here() -> Workers:
    """Join the other processes, where torchrun started this one."""
    if not distributed.is_available() or not distributed.is_torchelastic_launched():
        return Workers()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return Workers(distributed.get_rank(), distributed.get_world_size())
