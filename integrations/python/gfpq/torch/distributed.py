"""One range for all ranks of a distributed training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist


def world_size(group: Any = None) -> int:
    """How many processes train together; 1 without torch.distributed."""
    if not (dist.is_available() and dist.is_initialized()):
        return 1
    return dist.get_world_size(group)


def largest(exponents: Sequence[float], device: torch.device, group: Any = None) -> list[float]:
    """The largest of each exponent over all ranks of the group, which all have to call this.

    NCCL reduces CUDA tensors only, so the tensor goes where the data lies.
    """
    tensor = torch.tensor(exponents, dtype=torch.float64, device=device if dist.get_backend(group) == "nccl" else "cpu")
    dist.all_reduce(tensor, op=dist.ReduceOp.MAX, group=group)
    return tensor.tolist()
