"""The parameters of an exported network: one row a Param, and the files that they are written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .param import Param

DATA, WEIGHT = "data", "weight"  # the tensors of a layer that are quantized

Row = dict[str, Any]


def row_of(layer: str, tensor: str, group: int, param: Param) -> Row:
    """A Param's row: `layer`, `tensor` (DATA, the layer's input; or WEIGHT), `group`, `bits`, `delta`, `clip` (the
    largest value, 2^((delta+K)/S)), `block` (the 16 bytes in hexadecimal).

    Raises NotInitializedError where the Param holds nothing.
    """
    return {
        "layer": layer,
        "tensor": tensor,
        "group": group,
        "bits": param.bits,
        "delta": param.delta,
        "clip": param.largest,
        "block": bytes(param).hex(),
    }


def nnie_of(rows: list[Row]) -> dict[str, Any]:
    """The clip values of each layer's data, one a group, as {"nnie": {"gfpq_param_dict": {layer: [clip, ...]}}}."""
    layers: dict[str, list[float]] = {}
    for row in rows:
        if row["tensor"] == DATA:
            layers.setdefault(row["layer"], []).append(row["clip"])
    return {"nnie": {"gfpq_param_dict": layers}}


def save(rows: list[Row], folder: Path) -> None:
    """Writes parameters.json and nnie.json. Raises OSError."""
    (folder / "parameters.json").write_text(json.dumps(rows, indent=2) + "\n")
    (folder / "nnie.json").write_text(json.dumps(nnie_of(rows), indent=2) + "\n")
