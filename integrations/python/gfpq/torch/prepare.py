"""Puts quantization into a network, finds it, switches it and takes it out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize

from ..parameters import DATA, WEIGHT
from ..widths import DEFAULT_BITS, width_of
from .fake_quantize import FakeQuantize, Policy
from .fold import fold_batchnorm
from .functional import CallSite, CallSites, call_sites, place_calls, remove_calls
from .layers import QuantizedLayer, class_for, not_supported, original_class, original_of
from .model import Call, QuantizedModel, State, enter, leave, spec_of
from .operations import layer_kind
from .pairs import module_pairs, recorded_pairs
from .ranges import Range, range_of
from .record import record
from .recorded import Record, aligned
from .report import Report, report_of
from .running import assigned_forward

_OWN = ("input_quantizer", "weight_quantizer")
_RANGE = re.compile(r"(^|\.)(input_quantizer|call_quantizers\.[^.]+)\.range$")


@dataclass(frozen=True)
class Placed:
    """One quantizer that `prepare` put in."""

    layer: str
    kind: str
    tensor: str  # DATA or WEIGHT
    bits: int
    groups: int


class Preparation(list[Placed]):
    """What `prepare` did, one Placed a quantizer; prints as a table. `report` has what it could not do, or not know."""

    def __init__(self, placed: Iterable[Placed] = (), report: Report | None = None) -> None:
        super().__init__(placed)
        self.report = report or Report()

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("layer", "kind", "tensor", "bits", "Params")]
        rows += [(row.layer or "(model)", row.kind, row.tensor, str(row.bits), str(row.groups)) for row in self]
        return aligned(rows)


def prepare(
    model: nn.Module, bits: int = DEFAULT_BITS, *, example_inputs: Any = None,
    layer_bits: Mapping[str, int] | None = None, data: bool = True, weights: bool = True, skip: Iterable[str] = (),
    fold: bool = False, split_depthwise: bool = False, train_batchnorm: bool = False, clip_gradient: bool = False,
    range: str | Range = "widest", process_group: Any = None,
) -> Preparation:
    """Puts quantizers into a float model, in place, and lists them.

    Every layer that NNIE quantizes (Conv, ConvTranspose, Linear, pooling, Upsample) becomes a layer of
    gfpq.torch.layers: the same object with the same parameters, whose `forward` quantizes its input with its submodule
    `input_quantizer` and its weight with `weight_quantizer`. The optimizer updates the weight, in float. With
    `example_inputs` the inputs of functions are quantized too: Concat, Eltwise, Upsample, pooling (see
    gfpq.torch.functional); they have the names that the recorded pass gives them. A grouped convolution has one Param
    a group. A depthwise one is a layer of its own on NNIE and has one Param, or, with `split_depthwise`, one a channel:
    that keeps numbers that lie more octaves below the tensor's largest than the width has, and nothing else becomes
    finer, for GFPQ's steps are the same in all ranges. But a channel's range is found from fewer numbers, and what
    comes later is clipped more, so that it is often worse, most of all after calibration with few samples.

    Parameters of BatchNorm are frozen (requires_grad False), as the guide says, unless `train_batchnorm`.

    Args:
        bits: a width of gfpq.widths.WIDTHS; `layer_bits` gives some layers, by name, another one.
        example_inputs: what the model is called with: a tuple of arguments, a dict of keyword arguments, or one
            argument. The model runs once with them, in evaluation, and is recorded (see gfpq.torch.record).
        data, weights: quantize them.
        skip: names of layers and calls to leave as they are.
        fold: fold BatchNorm now, and train the folded weights; else BatchNorm stays in float and `export` folds it.
        range, clip_gradient, process_group: see FakeQuantize.

    Raises ValueError for a model that is prepared already, and for names that it has no layer for; NotSupportedError
    for a layer that can't be quantized; what fold_batchnorm raises. The model is then as it was.
    """
    if any(isinstance(module, (QuantizedLayer, QuantizedModel)) for module in model.modules()):
        raise ValueError("this model is prepared already")
    if isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
        raise ValueError(f"prepare the model before it becomes a {type(model).__name__}")
    if assigned_forward(model):
        raise ValueError("the model's `forward` was replaced by assignment: prepare it before that")
    layers = {name: layer for name, layer in model.named_modules() if layer_kind(layer)}
    skip, layer_bits, choice = set(skip), dict(layer_bits or {}), range_of(range)
    for width in {bits, *layer_bits.values()}:
        width_of(width)
    recorded = None if example_inputs is None else record(model, example_inputs)
    calls = CallSites() if recorded is None or not data else call_sites(recorded, model)
    names = [*layers, *(site.name for site in calls.found)]
    unknown = sorted((skip | set(layer_bits)) - set(names))
    if unknown:
        raise ValueError(f"no layer of NNIE's has the name {', '.join(unknown)}; there are {', '.join(names)}")

    if split_depthwise and data:
        warnings.warn("split_depthwise: a range for each channel is found from fewer numbers, and clips more of those "
                      "that come later. It is seldom better, since the steps of a wide range are as fine as those of a "
                      "narrow one: calibrate with many samples, and compare", stacklevel=2)
    done, classes = Preparation(), {}
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    placed: dict[str, dict[str, FakeQuantize]] = {}
    for name, layer in layers.items():
        if name in skip or (recorded is not None and _is_bypassed(recorded, name)):
            continue
        _check(name, layer)
        kind, width = str(layer_kind(layer)), layer_bits.get(name, bits)
        groups = getattr(layer, "groups", 1) if kind != "DepthwiseConv" or split_depthwise else 1
        classes[name], placed[name] = class_for(layer, name), {}
        if data:
            # Counted from the last axis: a layer also takes data without the axis of the batch.
            dim = -1 - len(layer.kernel_size) if hasattr(layer, "in_channels") else 1
            quantizer = FakeQuantize(
                width, range=choice, groups=groups, dim=dim, clip_gradient=clip_gradient, process_group=process_group
            )
            placed[name][_OWN[0]] = _named(quantizer, name, DATA, layer, device)
            done.append(Placed(name, kind, DATA, width, groups))
        if weights and hasattr(layer, "weight"):
            quantizer = FakeQuantize(width, Policy.ALWAYS_INIT, groups=groups, dim=0, clip_gradient=clip_gradient)
            placed[name][_OWN[1]] = _named(quantizer, name, WEIGHT, layer, layer.weight.device)
            done.append(Placed(name, kind, WEIGHT, width, groups))

    def make(site: CallSite, number: int) -> FakeQuantize | None:
        if site.name in skip or site.module in placed:  # a layer with a `forward` of its own quantizes its input itself
            return None
        width = layer_bits.get(site.name, bits)
        quantizer = FakeQuantize(width, range=choice, clip_gradient=clip_gradient, process_group=process_group)
        quantizer.input_number = number
        done.append(Placed(site.name, site.kind, DATA, width, 1))
        return _named(quantizer, site.name, DATA, model.get_submodule(site.module), device)

    state = State(list(placed), sorted(set(layers) - set(placed)), recorded)
    if recorded is not None:
        with suppress(TypeError):
            state.inputs = spec_of(*_call_form(example_inputs))
    pairs = recorded_pairs(model, recorded) if recorded is not None else module_pairs(model)
    try:
        for name, own in placed.items():
            _place(layers[name], classes[name], own)
        place_calls(model, calls, make)
        if fold:
            state.folded = fold_batchnorm(model, example_inputs, record=recorded).folded
    except BaseException:
        remove(model)
        raise
    done.report = report_of(recorded, calls, pairs, {row.layer for row in done}, skip)
    enter(model, state)
    for name, module in model.named_modules():
        if isinstance(module, FakeQuantize) and not module.name:  # placed by hand
            module.name = f"{name} {DATA}"
        if isinstance(module, _BatchNorm) and not train_batchnorm:
            module.requires_grad_(False)
    return done


def _is_bypassed(recorded: Record, name: str) -> bool:
    """Whether a layer is not called, but a function is given its weight, as nn.MultiheadAttention does."""
    return not recorded.modules[name].calls and bool(recorded.users(f"{name}.weight"))


def _call_form(example_inputs: Any) -> Call:
    """Example inputs as arguments and keyword arguments."""
    if isinstance(example_inputs, dict):
        return (), example_inputs
    return (example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)), {}


def _check(name: str, layer: nn.Module) -> None:
    if any(hasattr(layer, key) for key in _OWN):
        raise not_supported(name, layer, f"has an attribute {' or '.join(_OWN)} of its own")
    computed = hasattr(layer, "weight") and "weight" not in layer._parameters
    if computed and not parametrize.is_parametrized(layer, "weight"):
        raise not_supported(name, layer, "computes its weight in a hook (torch.nn.utils.weight_norm?): remove that "
                                         "first, or use torch.nn.utils.parametrizations")
    if any(nn.parameter.is_lazy(parameter) for parameter in layer.parameters()):
        raise not_supported(name, layer, "is lazy and has no weight yet: run the model once first")


def _named(quantizer: FakeQuantize, name: str, tensor: str, layer: nn.Module, device: torch.device) -> FakeQuantize:
    quantizer.name = f"{name} {tensor}"
    return quantizer.train(layer.training).to(device)


def _place(layer: nn.Module, quantized_class: type, own: Mapping[str, FakeQuantize]) -> None:
    for key in _OWN:
        layer.add_module(key, own.get(key))
    layer.__class__ = quantized_class


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
        for key in _OWN:
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
    """Within it only data, or only weights, or nothing is quantized: the guide's way to find what costs accuracy."""
    wanted = {DATA: data, WEIGHT: weights}
    before = [(quantizer, quantizer.enabled) for _, _, quantizer in quantizers(model)]
    for _, tensor, quantizer in quantizers(model):
        quantizer.enabled = quantizer.enabled and wanted[tensor]
    try:
        yield
    finally:
        for quantizer, enabled in before:
            quantizer.enabled = enabled
