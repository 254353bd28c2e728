"""Loading an exported network into the model's own class."""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .operations import layer_kind
from .placed import is_prepared


def load_exported(model: nn.Module, folder: str | Path) -> nn.Module:
    """Loads what `export` wrote to a folder into a float model of the same class, in place, for evaluation.

    `load_state_dict` alone can't: folding put an Identity in place of BatchNorm, and a bias into layers that had none.
    The model is changed in the same way, then model.pt is loaded strictly.

    Returns the model, in evaluation. Raises ValueError for a prepared model; RuntimeError where the file is another
    network's; OSError where it can't be read. The model is then as it was.
    """
    if is_prepared(model):
        raise ValueError("an exported network is loaded into a float model, and this one is prepared")
    state = torch.load(Path(folder) / "model.pt", map_location="cpu")
    _shape_and_load(copy.deepcopy(model), state)  # raises before anything is changed
    _shape_and_load(model, state)
    return model.eval()


def _shape_and_load(model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    for name, layer in list(model.named_modules()):
        prefix = f"{name}." if name else ""
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None and f"{prefix}running_mean" not in state:
            for parent in model.modules():
                parent._modules.update({k: nn.Identity() for k, child in parent._modules.items() if child is layer})
        elif layer_kind(layer) and getattr(layer, "bias", 0) is None and f"{prefix}bias" in state:
            layer.bias = nn.Parameter(torch.zeros_like(state[f"{prefix}bias"], device=layer.weight.device))
    model.load_state_dict(state)
