"""What a quantized network leaves training as: a float model with quantized weights, and the parameters."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .fold import fold_batchnorm
from .prepare import DATA, quantizers, remove


@dataclass
class Export:
    """What `export` found.

    `model` is a plain float model, without this package's modules, in evaluation. `parameters` has one row a Param:
    `layer`, `tensor` ("data": the layer's input; "weight"), `group`, `bits`, `delta`, `clip` (the largest value,
    2^((delta+K)/S)), `block` (the 16 bytes in hexadecimal).
    """

    model: nn.Module
    parameters: list[dict[str, Any]]

    @property
    def nnie(self) -> dict[str, Any]:
        """The clip values of each layer's data, one a group, as {"nnie": {"gfpq_param_dict": {layer: [clip, ...]}}}."""
        layers: dict[str, list[float]] = {}
        for row in self.parameters:
            if row["tensor"] == DATA:
                layers.setdefault(row["layer"], []).append(row["clip"])
        return {"nnie": {"gfpq_param_dict": layers}}

    def save(self, folder: str | Path) -> None:
        """Writes model.pt (the model's state_dict), parameters.json and nnie.json, and makes the folder."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(self.model.state_dict(), folder / "model.pt")
        (folder / "parameters.json").write_text(json.dumps(self.parameters, indent=2) + "\n")
        (folder / "nnie.json").write_text(json.dumps(self.nnie, indent=2) + "\n")


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
                prepared.get_submodule(name).weight  # quantizes it, which sets the Params  # noqa: B018
            for group, param in enumerate(quantizer.params):
                rows.append(
                    {
                        "layer": name,
                        "tensor": tensor,
                        "group": group,
                        "bits": param.bits,
                        "delta": param.delta,
                        "clip": param.largest,
                        "block": bytes(param).hex(),
                    }
                )
        remove(prepared, keep_quantized=True)
    exported = Export(prepared, rows)
    if folder is not None:
        exported.save(folder)
    return exported
