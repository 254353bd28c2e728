"""Which BatchNorm can be folded into the layer before it, and why others can't."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.fx._symbolic_trace import Tracer
from torch.fx.graph import Graph
from torch.fx.node import Node
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.instancenorm import _InstanceNorm

from .operations import layer_kind
from .record import sharing_memory
from .recorded import Operation, Record
from .running import is_quantizer, own_forward, untouched

_LAYERS = ("Convolution", "DepthwiseConv", "Deconvolution", "InnerProduct")


@dataclass
class Pairs:
    """(layer's path, BatchNorm's path) that can be folded, and for each other BatchNorm the reason."""

    found: list[tuple[str, str]] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)  # what could not be found out


class _UnfitError(Exception):
    """Its text says why a BatchNorm can't be folded."""


def recorded_pairs(model: nn.Module, recorded: Record) -> Pairs:
    """What a recorded pass proves."""
    pairs = Pairs()
    for name, norm in _norms(model):
        try:
            pairs.found.append((_layer_before(model, recorded, name, norm), name))
        except _UnfitError as reason:
            pairs.reasons[name] = str(reason)
    for operation in recorded.operations:
        if operation.kind == "BatchNorm" and operation.module is None and operation.caller not in pairs.reasons:
            pairs.reasons.setdefault(operation.place, "a function is called, there is no module to take out")
    pairs.reasons.update(_foreign(model))
    return pairs


def _layer_before(model: nn.Module, recorded: Record, name: str, norm: _BatchNorm) -> str:
    _check_norm(name, norm)
    calls = [operation for operation in recorded.operations if operation.module == name]
    if not calls:
        raise _UnfitError("it was not called in the recorded pass")
    if any(operation.attributes["training"] for operation in calls):
        raise _UnfitError("it takes the statistics of the batch, in evaluation too")
    own = {value for operation in calls for value in operation.parameters.values()}
    others = [user.name for value in own for user in recorded.users(value) if user.module != name]
    if others:
        raise _UnfitError(f"its parameters are also read by {others[0]}")
    producers = [_source(model, recorded, operation) for operation in calls]
    layer_name = str(producers[0].layer)
    if any(producer.layer != layer_name for producer in producers):
        names = ", ".join(sorted({str(producer.layer) for producer in producers}))
        raise _UnfitError(f"it is called behind several layers: {names}")
    uses = recorded.of_module(layer_name)
    if {use.index for use in uses} != {producer.index for producer in producers}:
        raise _UnfitError(f"{layer_name} is called {len(uses)} times in a pass, {len(producers)} of them before it")
    for producer in producers:
        _check_layer(model.get_submodule(layer_name), layer_name, producer, norm)
        shape = recorded.values[producer.outputs[0]].shape
        axes = 2 + len(producer.attributes.get("kernel_size", ()))  # a layer also takes data without a batch's axis
        if len(shape) != axes or shape[1] != norm.num_features:
            raise _UnfitError(f"its channels are not the outputs of {layer_name}")
    for key in ("weight", "bias"):
        _check_unshared(recorded, layer_name, key, {producer.index for producer in producers})
    return layer_name


def _source(model: nn.Module, recorded: Record, operation: Operation) -> Operation:
    """The call of the layer whose output this call of a BatchNorm alone reads."""
    value = operation.inputs[0]
    producer = recorded.producer(value)
    if producer is None:
        raise _UnfitError("its input is no layer's output")
    if producer.kind not in _LAYERS:
        raise _UnfitError(f"its input comes from {producer.name} ({producer.kind or producer.function})")
    if producer.layer is None:
        raise _UnfitError(f"the weight of {producer.name} is not a parameter of a layer")
    for reader in recorded.readers(value):
        if reader.index == operation.index:
            continue
        if not reader.passes_through or reader.kind == "Dropout":
            raise _UnfitError(f"the output of {producer.name} is also read by {reader.name}")
        if reader.module is not None:
            _check_hooks(model.get_submodule(reader.module), reader.module)
    if value in recorded.outputs:
        raise _UnfitError(f"the output of {producer.name} is an output of the network")
    if recorded.values[value].kept:
        raise _UnfitError(f"the output of {producer.name} is kept beyond the pass, by a hook or an attribute")
    return producer


def _check_layer(layer: Any, name: str, call: Operation | None, norm: _BatchNorm) -> None:
    """`call` is how a pass called it, where there is one."""
    if not isinstance(layer, (_ConvNd, nn.Linear)):
        raise _UnfitError(f"{name} is a {type(layer).__name__}, not a layer of torch.nn's")
    _check_hooks(layer, name, inputs=False)
    weight, bias = layer._parameters.get("weight"), layer._parameters.get("bias")
    if weight is None or (call is not None and "weight" not in call.parameters):
        raise _UnfitError(f"the weight of {name} is computed, not a parameter")
    if bias is None and (getattr(layer, "bias", None) is not None or "bias" not in layer._parameters):
        raise _UnfitError(f"the bias of {name} is computed, not a parameter")
    if call is not None and bias is not None and call.parameters.get("bias", "").rpartition(".")[0] != name:
        raise _UnfitError(f"{name} does not use its own bias")
    outputs = layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels
    if not weight.is_floating_point() or outputs != norm.num_features:
        raise _UnfitError(f"its channels are not the outputs of {name}")


def _check_norm(name: str, norm: _BatchNorm) -> None:
    if own_forward(norm):
        raise _UnfitError(f"{type(norm).__name__} computes something of its own")
    if norm.running_mean is None or norm.running_var is None:
        raise _UnfitError("it keeps no running statistics")
    numbers = [tensor for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias) if tensor is not None]
    if any(bool((~tensor.isfinite()).any()) for tensor in numbers) or float(norm.running_var.min()) <= -norm.eps:
        raise _UnfitError("its statistics or parameters are not finite numbers")
    _check_hooks(norm, name)


def _check_hooks(module: nn.Module, name: str, inputs: bool = True) -> None:
    """Hooks may read what folding changes. Those before a layer see its input, which stays."""
    backward = [module._backward_hooks, getattr(module, "_backward_pre_hooks", {})]
    hooks = [module._forward_hooks, *backward, *([module._forward_pre_hooks] if inputs else [])]
    if any(hooks):
        raise _UnfitError(f"a hook of {name} sees what folding would change")


def _check_unshared(recorded: Record, layer: str, key: str, calls: set[int]) -> None:
    name = f"{layer}.{key}" if layer else key
    own = {f"{path}.{key}" if path else key for path in (layer, *recorded.modules[layer].aliases)}
    others = [other for group in recorded.tied if name in group for other in group if other not in own]
    others += [user.name for user in recorded.users(name) if user.index not in calls]
    if others:
        raise _UnfitError(f"the {key} of {layer} is also used by {others[0]}")


def module_pairs(model: nn.Module) -> Pairs:
    """What is known without a pass: torch.fx's graph or, where it can't trace, the order in plain nn.Sequentials."""
    try:
        with untouched(model):
            graph = _LayerTracer().trace(model.eval())
    except Exception as error:  # torch.fx lets through whatever the model's Python code does with a symbolic value
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        known = f"without example_inputs: torch.fx can't trace the model ({reason})"
        pairs = _checked(model, dict(_chain(model, "")), f"{known}, and no plain nn.Sequential tells what it follows")
        pairs.unknown.append(f"{known}: only plain nn.Sequentials, from the model inwards, tell what follows what")
    else:
        pairs = _checked(model, dict(_graph_pairs(graph)), "it does not follow a layer whose output it alone reads, or "
                                                           "one of the two is called more than once")  # fmt: skip
        pairs.unknown.append("without example_inputs: what the model does with other branches of its code is not known")
    pairs.unknown.append("without example_inputs: that the network computes the same was not verified")
    return pairs


def _checked(model: nn.Module, candidates: dict[str, str], otherwise: str) -> Pairs:
    """`candidates`: BatchNorm's path to the layer's."""
    pairs, modules = Pairs(), dict(model.named_modules(remove_duplicate=False))
    tied = sharing_memory(list(_tensors(model)))
    paths = Counter(id(module) for _, module in model.named_modules(remove_duplicate=False))
    for name, norm in _norms(model):
        try:
            _check_norm(name, norm)
            if name not in candidates:
                raise _UnfitError(otherwise)
            layer = candidates[name]
            if paths[id(modules[layer])] > 1 or paths[id(norm)] > 1:
                raise _UnfitError(f"it or {layer} is in several places: give example_inputs")
            _check_containers(model, layer, name)
            if own_forward(modules[layer]):
                raise _UnfitError(f"{layer} has a forward of its own: give example_inputs")
            _check_layer(modules[layer], layer, None, norm)
            if isinstance(modules[layer], nn.Linear) and not isinstance(norm, nn.BatchNorm1d):
                raise _UnfitError(f"its channels are not the outputs of {layer}")
            for group in tied:
                shared = [other for other in group if other not in (f"{layer}.weight", f"{layer}.bias")]
                if shared and len(shared) < len(group):
                    raise _UnfitError(f"the weight of {layer} is also used as {shared[0]}")
            pairs.found.append((layer, name))
        except _UnfitError as reason:
            pairs.reasons[name] = str(reason)
    pairs.reasons.update(_foreign(model))
    return pairs


def _check_containers(model: nn.Module, layer: str, norm: str) -> None:
    """Modules that the layer is in and BatchNorm is not may return the layer's output, and hooks of theirs see it."""
    keys = layer.split(".")
    for length in range(1, len(keys)):
        path = ".".join(keys[:length])
        if not norm.startswith(path + "."):
            _check_hooks(model.get_submodule(path), path, inputs=False)


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for name, module in model.named_modules(remove_duplicate=False):
        for key, tensor in [*module._parameters.items(), *module._buffers.items()]:
            if tensor is not None:
                yield f"{name}.{key}" if name else key, tensor


class _LayerTracer(Tracer):
    """Sees layers as they are, with no look at hooks and quantizers inside."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return layer_kind(module) is not None or is_quantizer(module) or super().is_leaf_module(module, name)


def _graph_pairs(graph: Graph) -> Iterator[tuple[str, str]]:
    calls = [node.target for node in graph.nodes if node.op == "call_module"]
    read = {str(node.target).rpartition(".")[0] for node in graph.nodes if node.op == "get_attr"}
    for node in graph.nodes:
        source = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(source, Node) or source.op != "call_module" or len(source.users) != 1:
            continue
        if calls.count(node.target) == calls.count(source.target) == 1 and not {node.target, source.target} & read:
            yield str(node.target), str(source.target)


def _chain(module: nn.Module, name: str) -> Iterator[tuple[str, str]]:
    """(BatchNorm, layer) that follow each other in plain nn.Sequentials that are called for sure in this order."""
    base = next(cls for cls in type(module).__mro__ if cls.__module__.startswith("torch.nn."))
    if base is not nn.Sequential or own_forward(module):
        return
    children = [(f"{name}.{key}" if name else key, child) for key, child in module.named_children()]
    for (layer_name, _), (norm_name, _) in zip(children, children[1:]):
        yield norm_name, layer_name
    for child_name, child in children:
        yield from _chain(child, child_name)


def _norms(model: nn.Module) -> Iterator[tuple[str, _BatchNorm]]:
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            yield name, module


def _foreign(model: nn.Module) -> Iterator[tuple[str, str]]:
    """Modules that look like a BatchNorm and are none of torch.nn's."""
    for name, module in model.named_modules():
        statistics = getattr(module, "running_mean", None), getattr(module, "running_var", None)
        if all(isinstance(x, Tensor) for x in statistics) and not isinstance(module, (_BatchNorm, _InstanceNorm)):
            yield name, f"{type(module).__name__} is not torch.nn's BatchNorm"


