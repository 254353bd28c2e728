"""What tells a recorder of a network's operations while it runs.

Three observers work together: each module's `forward` is wrapped, a TorchFunctionMode sees the functions, and a
TorchDispatchMode beneath them sees what those miss (scripted code, extensions) and every write to memory.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from .callers import ends_stack
from .operations import describe_module
from .running import assigned_forward, is_quantizer, own_forward, tensors_in

if TYPE_CHECKING:
    from .record import Recorder

_MASKS = (torch.bool, torch.uint8)
_TAG: Any = vars(torch)["Tag"]
_INDEX: Any = vars(torch)["ops"].aten.index.Tensor


class RecordedForward:
    """Stands for a module's `forward` while it is recorded."""

    def __init__(self, recorder: Recorder, module: nn.Module, name: str) -> None:
        self.assigned = assigned_forward(module)
        self.recorder, self.module, self.name, self.forward = recorder, module, name, module.forward
        # One operation, not made of others.
        self.leaf = is_quantizer(module) or (not own_forward(module) and is_leaf(module))
        self.kind, self.attributes = describe_module(module)

    @ends_stack
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.recorder.called(self, args, kwargs)


class Functions(TorchFunctionMode):
    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.recorder.depth:
            return func(*args, **(kwargs or {}))
        return self.recorder.function(func, args, kwargs or {}, sys._getframe(1))


class Dispatched(TorchDispatchMode):
    """Sees ATen's operations: for the writes of all, and those that no function told of."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for position, argument in enumerate(func._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                item = args[position] if position < len(args) else kwargs.get(argument.name)
                self.recorder.written.update(storage_key(tensor) for _, tensor in tensors_in(item))
        self.recorder.tags.update(_tags_of(func, args))
        if self.recorder.depth:
            return func(*args, **kwargs)
        return self.recorder.function(_Named(func), args, kwargs, sys._getframe(1))


def _tags_of(func: Any, args: Any) -> list[Any]:
    """ATen's tags. An index by numbers makes a known shape, unlike one by a mask."""
    tags = list(func.tags)
    if func is _INDEX and not any(t.dtype in _MASKS for _, t in tensors_in(args[1])):
        tags.remove(_TAG.dynamic_output_shape)
    return tags


class _Named:
    """An ATen operation under its plain name, without namespace and overload."""

    def __init__(self, func: Any) -> None:
        self.func = func
        self.full_name = func._schema.name
        self.__name__ = self.full_name.rpartition(":")[2]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.func(*args, **kwargs)


def is_leaf(module: nn.Module) -> bool:
    """Modules of torch.nn are one operation each, but for containers and those that are made of other modules."""
    if isinstance(module, (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)):
        return False
    return all(is_quantizer(child) for child in module.children())


def storage_key(tensor: Tensor) -> Any:
    """The same for all tensors that lie in one memory."""
    try:
        storage = tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor.storage()
        address = storage.data_ptr()
    except (RuntimeError, NotImplementedError):  # sparse tensors have none
        address = 0
    return (tensor.device, address) if address else id(tensor)
