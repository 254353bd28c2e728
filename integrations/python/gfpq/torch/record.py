"""One recorded pass of a network: every operation on tensors, in the order of the calls.

Recorded is what ran, so networks that torch.fx can't trace are recorded too; what depends on the data is recorded as it
went. Three observers tell of the operations: see gfpq.torch.observers.
"""

from __future__ import annotations

import gc
import os
import sys
import weakref
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable

import torch
from torch import Tensor, nn

from .callers import calling_frame, stack_of
from .observers import Dispatched, Functions, RecordedForward, is_leaf, storage_key
from .operations import QUANTIZED_FUNCTIONS, arguments, describe_function, describe_module, function_name
from .recorded import Module, Operation, Record, Value
from .running import call, copied, evaluate_in_float, is_quantizer, own_forward, tensors_in, untouched

_TORCH_FOLDER = str(Path(torch.__file__).parent) + os.sep  # not torchvision's beside it
_FOLDER = str(Path(__file__).parents[1]) + os.sep
# They tell a tensor's form, not its numbers.
_FORM = """size dim ndimension numel nelement stride storage_offset element_size is_contiguous is_floating_point
is_complex is_signed is_inference get_device len type has_names is_shared is_pinned is_same_size register_hook
requires_grad retain_grad hash result_type is_neg is_conj is_distributed is_coalesced sparse_dim dense_dim"""
_METADATA = frozenset(_FORM.split())
_TAG: Any = vars(torch)["Tag"]


def record(model: nn.Module, example_inputs: Any) -> Record:
    """Runs the float model once, in evaluation and without gradient, and records every operation.

    Args:
        example_inputs: what the model is called with: a tuple of arguments, a dict of keyword arguments, or one
            argument.

    In a prepared model the quantizers pass on what they get, and are not recorded.

    The model is left as it was: training flags, parameters, buffers, hooks, attributes; so are the states of the random
    number generators of PyTorch, numpy and Python. While it runs, the tensors of all layers are kept in memory.

    Raises ValueError for a model with lazy modules that have not run yet, and whatever the model raises.
    """
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if nn.parameter.is_lazy(tensor):
            raise ValueError(f"{name} has no shape yet: run the model once before, for its lazy modules")
    with untouched(model):
        evaluate_in_float(model)
        return Recorder(model).run(example_inputs)


def sharing_memory(tensors: list[tuple[str, Tensor]]) -> list[tuple[str, ...]]:
    """The names of tensors that lie in the same memory, wholly or in part, in groups of two or more."""
    ranges = []
    for name, tensor in tensors:
        if tensor.layout is torch.strided and tensor.numel() and tensor.device.type != "meta":
            last = sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.stride()))
            start = tensor.data_ptr()
            ranges.append((str(tensor.device), start, start + (last + 1) * tensor.element_size(), name))
    groups: list[list[str]] = []
    device, end = "", 0
    for where, start, stop, name in sorted(ranges, key=lambda item: item[:2]):
        if where == device and start < end:
            groups[-1].append(name)
            end = max(end, stop)
        else:
            groups.append([name])
            device, end = where, stop
    return [tuple(group) for group in groups if len(group) > 1]


@dataclass
class _Inputs:
    """What a call reads: see Operation."""

    values: list[int] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    parameters: dict[str, str] = field(default_factory=dict)
    largest: list[float] = field(default_factory=list)


@dataclass
class _Context:
    """A module that is running: its functions are counted by name."""

    module: str
    call: int
    counts: Counter[str] = field(default_factory=Counter)


class Recorder:
    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.record = Record()
        self.depth = 0  # in an operation that is being recorded, or in this code
        self.contexts = [_Context("", 0)]
        self.written: set[Any] = set()  # storages
        self.tags: set[Any] = set()  # of what ATen computed
        self.tracked: dict[int, tuple[Tensor, int]] = {}  # tensors are kept, so that no id is used twice
        self.aliases: dict[Any, list[int]] = {}  # tracked tensors by storage
        self.calls: Counter[str] = Counter()  # of places
        self.parameters: dict[int, str] = {}
        self.held: list[Tensor] = []  # the parameters
        self._learn_modules()

    def run(self, example_inputs: Any) -> Record:
        function_mode, dispatch_mode = Functions(self), Dispatched(self)
        example_inputs = copied(example_inputs)
        self.record.inputs = tuple(
            self._track(tensor, self._value(tensor, None, is_input=True)) for _, tensor in tensors_in(example_inputs)
        )
        with torch.no_grad(), dispatch_mode, function_mode:
            outputs = call(self.model, example_inputs)
        self.record.outputs = tuple(
            self._value_of(tensor) for _, tensor in tensors_in(outputs) if id(tensor) not in self.parameters
        )
        self._find_kept()
        return self.record

    def _learn_modules(self) -> None:
        paths: dict[int, list[str]] = {}
        for name, module in self.model.named_modules(remove_duplicate=False):
            paths.setdefault(id(module), []).append(name)
        for name, module in self.model.named_modules():
            if not is_quantizer(module):
                kind = describe_module(module)[0] if not own_forward(module) and is_leaf(module) else None
                self.record.modules[name] = Module(name, type(module).__name__, kind, tuple(paths[id(module)][1:]))
            vars(module)["forward"] = RecordedForward(self, module, name)
        named = []
        for name, module in self.model.named_modules(remove_duplicate=False):
            if not is_quantizer(module):
                named += [(f"{name}.{key}" if name else key, tensor) for key, tensor in _own_tensors(module)]
        for full, tensor in named:
            self.parameters.setdefault(id(tensor), full)
            self.held.append(tensor)
        self.record.tied = sharing_memory(named)

    def called(self, module: RecordedForward, args: Any, kwargs: dict[str, Any]) -> Any:
        """Records the call of a module, and makes it."""
        if self.depth:
            return module.forward(*args, **kwargs)
        if module.name in self.record.modules:
            self.record.modules[module.name].calls += 1
        if not module.leaf:
            return self._run_container(module.name, module.forward, args, kwargs)
        training = {"training": module.module.training} if module.kind == "BatchNorm" else {}
        self.depth += 1
        try:
            inputs = self._inputs({str(i): arg for i, arg in enumerate(args)} | kwargs)
            result = module.forward(*args, **kwargs)
            if is_quantizer(module.module) and result is (args[0] if args else None):
                return result
            own = {k: self.parameters[id(t)] for k, t in _own_tensors(module.module) if id(t) in self.parameters}
            described = (module.kind, type(module.module).__name__, own, module.attributes | training)
            self._add(module.name, module.name, described, inputs, result, sys._getframe(1))
        finally:
            self.depth -= 1
            self.written.clear()
            self.tags.clear()
        return result

    def _run_container(self, name: str, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        call_number = self.calls[name]
        self.calls[name] += 1
        self.contexts.append(_Context(name, call_number))
        self.record.starts[name, call_number] = len(self.record.operations)
        try:
            return forward(*args, **kwargs)
        finally:
            self.contexts.pop()

    def function(self, function: Any, args: Any, kwargs: dict[str, Any], frame: Any) -> Any:
        """Records the call of a function, and makes it."""
        name = function_name(function)
        given = arguments(name, args, kwargs)
        self.depth += 1
        try:
            kind, attributes = describe_function(name, given)  # before a write may change shapes
            inputs = self._inputs(given)
            if kind in QUANTIZED_FUNCTIONS:
                inputs.largest = [_largest(tensor) for _, tensor in tensors_in(given) if id(tensor) not in self.parameters]
            result = function(*args, **kwargs)
            if name == "data" and getattr(function, "__name__", "") == "__set__":
                self._move(args[0])
            if self.written or any(True for _ in tensors_in(result)) or self._reads_numbers(function, name, inputs):
                described = (kind, getattr(function, "full_name", name), inputs.parameters, attributes)
                self._add(None, name, described, inputs, result, frame)
        finally:
            self.depth -= 1
            self.written.clear()
            self.tags.clear()
        return result

    @staticmethod
    def _reads_numbers(function: Any, name: str, inputs: Any) -> bool:
        is_property = getattr(function, "__name__", "") in ("__get__", "__set__")
        return bool(inputs.values or inputs.parameters) and name not in _METADATA and not is_property

    def _inputs(self, given: dict[str, Any]) -> _Inputs:
        found = _Inputs()
        tensors = (pair for argument, item in given.items() for pair in tensors_in(item, argument))
        for position, (role, tensor) in enumerate(tensors):
            if id(tensor) in self.parameters:
                free = role if role not in found.parameters else f"{role}_{position}"
                found.parameters[free] = self.parameters[id(tensor)]
            else:
                found.values.append(self._value_of(tensor))
                found.roles.append(role)
                found.positions.append(position)
        return found

    def _add(self, module: str | None, name: str, described: Any, inputs: Any, result: Any, frame: Any) -> None:
        kind, function, parameters, attributes = described
        context, index = self.contexts[-1], len(self.record.operations)
        if module is None:
            count = context.counts[name]
            context.counts[name] += 1
            place = ".".join(filter(None, (context.module, name))) + (f"_{count}" if count else "")
            if place in self.record.modules:  # such as a child `cat` beside a function `cat`
                place += "_function"
        else:
            place = module
        outputs = self._outputs(result, index)
        call_number = self.calls[place]
        self.calls[place] += 1
        self.record.operations.append(
            Operation(
                index, f"{place}:{call_number}" if call_number else place, place, call_number, kind, function, module,
                context.module, context.call, _site(frame), stack_of(calling_frame(frame))[0], tuple(inputs.values),
                tuple(inputs.roles), tuple(inputs.positions), outputs, parameters, attributes,
                _TAG.dynamic_output_shape in self.tags, _TAG.nondeterministic_seeded in self.tags,
                tuple(inputs.largest),
            )
        )

    def _outputs(self, result: Any, operation: int) -> tuple[int, ...]:
        found: dict[int, None] = {}
        rewritten = [key for storage in self.written for key in self.aliases.get(storage, ())]
        for key in rewritten:
            tensor = self.tracked[key][0]
            self.tracked[key] = (tensor, self._value(tensor, operation))
        for _, tensor in tensors_in(result):
            if id(tensor) in self.parameters:
                continue
            if id(tensor) not in self.tracked:
                self._track(tensor, self._value(tensor, operation))
            found[self.tracked[id(tensor)][1]] = None
        found.update(dict.fromkeys(self.tracked[key][1] for key in rewritten))
        return tuple(found)

    def _value_of(self, tensor: Tensor) -> int:
        """A tensor that no operation made is a constant."""
        if id(tensor) not in self.tracked:
            self._track(tensor, self._value(tensor, None))
        return self.tracked[id(tensor)][1]

    def _value(self, tensor: Tensor, producer: int | None, is_input: bool = False) -> int:
        index = len(self.record.values)
        dtype = str(tensor.dtype).rpartition(".")[2]
        self.record.values.append(Value(index, tuple(tensor.shape), dtype, producer, is_input))
        return index

    def _track(self, tensor: Tensor, value: int) -> int:
        self.tracked[id(tensor)] = (tensor, value)
        self.aliases.setdefault(storage_key(tensor), []).append(id(tensor))
        return value

    def _move(self, tensor: Tensor) -> None:
        """A tensor was given other memory, by `x.data = y`: that counts as a write to it."""
        new = storage_key(tensor)
        self.aliases.setdefault(new, []).append(id(tensor))
        self.written.add(new)

    def _find_kept(self) -> None:
        """Which tensors outlive the pass, and are no known outputs? Somebody may read them, unseen."""
        made = [(value, weakref.ref(tensor)) for tensor, value in self.tracked.values()]
        self.tracked.clear()
        known = {value.index for value in self.record.values if value.producer is None} | set(self.record.outputs)
        candidates = [(value, ref) for value, ref in made if value not in known]
        if any(ref() is not None for _, ref in candidates):
            gc.collect()
        for value, ref in candidates:
            self.record.values[value].kept = ref() is not None


def _largest(tensor: Tensor) -> float:
    """The largest magnitude; 0 where there is none to be found."""
    numbers = tensor.detach()
    if not numbers.is_floating_point() or numbers.device.type == "meta" or not numbers.numel():
        return 0.0
    return float(numbers.abs().amax())


def _own_tensors(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    for key, tensor in [*module._parameters.items(), *module._buffers.items()]:
        if tensor is not None:
            yield key, tensor


def _site(frame: Any) -> str:
    """The innermost line of code that is neither PyTorch's nor this package's."""
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((_TORCH_FOLDER, _FOLDER)):
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
