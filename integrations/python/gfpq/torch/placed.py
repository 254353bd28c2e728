"""The quantizers of a prepared model: finding them, switching them, taking them out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim.swa_utils import AveragedModel

from ..errors import some
from ..parameters import DATA, WEIGHT
from .fake_quantize import FakeQuantize
from .finite import holding_nan
from .functional import remove_calls
from .layers import OWN, QuantizedLayer, class_for, original_class, original_of
from .model import QuantizedModel, leave

_RANGE = re.compile(r"(^|\.)((input_quantizer|weight_quantizer|call_quantizers\.[^.]+)\.range|call_quantizers\.calls)$")


def quantizers(model: nn.Module) -> Iterator[tuple[str, str, FakeQuantize]]:
    """The quantizers of a model: layer's name, DATA or WEIGHT, the module.

    One that was placed by hand counts as DATA of a layer of its own name.
    """
    owned = set()
    for name, module in model.named_modules():
        if isinstance(module, QuantizedLayer):
            for tensor, quantizer in ((DATA, module.input_quantizer), (WEIGHT, module.weight_quantizer)):
                if quantizer is not None:
                    owned.add(quantizer)
                    yield name, tensor, quantizer
        elif isinstance(module, FakeQuantize) and module not in owned:
            yield module.name.rpartition(" ")[0] or name, DATA, module


def weight_quantizers(model: nn.Module) -> dict[str, FakeQuantize]:
    """The quantizers of weights, by the layers' names."""
    return {name: quantizer for name, tensor, quantizer in quantizers(model) if tensor == WEIGHT}


def remove(model: nn.Module, *, keep_quantized: bool = False) -> None:
    """Takes the quantizers out again, in place. Leaves float weights, or with `keep_quantized` the quantized ones.

    A FakeQuantize that was placed by hand stays.
    """
    leave(model)
    remove_calls(model)
    if keep_quantized:
        quantize_weights(model)
    for layer in [module for module in model.modules() if isinstance(module, QuantizedLayer)]:
        layer.__class__ = _plain_class(layer)
        for key in OWN:
            delattr(layer, key)


@torch.no_grad()
def quantize_weights(model: nn.Module) -> None:
    """Puts the quantized weights in place of the float ones, and takes the quantizers of weights out."""
    layers = [module for module in model.modules() if isinstance(module, QuantizedLayer)]
    layers = [layer for layer in layers if layer.weight_quantizer is not None]
    quantized: dict[Any, Tensor] = {}
    for layer in layers:
        if _weight_of(layer) not in quantized:  # one that two layers share is quantized once
            quantized[_weight_of(layer)] = layer.quantized_weight()
    for layer in layers:
        weight = quantized[_weight_of(layer)]
        if parametrize.is_parametrized(layer, "weight"):
            layer.__class__ = _plain_class(layer)
            layer.__class__ = _class_of_its_own(layer, type(layer).__bases__)
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
            layer.__class__ = class_for(layer, "")
        layer.weight.copy_(weight)
        layer.weight_quantizer = None


def _weight_of(layer: nn.Module) -> Any:
    """What two layers with one weight have in common. A parametrized weight is computed, and each layer's own."""
    return layer._parameters.get("weight", layer)


def _plain_class(layer: nn.Module) -> type:
    """A quantized layer's class without this package's. PyTorch may have put one for a parametrization before it."""
    base = type(layer).__bases__[0]
    parametrized_since = parametrize.is_parametrized(layer) and original_class(layer) is type(layer)
    if parametrized_since and issubclass(base, QuantizedLayer):
        return _class_of_its_own(layer, (original_of(base),))
    return original_class(layer)


def _class_of_its_own(layer: nn.Module, bases: tuple[type, ...]) -> type:
    """A copy of a parametrized layer's class.

    PyTorch makes a class for each parametrized layer, shares it with the layer's deep copies, and takes the property
    `weight` from it when one of them is no longer parametrized: the others would lose theirs.
    """
    shared = type(layer)
    content = {key: value for key, value in vars(shared).items() if key not in ("__dict__", "__weakref__")}
    return type(shared.__name__, bases, content)


def float_state(state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """A prepared model's state_dict without the ranges: it loads strictly into the float model."""
    return {key: value for key, value in state_dict.items() if not _RANGE.search(key)}


@contextmanager
def only(model: nn.Module, *, data: bool = True, weights: bool = True) -> Iterator[None]:
    """Within it only data, or only weights, or nothing is quantized: the guide's way to find what costs accuracy.

    Copies and files that are made of the model within it are quantized as the model is outside.
    """
    wanted = {DATA: data, WEIGHT: weights}
    switched = [quantizer for _, tensor, quantizer in quantizers(model) if not wanted[tensor]]
    for quantizer in switched:
        quantizer.switched_off += 1
    try:
        yield
    finally:
        for quantizer in switched:
            quantizer.switched_off -= 1


def check_not_switched(model: nn.Module, what: str, tensors: Collection[str] = (DATA, WEIGHT)) -> None:
    """Raises ValueError where quantizers are switched off by `only`."""
    if any(quantizer.switched_off for _, tensor, quantizer in quantizers(model) if tensor in tensors):
        raise ValueError(f"{what} within `only` would be that of a network that is quantized in part: call it outside")


def check_enabled(model: nn.Module, what: str) -> None:
    """Raises ValueError where quantizers are disabled."""
    names = [f"{name} {tensor}" for name, tensor, quantizer in quantizers(model) if not quantizer.enabled]
    if names:
        raise ValueError(f"{some(names)}: disabled (enabled=False), and {what} would be that of another network. Enable "
                         "them, or leave them in float: gfpq.torch.prepare(..., skip=[name])")  # fmt: skip


def check(model: nn.Module) -> None:
    """Looks at what the GPU found in training, which does not wait for it.

    Raises BadParametersError where a range is damaged, NaN for instance: what the GPU found so it left out, and the
    steps since are to be repeated from a checkpoint. Reading `params` and `state_dict()` raise the same. Warns of
    quantizers that met infinite numbers since the last look, and of parameters and statistics that hold NaN or infinite
    numbers.
    """
    for module in model.modules():
        if isinstance(module, FakeQuantize):
            module.check()
            module.warn_of_left_out()
    remark = holding_nan(model)
    if remark:
        warnings.warn(remark, RuntimeWarning, stacklevel=2)


def is_prepared(model: nn.Module) -> bool:
    """Whether a model, or a part of it, is prepared, or has quantizers that were placed by hand."""
    return any(isinstance(module, (QuantizedLayer, QuantizedModel, FakeQuantize)) for module in model.modules())


def unwrapped(model: nn.Module) -> nn.Module:
    """The model that PyTorch's own wrappers (AveragedModel, DataParallel, DistributedDataParallel, torch.compile's) hold:
    what `prepare` recorded is known by its names, and not by theirs."""
    wrappers = (AveragedModel, nn.DataParallel, nn.parallel.DistributedDataParallel)
    while isinstance(model, wrappers) or type(model).__module__ == "torch._dynamo.eval_frame":
        held: Any = model.module if isinstance(model, wrappers) else model._orig_mod
        model = held
    return model


def check_prepared(model: nn.Module) -> None:
    """Raises ValueError for a float model."""
    if not is_prepared(model):
        raise ValueError("this model is not prepared, and nothing of it would be quantized: call "
                         "gfpq.torch.prepare(model) first. Of an exported network take the Export, or its twin")
