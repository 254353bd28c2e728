"""Layer by layer: how far a quantized network is from the float one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Iterable

import torch
from torch import Tensor, nn

from ..similarity import Similarity
from .prepare import evaluating, first, layer_kind, only

LOW_SIMILARITY = 0.98  # the guide's: below it a layer is to be looked at


@dataclass
class Layer:
    """A layer's output, quantized against float: cosine similarity, and signal to quantization noise in dB."""

    name: str
    kind: str
    cosine: float
    sqnr: float

    @property
    def low(self) -> bool:
        """Whether the guide has one look at this layer."""
        return not self.cosine >= LOW_SIMILARITY


class Comparison(list):
    """One Layer each, in the order of the network; prints as a table."""

    @property
    def low(self) -> list[Layer]:
        """The layers whose similarity is low. The first of them is the one to look at."""
        return [layer for layer in self if layer.low]

    def __str__(self) -> str:
        width = max([len("layer"), *(len(layer.name) for layer in self)])
        lines = [f"{'layer':{width}}  {'kind':13}  cosine    SQNR dB"]
        for layer in self:
            mark = f"  below {LOW_SIMILARITY}" if layer.low else ""
            lines.append(f"{layer.name:{width}}  {layer.kind:13}  {layer.cosine:.6f}  {layer.sqnr:7.2f}{mark}")
        return "\n".join(lines)

    def plot(self, file: str | Path | None = None, axes: Any = None) -> Any:
        """Draws the similarities as points, low ones as red crosses, into `axes` or a new figure.

        Saves it where `file` is given. Returns the axes. Takes matplotlib.
        """
        if axes is None:
            from matplotlib.figure import Figure

            axes = Figure(figsize=(7, 1.2 + 0.3 * len(self)), layout="constrained").subplots()
        places = range(len(self))
        # Points, not bars: what matters lies near 1, and a bar must begin at 0.
        for low, colour, marker in ((False, "C0", "o"), (True, "C3", "X")):
            chosen = [(layer.cosine, place) for place, layer in zip(places, self) if layer.low == low]
            axes.plot([x for x, _ in chosen], [y for _, y in chosen], marker, color=colour, markersize=8)
        axes.grid(axis="y", alpha=0.4)
        axes.set_yticks(places, [layer.name for layer in self])
        axes.invert_yaxis()
        lowest = min([LOW_SIMILARITY, *(layer.cosine for layer in self)])
        margin = 0.2 * (1 - lowest)
        axes.set_xlim(lowest - margin, 1 + margin)
        axes.axvline(LOW_SIMILARITY, color="black", linestyle=":", linewidth=1)
        axes.set_xlabel("cosine similarity to the float layer's output")
        if file is not None:
            axes.figure.savefig(file)
        return axes


def compare_layers(
    float_model: nn.Module, quantized_model: nn.Module, data: Iterable[Any], *, data_only: bool = False,
    weights_only: bool = False,
) -> Comparison:
    """Runs both models on the same batches and compares the outputs of each layer that NNIE quantizes, by its name.

    Args:
        data: batches, each a tensor or a tuple whose first item is one.
        data_only, weights_only: quantize only those, the guide's steps to find what costs accuracy.

    Both run in evaluation without gradient, and are left as they were. A layer that is called several times in a pass
    counts as one. Raises ValueError where the models have no such layer in common, or both choices are given.
    """
    if data_only and weights_only:
        raise ValueError("choose data_only or weights_only")
    names = [name for name, layer in float_model.named_modules() if layer_kind(layer)]
    names = [name for name in names if layer_kind(dict(quantized_model.named_modules()).get(name, nn.Identity()))]
    if not names:
        raise ValueError("the two models have no layer of one name in common")
    sums: dict[str, Similarity] = {}
    with torch.no_grad(), evaluating(float_model), evaluating(quantized_model):
        for batch in data:
            expected = _outputs(float_model, names, first(batch))
            with only(quantized_model, data=not weights_only, weights=not data_only):
                found = _outputs(quantized_model, names, first(batch))
            for name, outputs in expected.items():
                for a, b in zip(outputs, found[name]):
                    sums.setdefault(name, Similarity()).add(_numpy(a), _numpy(b))
    kinds = {name: layer_kind(float_model.get_submodule(name)) or "" for name in names}
    return Comparison(Layer(name, kinds[name], total.cosine, total.sqnr) for name, total in sums.items())


def _outputs(model: nn.Module, names: list[str], batch: Any) -> dict[str, list[Tensor]]:
    """Each layer's outputs in one pass, in the order in which they came."""
    outputs: dict[str, list[Tensor]] = {}

    def keep(name: str, _layer: nn.Module, _inputs: Any, output: Any) -> None:
        outputs.setdefault(name, []).append(first(output).detach().clone())  # later layers may work in place

    hooks = [model.get_submodule(name).register_forward_hook(partial(keep, name)) for name in names]
    try:
        model(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return outputs


def _numpy(tensor: Tensor) -> Any:
    return tensor.double().cpu().numpy()
