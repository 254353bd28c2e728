"""Puts quantization into a network, finds it, switches it and calibrates it."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils import parametrize

from ..parameters import DATA, WEIGHT
from .fake_quantize import FakeQuantize, Policy

_POOLING = tuple(
    getattr(nn, f"{kind}Pool{n}d") for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg") for n in (1, 2, 3)
)
_INPUT = "input_quantizer"


@dataclass(frozen=True)
class Placed:
    """One quantizer that `prepare` put in."""

    layer: str
    kind: str
    tensor: str  # DATA or WEIGHT
    bits: int
    groups: int


class Preparation(list):
    """What `prepare` did, one Placed a quantizer; prints as a table."""

    def __str__(self) -> str:
        rows = [("layer", "kind", "tensor", "bits", "Params")]
        rows += [(row.layer or "(model)", row.kind, row.tensor, str(row.bits), str(row.groups)) for row in self]
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def layer_kind(layer: nn.Module) -> str | None:
    """NNIE's name for a layer whose data it quantizes, None for any other module."""
    if isinstance(layer, _ConvNd):
        if layer.groups > 1 and layer.groups == layer.in_channels:
            return "DepthwiseConv"
        return "Deconvolution" if isinstance(layer, _ConvTransposeNd) else "Convolution"
    if isinstance(layer, nn.Linear):
        return "InnerProduct"
    return "Pooling" if isinstance(layer, _POOLING) else None


def prepare(
    model: nn.Module, bits: int = 8, *, layer_bits: Mapping[str, int] | None = None, data: bool = True,
    weights: bool = True, skip: Iterable[str] = (), split_depthwise: bool = False, train_batchnorm: bool = False,
    clip_gradient: bool = False, process_group: Any = None,
) -> Preparation:
    """Puts quantizers into a float model, in place, and lists them.

    Before every layer that NNIE quantizes (Conv, ConvTranspose, Linear, Pooling) its data gets a FakeQuantize, the
    layer's submodule `input_quantizer`. A layer's weights are quantized through torch.nn.utils.parametrize: the layer
    sees quantized weights, the optimizer updates the float copy `parametrizations.weight.original`. A grouped
    convolution has one Param a group. A depthwise one is a layer of its own on NNIE and has one Param, or, with
    `split_depthwise`, one a channel. Functions, such as torch.nn.functional.max_pool2d, can't be seen: use modules.

    Create the optimizer after this. Quantization state is in buffers, where optimizers do not look; parameters of
    BatchNorm are frozen (requires_grad False), as the guide says, unless `train_batchnorm`.

    Args:
        bits: 8 or 16; `layer_bits` gives some layers, by name, another width.
        data, weights: quantize them.
        skip: names of layers to leave as they are.
        clip_gradient, process_group: see FakeQuantize.

    Raises ValueError for a model that is prepared already, and for names that it has no layer for.
    """
    if any(True for _ in quantizers(model)):
        raise ValueError("this model is prepared already")
    layers = {name: layer for name, layer in model.named_modules() if layer_kind(layer)}
    skip, layer_bits = set(skip), dict(layer_bits or {})
    unknown = sorted((skip | set(layer_bits)) - set(layers))
    if unknown:
        raise ValueError(f"no layer of NNIE's has the name {', '.join(unknown)}; there are {', '.join(layers)}")

    done = Preparation()
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    for name, layer in layers.items():
        if name in skip:
            continue
        kind, width = str(layer_kind(layer)), layer_bits.get(name, bits)
        groups = getattr(layer, "groups", 1) if kind != "DepthwiseConv" or split_depthwise else 1
        if data:
            # Counted from the last axis: a layer also takes data without the axis of the batch.
            dim = -1 - len(layer.kernel_size) if isinstance(layer, _ConvNd) else 1
            quantizer = FakeQuantize(
                width, groups=groups, dim=dim, clip_gradient=clip_gradient, process_group=process_group
            )
            _place(quantizer, f"{name} {DATA}", layer, device)
            setattr(layer, _INPUT, quantizer)
            layer.register_forward_pre_hook(_quantize_input)
            done.append(Placed(name, kind, DATA, width, groups))
        if weights and hasattr(layer, "weight"):
            quantizer = FakeQuantize(width, Policy.ALWAYS_INIT, groups=groups, dim=0, clip_gradient=clip_gradient)
            _place(quantizer, f"{name} {WEIGHT}", layer, layer.weight.device)
            parametrize.register_parametrization(layer, "weight", quantizer)
            done.append(Placed(name, kind, WEIGHT, width, groups))
    if not train_batchnorm:
        for module in model.modules():
            if isinstance(module, _BatchNorm):
                module.requires_grad_(False)
    return done


def _place(quantizer: FakeQuantize, name: str, layer: nn.Module, device: torch.device) -> None:
    quantizer.name = name
    quantizer.train(layer.training).to(device)


def _quantize_input(layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return (getattr(layer, _INPUT)(inputs[0]), *inputs[1:])


def quantizers(model: nn.Module) -> Iterator[tuple[str, str, FakeQuantize]]:
    """The quantizers that `prepare` put in: layer's name, DATA or WEIGHT, the module."""
    for name, layer in model.named_modules():
        if isinstance(getattr(layer, _INPUT, None), FakeQuantize):
            yield name, DATA, getattr(layer, _INPUT)
        if parametrize.is_parametrized(layer, "weight"):
            for quantizer in layer.parametrizations["weight"]:
                if isinstance(quantizer, FakeQuantize):
                    yield name, WEIGHT, quantizer


def float_weight(layer: Any) -> Tensor:
    """A layer's weight before quantization: what the optimizer updates."""
    if parametrize.is_parametrized(layer, "weight"):
        return layer.parametrizations["weight"].original
    return layer.weight


def remove(model: nn.Module, *, keep_quantized: bool = False) -> None:
    """Takes the quantizers out again, in place. Leaves float weights, or with `keep_quantized` the quantized ones."""
    for layer in model.modules():
        if isinstance(getattr(layer, _INPUT, None), FakeQuantize):
            delattr(layer, _INPUT)
            for key, hook in list(layer._forward_pre_hooks.items()):
                if hook is _quantize_input:
                    del layer._forward_pre_hooks[key]
        if parametrize.is_parametrized(layer, "weight"):
            _give_own_class(layer)
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=keep_quantized)


def _give_own_class(layer: nn.Module) -> None:
    """Parts a layer's class from that of its copies.

    PyTorch makes a class for each parametrized layer, shares it with the layer's deep copies, and takes the property
    `weight` from it when one of them is no longer parametrized: the others would lose theirs.
    """
    shared = type(layer)
    content = {key: value for key, value in vars(shared).items() if key not in ("__dict__", "__weakref__")}
    layer.__class__ = type(shared.__name__, shared.__bases__, content)


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


def calibrate(model: nn.Module, batches: Iterable[Any]) -> None:
    """Finds the ranges of data for a network that is not to be trained: post-training quantization.

    The quantizers see the batches as in training, everything else (BatchNorm, Dropout) as in evaluation; no gradient,
    no weight changes. A batch is a tensor, or a tuple whose first item is one.
    """
    with evaluating(model), torch.no_grad():
        for _, _, quantizer in quantizers(model):
            quantizer.train()
        for batch in batches:
            model(first(batch))


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Puts the model into evaluation, and each of its modules back to what it was."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def first(batch: Any) -> Any:
    """A batch's input."""
    return batch[0] if isinstance(batch, (tuple, list)) else batch
