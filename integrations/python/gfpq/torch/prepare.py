"""Puts quantization into a network."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize

from ..errors import some
from ..parameters import DATA, WEIGHT
from ..widths import DEFAULT_BITS, width_of
from .fake_quantize import FakeQuantize, Policy
from .fold import fold_pairs
from .functional import place_calls
from .layers import OWN, WEIGHT_IN_HOOK, WEIGHT_NOT_PASSED, QuantizedByCall, QuantizedLayer, class_for, not_supported
from .model import Call, QuantizedModel, State, enter, freeze_batchnorm, prepared_parts, spec_of
from .operations import WITH_WEIGHTS, layer_kind
from .optimizers import warn_of_optimizers
from .pairs import module_pairs, recorded_pairs
from .placed import remove
from .ranges import Range, range_of
from .record import record
from .recorded import Record, aligned
from .report import Report, report_of
from .running import assigned_forward
from .shared import check_shared
from .sites import CallSite, CallSites, call_sites
from .steady import difference


@dataclass(frozen=True)
class Placed:
    """One quantizer that `prepare` put in."""

    layer: str
    kind: str
    tensor: str  # DATA or WEIGHT
    bits: int
    groups: int


class Preparation(list[Placed]):
    """What `prepare` did, one Placed a quantizer; prints as a table. `report` has what it could not do, or not know.

    `new_parameters` are the biases that layers got from folding: an optimizer that was made before lacks them.
    """

    def __init__(self, placed: Iterable[Placed] = (), report: Report | None = None) -> None:
        super().__init__(placed)
        self.report = report or Report()
        self.new_parameters: list[str] = []

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("layer", "kind", "tensor", "bits", "Params")]
        rows += [(row.layer or "(model)", row.kind, row.tensor, str(row.bits), str(row.groups)) for row in self]
        new = f"new parameters: {some(self.new_parameters)}" if self.new_parameters else ""
        return "\n".join(filter(None, [aligned(rows), new, self.report.summary]))


def prepare(
    model: nn.Module, bits: int = DEFAULT_BITS, *, example_inputs: Any = None,
    layer_bits: Mapping[str, int] | None = None, data: bool = True, weights: bool = True,
    skip: str | Iterable[str] = (), fold: bool = False, split_depthwise: bool = False, train_batchnorm: bool = False,
    clip_gradient: bool = False, range: str | Range = "widest", process_group: Any = None, exact: bool = False,
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
    comes later is clipped more, so that it is often worse, most of all after calibration with few samples: of
    EfficientNet-Lite0, calibrated with 16 pictures, the outputs' error is 0.41 instead of 0.33 of their size.

    Parameters of BatchNorm are frozen (requires_grad False), as the guide says, unless `train_batchnorm`.

    Args:
        bits: a width of gfpq.widths.WIDTHS; `layer_bits` gives some layers, by name, another one. The name of a module
            stands for all layers and calls in it.
        example_inputs: what the model is called with: a tuple of arguments, a dict of keyword arguments, or one
            argument. The model runs once with them, in evaluation, and is recorded (see gfpq.torch.record).
        data, weights: quantize them.
        skip: names of layers and calls to leave as they are, or of modules, with all in them.
        fold: fold BatchNorm now, and train the folded weights; else BatchNorm stays in float and `export` folds it.
            Layers without bias get one: make the optimizer after, since one that was made before does not update these
            (it is warned of where it is found in the process; see `new_parameters` of what is returned).
        range, clip_gradient, process_group: see FakeQuantize.
        exact: in distributed training each quantizer finds the range of all ranks' joined batch before it uses it, by a
            reduction of its own. Else one reduction at the end of each forward pass gives all ranks the same ranges
            for the next step, and in the pass itself each rank's range is that of the steps before and of its own batch.

    Raises ValueError for a model that is prepared already, and for names that it has no layer for; NotSupportedError
    for a layer that can't be quantized; what fold_batchnorm raises. The model is then as it was.
    """
    _check_float(model)
    if isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
        raise ValueError(f"prepare the model before it becomes a {type(model).__name__}")
    if assigned_forward(model):
        raise ValueError("the model's `forward` was replaced by assignment: prepare it before that")
    layers = {name: layer for name, layer in model.named_modules() if layer_kind(layer)}
    skip, wanted_bits, choice = {skip} if isinstance(skip, str) else set(skip), dict(layer_bits or {}), range_of(range)
    for width in {bits, *wanted_bits.values()}:
        width_of(width)
    recorded = None if example_inputs is None else record(model, example_inputs)
    unsteady = "" if recorded is None else difference(model, example_inputs, recorded)
    left = {name for name in layers if recorded is not None and _is_bypassed(recorded, name)}
    left |= {name for key in skip for name in _under(key, layers)}
    calls = CallSites() if recorded is None or not data else call_sites(recorded, model, layers.keys() - left)
    names = [*layers, *(site.name for site in calls.found)]
    unknown = sorted(key for key in skip | set(wanted_bits) if not _under(key, names))
    if unknown:
        raise ValueError(f"no layer of NNIE's has the name {', '.join(unknown)}; there are {', '.join(names)}")
    skip = {name for key in skip for name in _under(key, names)}
    # The longest name is the most special.
    layer_bits = {name: wanted_bits[key] for key in sorted(wanted_bits, key=len) for name in _under(key, names)}

    if split_depthwise and data:
        warnings.warn("split_depthwise: a range for each channel is found from fewer numbers, and clips more of those "
                      "that come later. It is seldom better, since the steps of a wide range are as fine as those of a "
                      "narrow one: calibrate with many samples, and compare", stacklevel=2)
    done, classes = Preparation(), {}
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    placed: dict[str, dict[str, FakeQuantize]] = {}
    for name, layer in layers.items():
        if name in left:
            continue
        _check(name, layer)
        kind, width = str(layer_kind(layer)), layer_bits.get(name, bits)
        groups = getattr(layer, "groups", 1) if kind != "DepthwiseConv" or split_depthwise else 1
        classes[name], placed[name] = class_for(layer, name), {}
        if recorded is not None and issubclass(classes[name], QuantizedByCall):
            _check_calls(name, layer, model, recorded)
        if data:
            # Counted from the last axis: a layer also takes data without the axis of the batch.
            dim = -1 - len(layer.kernel_size) if hasattr(layer, "in_channels") else 1
            quantizer = FakeQuantize(
                width, range=choice, groups=groups, dim=dim, clip_gradient=clip_gradient, process_group=process_group,
                exact=exact,
            )  # fmt: skip
            placed[name][OWN[0]] = _named(quantizer, name, DATA, layer, device)
            done.append(Placed(name, kind, DATA, width, groups))
        if weights and hasattr(layer, "weight"):
            quantizer = FakeQuantize(width, Policy.ALWAYS_INIT, groups=groups, dim=0, clip_gradient=clip_gradient)
            placed[name][OWN[1]] = _named(quantizer, name, WEIGHT, layer, layer.weight.device)
            done.append(Placed(name, kind, WEIGHT, width, groups))

    check_shared(model, {name: own[OWN[1]] for name, own in placed.items() if OWN[1] in own}, recorded)

    def make(site: CallSite, number: int) -> FakeQuantize | None:
        if site.name in skip or site.module in placed:  # a layer with a `forward` of its own quantizes its input itself
            return None
        width = layer_bits.get(site.name, bits)
        quantizer = FakeQuantize(
            width, range=choice, clip_gradient=clip_gradient, process_group=process_group, exact=exact
        )
        quantizer.input_number = number
        done.append(Placed(site.name, site.kind, DATA, width, 1))
        return _named(quantizer, site.name, DATA, model.get_submodule(site.module), device)

    state = State(list(placed), sorted(set(layers) - set(placed)), sorted(skip), recorded)
    state.functions = recorded is not None or not data
    state.calls = recorded is not None and data
    if recorded is not None:
        with suppress(TypeError):
            state.inputs = spec_of(*_call_form(example_inputs))
    pairs = recorded_pairs(model, recorded) if recorded is not None else module_pairs(model)
    try:
        for name, own in placed.items():
            _place(layers[name], classes[name], own)
        place_calls(model, calls, make)
        if fold:
            folded = fold_pairs(model, example_inputs, recorded)
            state.folded, done.new_parameters = folded.folded, folded.new_parameters
    except BaseException:
        remove(model)
        raise
    done.report = report_of(recorded, calls, pairs, {row.layer for row in done}, skip)
    enter(model, state)
    for name, module in model.named_modules():
        if isinstance(module, FakeQuantize) and not module.name:  # placed by hand
            module.name = f"{name} {DATA}"
    if not train_batchnorm:
        state.frozen = freeze_batchnorm(model)
    if unsteady:
        warnings.warn(f"gfpq.torch: {unsteady}", stacklevel=2)
    _warn_of_order(calls, {row.layer for row in done})
    warn_of_optimizers(model, done.new_parameters, stacklevel=2)
    return done


def _warn_of_order(calls: CallSites, quantized: Collection[str]) -> None:
    """Warns of calls that only their order tells apart, where their inputs differ by more than an octave."""
    for group in calls.alike:
        group = [site for site in group if site.name in quantized]
        for sizes in zip(*(site.largest for site in group)):
            if max(sizes) > 2 * min(sizes):
                names, first = ", ".join(site.name for site in group), group[0]
                listed = ", ".join(f"{size:.3g}" for size in sizes)
                warnings.warn(
                    f"gfpq.torch: {names} in {first.module or 'the model'} ({first.site}) are known by their order alone, "
                    f"and their largest inputs differ: {listed}. Where training calls them in another order than "
                    "evaluation, each gets another's range. Keep the order, or call them in different lines, or leave "
                    "them in float (skip)", stacklevel=3,
                )  # fmt: skip
                break


def _check_float(model: nn.Module) -> None:
    """Raises ValueError for a model that is prepared already, or a part of it."""
    parts = sorted(prepared_parts(model))
    if isinstance(model, QuantizedModel) or (not parts and any(isinstance(m, QuantizedLayer) for m in model.modules())):
        raise ValueError("this model is prepared already")
    if parts:
        raise ValueError(
            f"its part {', '.join(parts)} is prepared already: gfpq.torch.remove(model), then prepare the whole "
            "(parameters stay as they are; ranges are found anew). Or prepare the other parts by themselves"
        )


def _is_bypassed(recorded: Record, name: str) -> bool:
    """Whether a layer is not called, but a function is given its weight, as nn.MultiheadAttention does."""
    return not recorded.modules[name].calls and bool(recorded.users(f"{name}.weight"))


def _under(key: str, names: Iterable[str]) -> list[str]:
    """The names that are this one, or lie in the module of this name."""
    return [name for name in names if name == key or name.startswith(f"{key}.")]


def _check_calls(name: str, layer: nn.Module, model: nn.Module, recorded: Record) -> None:
    """Raises NotSupportedError for a layer with a `forward` of its own that did not pass on its very weight, once."""
    calls: dict[int, list[bool]] = {number: [] for number in range(recorded.modules[name].calls)}
    parameters = {
        f"{path}.{key}" if path else key: parameter
        for path, module in model.named_modules(remove_duplicate=False)
        for key, parameter in module._parameters.items()
    }
    for operation in recorded.operations:
        if operation.caller == name and operation.kind in WITH_WEIGHTS:
            weight = parameters.get(operation.parameters.get("weight", ""))
            calls[operation.caller_call].append(weight is not None and weight is layer._parameters.get("weight"))
    if any(own != [True] for own in calls.values()) and not parametrize.is_parametrized(layer, "weight"):
        raise not_supported(name, layer, WEIGHT_NOT_PASSED)


def _call_form(example_inputs: Any) -> Call:
    """Example inputs as arguments and keyword arguments."""
    if isinstance(example_inputs, dict):
        return (), example_inputs
    return (example_inputs if isinstance(example_inputs, tuple) else (example_inputs,)), {}


def _check(name: str, layer: nn.Module) -> None:
    if any(hasattr(layer, key) for key in OWN):
        raise not_supported(name, layer, f"has an attribute {' or '.join(OWN)} of its own")
    computed = hasattr(layer, "weight") and "weight" not in layer._parameters
    if computed and not parametrize.is_parametrized(layer, "weight"):
        raise not_supported(name, layer, WEIGHT_IN_HOOK)
    if any(nn.parameter.is_lazy(parameter) for parameter in layer.parameters()):
        raise not_supported(name, layer, "is lazy and has no weight yet: run the model once first")


def _named(quantizer: FakeQuantize, name: str, tensor: str, layer: nn.Module, device: torch.device) -> FakeQuantize:
    quantizer.name = f"{name} {tensor}"
    return quantizer.train(layer.training).to(device)


def _place(layer: nn.Module, quantized_class: type, own: Mapping[str, FakeQuantize]) -> None:
    for key in OWN:
        layer.add_module(key, own.get(key))
    layer.__class__ = quantized_class
