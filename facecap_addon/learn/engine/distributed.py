"""One process among several that train together, as torchrun starts them; alone, it changes nothing."""

from __future__ import annotations

import os

import numpy as np
import torch
import torch.distributed as distributed
from numpy.typing import NDArray
from torch import nn


class ProcessGroup:
    """The processes that share a training.

    Args:
        rank: this one's number.  world_size: how many there are.
    """

    def __init__(self, rank: int = 0, world_size: int = 1) -> None:
        self.rank, self.world_size = rank, world_size

    @property
    def is_main(self) -> bool:
        """Whether this one writes files and evaluates."""
        return self.rank == 0

    def share(self, items: NDArray[np.intp]) -> NDArray[np.intp]:
        """This process's part of a batch; every one gets at least one item."""
        return items[self.rank :: self.world_size] if len(items) >= self.world_size else items

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network, its gradients averaged over all processes."""
        return network if self.world_size == 1 else nn.parallel.DistributedDataParallel(network)

    def leave(self) -> None:
        """Part from the others, when the training is over for all: the first one keeps what they meet by."""
        if self.world_size > 1:
            distributed.barrier()
            distributed.destroy_process_group()

    def broadcast_stop(self, stop: bool) -> bool:
        """What the first process says."""
        if self.world_size == 1:
            return stop
        flag = torch.tensor([float(stop)], device="cuda" if distributed.get_backend() == "nccl" else "cpu")
        distributed.broadcast(flag, 0)
        return bool(flag[0] > 0)


def join_process_group() -> ProcessGroup:
    """Join the other processes, where torchrun started this one."""
    if not distributed.is_available() or not distributed.is_torchelastic_launched():
        return ProcessGroup()
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    return ProcessGroup(distributed.get_rank(), distributed.get_world_size())
