"""Running a model and leaving it as it was, and what has to be known of its classes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any, Callable

import numpy as np
import torch
from torch import Tensor, nn

_PACKAGE = __name__.rpartition(".")[0]
# What a subclass of a layer changes the computation with.
_COMPUTING = {"forward", "__call__", "_call_impl", "_conv_forward", "_output_padding", "__getattr__", "__iter__",
              "weight", "bias", "running_mean", "running_var", "eps"}  # fmt: skip


def evaluate_in_float(model: nn.Module) -> None:
    """Puts a model into evaluation, and the quantizers in it out of work."""
    model.eval()
    for module in model.modules():
        if is_quantizer(module) and "enabled" in vars(module):
            vars(module)["enabled"] = False


def call(model: nn.Module, example_inputs: Any) -> Any:
    """Calls a model with inputs in any of the forms that `record` takes."""
    if isinstance(example_inputs, tuple):
        return model(*example_inputs)
    if isinstance(example_inputs, dict):
        return model(**example_inputs)
    return model(example_inputs)


def mapped(function: Callable[[Any], Any], item: Any) -> Any:
    """Applies a function to what a structure of tuples, lists and dicts holds."""
    if isinstance(item, dict):
        return {key: mapped(function, part) for key, part in item.items()}
    if isinstance(item, tuple) and hasattr(item, "_fields"):
        return type(item)(*(mapped(function, part) for part in item))
    if isinstance(item, (tuple, list)):
        return type(item)(mapped(function, part) for part in item)
    return function(item)


def copied(inputs: Any) -> Any:
    """Example inputs for a model that may write to them."""
    return mapped(lambda part: part.detach().clone() if isinstance(part, Tensor) else part, inputs)


def tensors_in(item: Any, role: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors in lists, tuples, dicts and objects, each with the name of the outermost argument or key."""
    if isinstance(item, Tensor):
        yield role, item
    elif isinstance(item, (list, tuple)):
        for position, part in enumerate(item):
            yield from tensors_in(part, role or str(position))
    elif isinstance(item, dict):
        for key, part in item.items():
            yield from tensors_in(part, role or str(key))
    elif is_dataclass(item) and not isinstance(item, type):
        for entry in fields(item):
            yield from tensors_in(getattr(item, entry.name), role or entry.name)


def own_forward(module: nn.Module) -> bool:
    """Whether a module may compute something else than its class in torch.nn does."""
    if assigned_forward(module):
        return True
    for cls in type(module).__mro__:
        if cls.__module__.startswith("torch.nn."):
            return cls is nn.Module
        if not _of_package(cls) and _COMPUTING & set(vars(cls)):
            return True
    return True


def assigned_forward(module: nn.Module) -> bool:
    """Whether a `forward` was assigned to the module itself. That of a recording does not count."""
    return "forward" in vars(module) and getattr(vars(module)["forward"], "assigned", True)


def _of_package(cls: type) -> bool:
    return cls.__module__.startswith(_PACKAGE + ".")


def is_quantizer(module: nn.Module) -> bool:
    """Whether it is one of this package's own modules: a FakeQuantize, or a container of them."""
    base = next(cls for cls in type(module).__mro__ if not _of_package(cls))
    return _of_package(type(module)) and base in (nn.Module, nn.ModuleDict)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Within it a model may run in any way; after it, it is what it was, and so are the random number generators."""
    modules = list(model.modules())
    attributes = [dict(vars(module)) for module in modules]
    contents = [  # of lists and dicts, which code may change in place: buffers, hooks, the caches of some detectors
        {key: value.copy() for key, value in own.items() if isinstance(value, (dict, list))} for own in attributes
    ]
    tensors = {id(t): t for own in attributes for t in _direct_tensors(own)}
    copies = {key: tensor.detach().clone() for key, tensor in tensors.items()}
    states = random.getstate(), np.random.get_state()
    devices = sorted({t.device.index for t in tensors.values() if t.is_cuda})
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        for module, own, content in zip(modules, attributes, contents):
            vars(module).clear()
            vars(module).update(own)
            for name, value in content.items():
                _refill(own[name], value)
        with torch.no_grad():
            for key, tensor in tensors.items():
                if tensor.shape != copies[key].shape:
                    raise RuntimeError("the model resized one of its tensors in place: it can't be restored")
                if not torch.equal(tensor, copies[key]):
                    tensor.copy_(copies[key])


def _direct_tensors(attributes: dict[str, Any]) -> Iterator[Tensor]:
    for value in attributes.values():
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else (value,)
        yield from (part for part in parts if isinstance(part, Tensor))


def _refill(container: Any, content: Any) -> None:
    if isinstance(container, list):
        container[:] = content
    else:
        container.clear()
        container.update(content)
