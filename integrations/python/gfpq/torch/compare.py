"""Layer by layer: how far a quantized network is from the float one."""

from __future__ import annotations

from functools import partial
from typing import Any, Iterable

import torch
from torch import Tensor, nn

from ..comparison import Comparison, Layer
from ..similarity import Similarity
from .calibrate import evaluating, first
from .operations import layer_kind
from .prepare import only


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
