"""One range for all ranks of a distributed training."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist
from torch import Tensor

_AVAILABLE = dist.is_available()


def world_size(group: Any = None) -> int:
    """How many processes train together; 1 without torch.distributed."""
    if not (_AVAILABLE and dist.is_initialized()):
        return 1
    return dist.get_world_size(group)


def largest(exponents: Tensor, group: Any = None) -> Tensor:
    """The largest of each exponent over all ranks of the group, which all have to call this.

    NCCL reduces CUDA tensors only, so the tensor is reduced where the data lies.
    """
    reduced = exponents.clone() if dist.get_backend(group) == "nccl" else exponents.cpu().clone()
    dist.all_reduce(reduced, op=dist.ReduceOp.MAX, group=group)
    return reduced.to(exponents.device)
