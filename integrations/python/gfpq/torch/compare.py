"""Layer by layer: how far a quantized network is from the float one."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from functools import partial
from typing import Any, Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..comparison import Comparison, Layer
from ..similarity import Similarity
from .calibrate import call_with, evaluating, first
from .export import Export, export
from .fold import put_pairs
from .layers import QuantizedLayer
from .operations import WITH_WEIGHTS, layer_kind
from .placed import check_not_switched, check_prepared, is_prepared, only, unwrapped


def compare_layers(
    float_model: nn.Module, quantized_model: nn.Module | Export, data: Iterable[Any], *, data_only: bool = False,
    weights_only: bool = False, input_of: Callable[[Any], Any] | None = None, fold: bool = True,
) -> Comparison:
    """Runs both models on the same batches and compares the outputs of each layer that NNIE quantizes, by its name.

    Of a prepared model, or of its Export, the twin is compared: the network as it is deployed, with BatchNorm folded.
    The same BatchNorms are folded in a copy of the float model, so that a layer's output is the folded one in both.
    What is compared is quantization alone where both have the same weights: after training, the float model is a copy
    of the quantized one after gfpq.torch.remove(copy), not what the training began with.

    Args:
        data: batches, each a tensor, or a tuple or list whose first item is the input, or a dict of keyword arguments.
        data_only, weights_only: quantize only those, the guide's steps to find what costs accuracy.
        input_of: takes a batch and returns what the models are called with, as for `calibrate`.
        fold: False compares a prepared model as it trains, with BatchNorm in float.

    Both run in evaluation without gradient, and are left as they were. A layer that is called several times in a pass
    counts as one. Raises ValueError where the first model is prepared or the second is not, within `only`, where they
    have no such layer in common, both choices are given, or there is no batch.
    """
    if data_only and weights_only:
        raise ValueError("choose data_only or weights_only")
    float_model, quantized_model = aligned_models(float_model, quantized_model, fold)
    others = dict(quantized_model.named_modules())
    names = [
        name
        for name, layer in float_model.named_modules()
        if layer_kind(layer) and layer_kind(others.get(name, nn.Identity()))
    ]
    if not names:
        raise ValueError("the two models have no layer of one name in common")
    sums: dict[str, Similarity] = {}
    with torch.no_grad(), evaluating(float_model), evaluating(quantized_model):
        for batch in data:
            expected = _outputs(float_model, names, batch, input_of)
            with only(quantized_model, data=not weights_only, weights=not data_only):
                found = _outputs(quantized_model, names, batch, input_of)
            for name, outputs in expected.items():
                if len(outputs) != len(found.get(name, [])):
                    raise ValueError(f"{name} is called {len(outputs)} times in the float model, and "
                                     f"{len(found.get(name, []))} times in the quantized one")
                for a, b in zip(outputs, found[name]):
                    sums.setdefault(name, Similarity()).add(_numpy(a), _numpy(b))
    if not sums:
        raise ValueError("there is no batch to compare with: the loader is empty, or an iterator that was used up")
    kinds = {name: layer_kind(float_model.get_submodule(name)) or "" for name in names}
    return Comparison(Layer(name, kinds[name], total.cosine, total.sqnr) for name, total in sums.items())


def aligned_models(
    float_model: nn.Module, quantized_model: nn.Module | Export, fold: bool
) -> tuple[nn.Module, nn.Module]:
    """The models to compare: a prepared one's twin, and the float one folded as it was."""
    float_model = unwrapped(float_model)
    if not isinstance(quantized_model, Export):
        quantized_model = unwrapped(quantized_model)
    if is_prepared(float_model):
        raise ValueError("the first model is to be the float one, and this one is prepared: are the two swapped?")
    quantized = quantized_model.twin if isinstance(quantized_model, Export) else quantized_model
    check_prepared(quantized)
    check_not_switched(quantized, "a comparison")
    if isinstance(quantized_model, Export):
        exported = quantized_model
    elif fold and any(isinstance(module, QuantizedLayer) for module in quantized_model.modules()):
        exported = export(quantized_model)
    else:
        return float_model, quantized_model
    if not exported.folded or not _norms(float_model):
        return float_model, exported.twin
    folded = copy.deepcopy(float_model).eval()
    modules = dict(folded.named_modules())
    put_pairs(folded, [pair for pair in exported.folded if _fit(*map(modules.get, pair))])
    different = sorted(_norms(folded) ^ _norms(exported.twin))
    if different:
        raise ValueError(f"in the float model BatchNorm is not folded as in the quantized one: {', '.join(different)}."
                         " Are they the same network? fold=False compares without folding")
    return folded, exported.twin


def _fit(layer: Any, norm: Any) -> bool:
    """Whether two modules can be a layer and the BatchNorm behind it."""
    fits = layer_kind(layer) in WITH_WEIGHTS and isinstance(norm, _BatchNorm) and norm.running_var is not None
    outputs = getattr(layer, "out_channels", getattr(layer, "out_features", None))
    return bool(fits and outputs == norm.num_features)


def _norms(model: nn.Module) -> set[str]:
    return {name for name, module in model.named_modules() if isinstance(module, _BatchNorm)}


def _outputs(
    model: nn.Module, names: list[str], batch: Any, input_of: Callable[[Any], Any] | None
) -> dict[str, list[Tensor]]:
    """Each layer's outputs in one pass, in the order in which they came."""
    outputs: dict[str, list[Tensor]] = {}

    def keep(name: str, _layer: nn.Module, _inputs: Any, output: Any) -> None:
        outputs.setdefault(name, []).append(first(output).detach().clone())  # later layers may work in place

    hooks = [model.get_submodule(name).register_forward_hook(partial(keep, name)) for name in names]
    try:
        call_with(model, batch, input_of)
    finally:
        for hook in hooks:
            hook.remove()
    return outputs


def _numpy(tensor: Tensor) -> Any:
    return tensor.double().cpu().numpy()
