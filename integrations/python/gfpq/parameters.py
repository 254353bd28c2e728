"""The parameters of an exported network: one row a Param, and the files that they are written to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .param import Param

DATA, WEIGHT = "data", "weight"  # the tensors of a layer that are quantized

Row = dict[str, Any]


def row_of(layer: str, tensor: str, group: int, param: Param, input_number: int = 0) -> Row:
    """A Param's row: `layer`, `tensor` (DATA, the layer's input; or WEIGHT), `input` (which one, of a layer with
    several, such as Concat), `group`, `bits`, `delta`, `clip` (the largest value, 2^((delta+K)/S)), `block` (the 16
    bytes in hexadecimal).

    Raises NotInitializedError where the Param holds nothing.
    """
    return {
        "layer": layer,
        "tensor": tensor,
        "input": input_number,
        "group": group,
        "bits": param.bits,
        "delta": param.delta,
        "clip": param.largest,
        "block": bytes(param).hex(),
    }


def param_of(row: Row) -> Param:
    """A row's Param, from `bits` and `block`. Raises ValueError where the row has no valid ones, or another delta."""
    try:
        param = Param.from_bytes(bytes.fromhex(row["block"]), row["bits"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"a parameter's row lacks its bits or block: {error!r}") from error
    if row.get("delta", param.delta) != param.delta:
        raise ValueError(f"a parameter's row has the delta {row['delta']} and a block for {param.delta}")
    return param


def nnie_of(rows: list[Row]) -> dict[str, Any]:
    """The clip values of each layer's data, one a group or an input.

    As {"nnie": {"gfpq_param_dict": {layer: [clip, ...]}}}.
    """
    layers: dict[str, list[float]] = {}
    for row in rows:
        if row["tensor"] == DATA:
            layers.setdefault(row["layer"], []).append(row["clip"])
    return {"nnie": {"gfpq_param_dict": layers}}


def text_of(content: Any) -> str:
    """Rows, or what nnie_of returns, as they are written to files."""
    return json.dumps(content, indent=2) + "\n"


def contents_of(rows: list[Row]) -> dict[str, bytes]:
    """What is written to parameters.json and nnie.json."""
    return {"parameters.json": text_of(rows).encode(), "nnie.json": text_of(nnie_of(rows)).encode()}


def save(rows: list[Row], folder: Path) -> None:
    """Writes parameters.json and nnie.json. Raises OSError."""
    for name, content in contents_of(rows).items():
        (folder / name).write_bytes(content)


def load(file: Path) -> list[tuple[Row, Param]]:
    """Reads rows that `save` wrote. Raises OSError, and ValueError for a file that holds something else."""
    rows = json.loads(file.read_text())
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError("no list of parameters, as parameters.json has it")
    for row in rows:
        for key in ("layer", "tensor", "group"):
            if key not in row:
                raise ValueError(f"a parameter's row lacks {key!r}")
    return [(row, param_of(row)) for row in rows]
