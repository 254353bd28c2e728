"""Folding BatchNorm into the layer before it, as NNIE does at inference."""

from __future__ import annotations

from typing import Any, Iterable

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from .prepare import float_weight, layer_kind

Pairs = list  # of (layer's name, BatchNorm's name)


def fold_batchnorm(model: nn.Module, pairs: Iterable[tuple[str, str]] | None = None) -> Pairs:
    """Folds each BatchNorm, in place, into the Conv, ConvTranspose or Linear whose output it alone takes.

    The float weights and the bias change, and an Identity takes BatchNorm's place: in evaluation the network computes
    what it did, up to rounding. In a prepared model the weights are from then on quantized as folded.

    Args:
        pairs: (layer's name, BatchNorm's name) to fold. Default: found by torch.fx, or, in a model that torch.fx can't
            trace, the neighbours in each nn.Sequential.

    Returns the pairs that were folded. Raises ValueError for a pair that can't be folded.
    """
    chosen = list(find_pairs(model) if pairs is None else pairs)
    for layer_name, norm_name in chosen:
        _fold(model, layer_name, norm_name)
    return chosen


class _LayerTracer(fx.Tracer):
    """Sees layers as they are, with no look at hooks and quantizers inside."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return layer_kind(module) is not None or super().is_leaf_module(module, name)


def find_pairs(model: nn.Module) -> Pairs:
    """The pairs that `fold_batchnorm` folds by default."""
    try:
        graph = _LayerTracer().trace(model)
    except Exception:  # torch.fx lets through whatever the model's Python code does with a symbolic value
        return _neighbours(model)
    modules = dict(model.named_modules())
    calls = [node.target for node in graph.nodes if node.op == "call_module"]
    pairs = []
    for node in graph.nodes:
        source = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(source, fx.Node) or source.op != "call_module" or len(source.users) != 1:
            continue
        if calls.count(node.target) == calls.count(source.target) == 1:
            if _foldable(modules[source.target], modules[node.target]):
                pairs.append((source.target, node.target))
    return pairs


def _neighbours(model: nn.Module) -> Pairs:
    pairs = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Sequential):
            children = [(f"{name}.{key}" if name else key, child) for key, child in module.named_children()]
            for (layer_name, layer), (norm_name, norm) in zip(children, children[1:]):
                if _foldable(layer, norm):
                    pairs.append((layer_name, norm_name))
    return pairs


def _foldable(layer: nn.Module, norm: nn.Module) -> bool:
    return isinstance(layer, (_ConvNd, nn.Linear)) and isinstance(norm, _BatchNorm) and norm.running_mean is not None


@torch.no_grad()
def _fold(model: nn.Module, layer_name: str, norm_name: str) -> None:
    layer: Any = model.get_submodule(layer_name)
    norm: Any = model.get_submodule(norm_name)
    if not _foldable(layer, norm):
        raise ValueError(f"{norm_name} can't be folded into {layer_name}: it takes a BatchNorm with running statistics "
                         "after a Conv, ConvTranspose or Linear")
    weight = float_weight(layer)
    scale = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight
    shift = -norm.running_mean * scale
    if norm.bias is not None:
        shift = shift + norm.bias
    if layer.bias is None:
        layer.bias = nn.Parameter(shift.to(weight.dtype))
    else:
        layer.bias.copy_(layer.bias * scale + shift)
    weight.copy_(weight * _by_output(scale, layer, weight))

    parent_name, _, key = norm_name.rpartition(".")
    replacement = nn.Identity().train(norm.training)
    parent = model.get_submodule(parent_name)
    if isinstance(parent, (nn.Sequential, nn.ModuleList, nn.ModuleDict)):
        parent._modules[key] = replacement
    else:
        setattr(parent, key, replacement)


def _by_output(scale: torch.Tensor, layer: Any, weight: torch.Tensor) -> torch.Tensor:
    """The scale of each output channel, in a shape to multiply the weight with."""
    if not isinstance(layer, _ConvTransposeNd):  # [out, in / groups, ...]
        return scale.view(-1, *[1] * (weight.dim() - 1))
    # [in, out / groups, ...]: the rows of a group lead to that group's outputs.
    rows = scale.view(layer.groups, -1).repeat_interleave(layer.in_channels // layer.groups, dim=0)
    return rows.view(*rows.shape, *[1] * (weight.dim() - 2))
