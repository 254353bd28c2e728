"""What a quantized network leaves training as: a float model with quantized weights, and the parameters."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import parameters
from ..parameters import DATA
from .fold import fold_batchnorm
from .prepare import quantizers, remove


@dataclass
class Export:
    """What `export` found.

    `model` is a plain float model, without this package's modules, in evaluation. `parameters` has the rows of
    gfpq.parameters, one a Param.
    """

    model: nn.Module
    parameters: list[dict[str, Any]]

    @property
    def nnie(self) -> dict[str, Any]:
        """The clip values of each layer's data, as gfpq.parameters.nnie_of gives them."""
        return parameters.nnie_of(self.parameters)

    def save(self, folder: str | Path) -> None:
        """Writes model.pt (the model's state_dict), parameters.json and nnie.json, and makes the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.model.state_dict(), folder / "model.pt")
        parameters.save(self.parameters, folder)


def export(model: nn.Module, folder: str | Path | None = None, *, fold: bool = True) -> Export:
    """Exports a prepared model, which stays as it is.

    With `fold`, BatchNorm is folded first, and the folded weights are quantized: the parameters are theirs. The bias
    stays in float.

    Raises NotInitializedError where a data quantizer has seen no data, OSError where `folder` can't be written.
    """
    prepared = copy.deepcopy(model).eval()
    if fold:
        fold_batchnorm(prepared)
    rows = []
    with torch.no_grad():
        for name, tensor, quantizer in quantizers(prepared):
            if tensor != DATA:
                prepared.get_submodule(name).quantized_weight()  # sets the Params
            for group, param in enumerate(quantizer.params):
                rows.append(parameters.row_of(name, tensor, group, param))
        remove(prepared, keep_quantized=True)
    exported = Export(prepared, rows)
    if folder is not None:
        exported.save(folder)
    return exported
