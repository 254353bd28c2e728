"""Optimizers that do not know of a model's new parameters."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Collection
from typing import Any

from torch import nn
from torch.optim import Optimizer

from ..errors import some


def warn_of_optimizers(model: nn.Module, new: Collection[str], stacklevel: int) -> None:
    """Warns where an optimizer in this process updates a layer's weight, and not the bias that the layer has now.

    Args:
        new: the names of the new parameters.
        stacklevel: as for warnings.warn, seen from the caller.
    """
    if not new:
        return
    parameters = dict(model.named_parameters())
    beside = {name: f"{name.rpartition('.')[0]}.weight".lstrip(".") for name in new}
    for optimizer in _optimizers():
        known = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        lacking = [n for n in new if id(parameters[n]) not in known and id(parameters[beside[n]]) in known]
        if lacking:
            warnings.warn(
                f"gfpq.torch: {type(optimizer).__name__} was made before BatchNorm was folded, and does not update the "
                f"biases that layers have now: {some(lacking)}. Make the optimizer after, or add them by "
                "add_param_group",
                stacklevel=stacklevel + 1,
            )


def _optimizers() -> list[Any]:
    return [item for item in gc.get_objects() if issubclass(type(item), Optimizer) and hasattr(item, "param_groups")]
