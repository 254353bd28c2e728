"""One recorded pass of a network: every operation on tensors, in the order of the calls.

Recorded is what ran, so networks that torch.fx can't trace are recorded too; what depends on the data is recorded as it went.
Three observers work together: each module's `forward` is wrapped, a TorchFunctionMode sees the functions, and a
TorchDispatchMode beneath them sees what those miss (scripted code, extensions) and every write to memory.
"""

from __future__ import annotations

import gc
import random
import sys
import weakref
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from .operations import arguments, describe_function, describe_module, function_name

_PACKAGE = __name__.rpartition(".")[0]
_TORCH_FOLDER = str(Path(torch.__file__).parent)
_FOLDER = str(Path(__file__).parent)
# Python code of PyTorch between a caller and the function that a mode sees.
_THIN = ("torch.nn.functional", "torch._jit_internal", "torch.overrides", "torch._tensor", "torch.functional", "torch._ops",
         "torch.utils._device", _PACKAGE + ".record", _PACKAGE + ".functional")  # fmt: skip
# They tell a tensor's form, not its numbers.
_METADATA = frozenset(
    "size dim ndimension numel nelement stride storage_offset element_size is_contiguous is_floating_point is_complex "
    "is_signed is_inference get_device len type has_names is_shared is_pinned is_same_size register_hook requires_grad "
    "retain_grad hash result_type is_nonzero_metadata is_neg is_conj is_distributed is_coalesced sparse_dim dense_dim".split()
)
# What a subclass of a layer changes the computation with.
_COMPUTING = frozenset("forward __call__ _call_impl _conv_forward _output_padding __getattr__ __iter__ weight bias "
                       "running_mean running_var eps".split())  # fmt: skip


@dataclass
class Value:
    """A tensor at one time: an operation that writes to a tensor makes a new value of it."""

    index: int
    shape: tuple[int, ...]
    dtype: str
    producer: int | None  # the operation's index; None for the network's inputs and constants
    is_input: bool = False
    # The tensor was still alive after the pass, though it is no output: a hook, an attribute or a closure keeps it.
    kept: bool = False


@dataclass
class Operation:
    """A call of a function, or of a module that computes what its class in torch.nn does.

    `place` is the module's path, or that of the calling module with the function's name, and from its second call there
    on a number: `neck.cat`, `neck.cat_1`. It names the quantizers. `name` is unique in the record: where a place is
    called again (its module is called several times in a pass) it ends in `:1`, `:2`, ...

    `inputs` are the values it reads, in the order of the arguments, `roles` their arguments' names; parameters and
    buffers of the model are not among them but in `parameters`: argument's name to full name. `outputs` are the
    values it returns, and those that it wrote to. `attributes` depend on the kind: see gfpq.torch.operations.
    """

    index: int
    name: str
    place: str
    call: int
    kind: str | None
    function: str  # "conv2d", or the module's class
    module: str | None  # the module's path; None for a function
    caller: str  # the calling module's path, and which of its calls
    caller_call: int
    site: str  # file:line of the model's code
    code: tuple[str, int]  # the calling function, and the line in it, counted from its first
    inputs: tuple[int, ...]
    roles: tuple[str, ...]
    outputs: tuple[int, ...]
    parameters: dict[str, str]
    attributes: dict[str, Any]

    @property
    def layer(self) -> str | None:
        """The path of the module: of the one called, or of the one whose `weight` a function was given."""
        if self.module is not None:
            return self.module
        return self.parameters["weight"].rpartition(".")[0] if "weight" in self.parameters else None

    @property
    def passes_through(self) -> bool:
        """It returned its very input, unchanged: Identity, Dropout in evaluation, `contiguous` of a contiguous tensor."""
        return bool(self.outputs) and set(self.outputs) <= set(self.inputs)


@dataclass
class Module:
    """A module of the model. `aliases` are the other paths under which the same module hangs in the model."""

    name: str
    type: str
    kind: str | None
    aliases: tuple[str, ...] = ()
    calls: int = 0  # in the pass


@dataclass
class Record:
    """A network's operations in one pass, as plain data: it holds no tensor and no module, and can be pickled.

    `values` and `operations` are in the order of time, and refer to each other by index. `tied` has the groups of
    parameters and buffers that share memory, each by its names.
    """

    operations: list[Operation] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    modules: dict[str, Module] = field(default_factory=dict)
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    tied: list[tuple[str, ...]] = field(default_factory=list)

    def of_module(self, name: str) -> list[Operation]:
        """The calls of one layer, in their order: as a module, or as a function that is given its weight."""
        return [operation for operation in self.operations if operation.layer == name]

    def readers(self, value: int) -> list[Operation]:
        """The operations that read a value."""
        return [operation for operation in self.operations if value in operation.inputs]

    def producer(self, value: int) -> Operation | None:
        """The operation that made a value; None for an input of the network or a constant."""
        index = self.values[value].producer
        return None if index is None else self.operations[index]

    def users(self, parameter: str) -> list[Operation]:
        """The operations that read a parameter or buffer, under any of its names."""
        names = set(next((group for group in self.tied if parameter in group), (parameter,)))
        return [operation for operation in self.operations if names & set(operation.parameters.values())]

    @property
    def shared(self) -> list[str]:
        """The layers that are called more than once in the pass, in the order of their first calls."""
        counts = Counter(operation.layer for operation in self.operations if operation.layer and operation.kind)
        return [name for name, count in counts.items() if count > 1]

    @property
    def never_called(self) -> list[str]:
        """Modules without modules inside that were not called, and whose parameters no function was given."""
        used = {name.rpartition(".")[0] for operation in self.operations for name in operation.parameters.values()}
        parents = {name.rpartition(".")[0] for name in self.modules if name}
        return [name for name, module in self.modules.items() if not module.calls and name not in used | parents]

    def table(self) -> list[tuple[str, ...]]:
        """One row an operation: name, kind, inputs, outputs, shape, site. The first row is the heading."""
        rows = [("operation", "kind", "reads", "makes", "shape", "called from")]
        for operation in self.operations:
            shapes = ", ".join("x".join(map(str, self.values[value].shape)) or "()" for value in operation.outputs)
            reads, makes = (" ".join(f"#{value}" for value in side) for side in (operation.inputs, operation.outputs))
            kind = operation.kind or f"({operation.function})"
            rows.append((operation.name, kind, reads, makes, shapes, operation.site))
        return rows

    def __str__(self) -> str:
        return aligned(self.table())


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Rows of a table as lines of text with aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def record(model: nn.Module, example_inputs: Any) -> Record:
    """Runs the float model once, in evaluation and without gradient, and records every operation.

    Args:
        example_inputs: what the model is called with: a tuple of arguments, a dict of keyword arguments, or one argument.

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
        return _Recorder(model).run(example_inputs)


def evaluate_in_float(model: nn.Module) -> None:
    """Puts a model into evaluation, and the quantizers in it out of work."""
    model.eval()
    for module in model.modules():
        if is_quantizer(module) and hasattr(module, "enabled"):
            module.enabled = False


def call(model: nn.Module, example_inputs: Any) -> Any:
    """Calls a model with inputs in any of the forms that `record` takes."""
    if isinstance(example_inputs, tuple):
        return model(*example_inputs)
    if isinstance(example_inputs, dict):
        return model(**example_inputs)
    return model(example_inputs)


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
    return "forward" in vars(module) and not isinstance(vars(module)["forward"], _Recorded)


def calling_frame(frame: Any) -> Any:
    """From a frame in which a mode was told of a call outwards: the one that called the function."""
    while frame.f_back is not None and frame.f_globals.get("__name__") in _THIN:
        frame = frame.f_back
    return frame


def code_of(frame: Any) -> tuple[str, int]:
    """A function and a line in it, which other changes to its file don't move."""
    return frame.f_code.co_name, frame.f_lineno - frame.f_code.co_firstlineno


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
            for key, value in content.items():
                _refill(own[key], value)
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


def _of_package(cls: type) -> bool:
    return cls.__module__.startswith(_PACKAGE + ".")


def is_quantizer(module: nn.Module) -> bool:
    """Whether it is one of this package's own modules, such as a FakeQuantize or a list of them."""
    return _of_package(type(module)) and next(cls for cls in type(module).__mro__ if not _of_package(cls)) is nn.Module


def storage_key(tensor: Tensor) -> Any:
    """The same for all tensors that lie in one memory."""
    try:
        storage = tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor.storage()
        address = storage.data_ptr()
    except (RuntimeError, NotImplementedError):  # sparse tensors have none
        address = 0
    return (tensor.device, address) if address else id(tensor)


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
class _Context:
    """A module that is running: its functions are counted by name."""

    module: str
    call: int
    counts: Counter = field(default_factory=Counter)


class _Recorder:
    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.record = Record()
        self.depth = 0  # in an operation that is being recorded, or in this code
        self.contexts = [_Context("", 0)]
        self.written: set[Any] = set()  # storages
        self.tracked: dict[int, tuple[Tensor, int]] = {}  # tensors are kept, so that no id is used twice
        self.aliases: dict[Any, list[int]] = {}  # tracked tensors by storage
        self.calls: Counter = Counter()  # of places
        self.parameters: dict[int, str] = {}
        self.held: list[Tensor] = []  # the parameters
        self._learn_modules()

    def run(self, example_inputs: Any) -> Record:
        function_mode, dispatch_mode = _Functions(self), _Dispatched(self)
        self.record.inputs = tuple(
            self._track(tensor, self._value(tensor, None, is_input=True)) for _, tensor in tensors_in(example_inputs)
        )
        with torch.no_grad(), dispatch_mode, function_mode:
            outputs = call(self.model, example_inputs)
        self.record.outputs = tuple(
            self._value_of(tensor) for _, tensor in tensors_in(outputs) if id(tensor) not in self.parameters
        )
        del outputs
        self._find_kept()
        return self.record

    def _learn_modules(self) -> None:
        paths: dict[int, list[str]] = {}
        for name, module in self.model.named_modules(remove_duplicate=False):
            paths.setdefault(id(module), []).append(name)
        for name, module in self.model.named_modules():
            if not is_quantizer(module):
                kind = describe_module(module)[0] if not own_forward(module) and _is_leaf(module) else None
                first, *others = paths[id(module)]
                self.record.modules[name] = Module(name, type(module).__name__, kind, tuple(others))
            vars(module)["forward"] = _Recorded(self, module, name)
        named = []
        for name, module in self.model.named_modules(remove_duplicate=False):
            if not is_quantizer(module):
                named += [(f"{name}.{key}" if name else key, tensor) for key, tensor in _own_tensors(module)]
        for full, tensor in named:
            self.parameters.setdefault(id(tensor), full)
            self.held.append(tensor)
        self.record.tied = sharing_memory(named)

    def called(self, module: _Recorded, args: Any, kwargs: dict[str, Any]) -> Any:
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
        return result

    def _run_container(self, name: str, forward: Callable, args: Any, kwargs: Any) -> Any:
        call_number = self.calls[name]
        self.calls[name] += 1
        self.contexts.append(_Context(name, call_number))
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
            result = function(*args, **kwargs)
            if getattr(function, "__name__", "") == "__set__":  # such as `x.data = y`
                self.written.add(storage_key(args[0]))
            if self.written or any(True for _ in tensors_in(result)) or self._reads_numbers(function, name, inputs):
                self._add(None, name, (kind, name, inputs[2], attributes), inputs, result, frame)
        finally:
            self.depth -= 1
            self.written.clear()
        return result

    @staticmethod
    def _reads_numbers(function: Any, name: str, inputs: Any) -> bool:
        is_property = getattr(function, "__name__", "") == "__get__"
        return bool(inputs[0] or inputs[2]) and name not in _METADATA and not is_property

    def _inputs(self, given: dict[str, Any]) -> tuple[tuple[int, ...], tuple[str, ...], dict[str, str]]:
        """The values that are read, their roles, and the parameters."""
        values, roles, parameters = [], [], {}
        for argument, item in given.items():
            for role, tensor in tensors_in(item, argument):
                if id(tensor) in self.parameters:
                    parameters[role if role not in parameters else f"{role}_{len(parameters)}"] = self.parameters[id(tensor)]
                else:
                    values.append(self._value_of(tensor))
                    roles.append(role)
        return tuple(values), tuple(roles), parameters

    def _add(self, module: str | None, name: str, described: Any, inputs: Any, result: Any, frame: Any) -> None:
        kind, function, parameters, attributes = described
        values, roles, _ = inputs
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
                context.module, context.call, _site(frame), code_of(calling_frame(frame)), values, roles, outputs,
                parameters, attributes,
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

    def _find_kept(self) -> None:
        """Which tensors outlive the pass? Somebody may read them, unseen."""
        made = [(value, weakref.ref(tensor)) for tensor, value in self.tracked.values()]
        self.tracked.clear()
        candidates = [(v, ref) for v, ref in made if self.record.values[v].producer is not None]
        if any(ref() is not None for _, ref in candidates):
            gc.collect()
        for value, ref in candidates:
            self.record.values[value].kept = ref() is not None


class _Recorded:
    """Stands for a module's `forward` while it is recorded."""

    def __init__(self, recorder: _Recorder, module: nn.Module, name: str) -> None:
        self.recorder, self.module, self.name, self.forward = recorder, module, name, module.forward
        # One operation, not made of others.
        self.leaf = is_quantizer(module) or (not own_forward(module) and _is_leaf(module))
        self.kind, self.attributes = describe_module(module)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.recorder.called(self, args, kwargs)


class _Functions(TorchFunctionMode):
    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if self.recorder.depth:
            return func(*args, **(kwargs or {}))
        return self.recorder.function(func, args, kwargs or {}, sys._getframe(1))


class _Dispatched(TorchDispatchMode):
    """Sees ATen's operations: for the writes of all, and those that no function told of."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for position, argument in enumerate(func._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                item = args[position] if position < len(args) else kwargs.get(argument.name)
                self.recorder.written.update(storage_key(tensor) for _, tensor in tensors_in(item))
        if self.recorder.depth:
            return func(*args, **kwargs)
        return self.recorder.function(_Named(func), args, kwargs, sys._getframe(1))


class _Named:
    """An ATen operation under its plain name, without namespace and overload."""

    def __init__(self, func: Any) -> None:
        self.func = func
        self.__name__ = func._schema.name.rpartition(":")[2]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.func(*args, **kwargs)


def _is_leaf(module: nn.Module) -> bool:
    """Modules of torch.nn are one operation each, but for containers and those that are made of other modules."""
    if isinstance(module, (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)):
        return False
    return all(is_quantizer(child) for child in module.children())


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
