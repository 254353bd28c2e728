"""Quantizing the inputs of functions: Concat, Eltwise, Upsample and pooling that a module's `forward` calls.

A recorded pass tells where such functions are called. The calling module gets the quantizers and another class, whose
`forward` opens a TorchFunctionMode: that finds the quantizers of a call by the function, by all places in the code that
lead to it from the module's `forward`, in a loop by the layer that its newest input was made from (of all inputs, where
that alone does not tell the rounds apart), and by how often such a call came before in this call of the module. A call
that the recorded pass does not have is warned of, and stays in float. Where as many calls that are alike in all this
come as in the recorded pass, they are taken for the same ones in the same order; where more or fewer come, ranges that
they changed are put back, with a warning: which of the calls these were, nothing proves.

Beside its quantizers it costs 1 to 2 us for each PyTorch function in a pass, 1 us more in modules with such loops, and
10 us for each quantized call (on one x86-64 core, PyTorch 1.13).
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections import Counter, OrderedDict
from collections.abc import Collection, ItemsView, Iterator, KeysView, ValuesView
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from inspect import isfunction
from typing import Any, Callable, Union

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import NotSupportedError
from . import origins
from .callers import Stack, calling_frame, ends_stack, stack_of
from .context import is_jit_tracing
from .fake_quantize import FakeQuantize
from .layers import Swapped, made_class, made_of, without
from .operations import QUANTIZED_FUNCTIONS, arguments, describe_function, function_name, is_in_place
from .recorded import Operation, Record
from .running import assigned_forward, own_forward, tensors_in

_PACKAGE = __name__.partition(".")[0]
_QUANTIZERS = "call_quantizers"
_Line = tuple[str, Stack]  # function, code: see CallSite
_Alike = tuple[str, Stack, tuple[str, ...]]  # function, code, origins
_Key = tuple[str, Stack, tuple[str, ...], int]  # function, code, origins, passes
# The functions that can be of these kinds.
_NAMES = frozenset(
    ["cat", "add", "sub", "rsub", "mul", "maximum", "max", "mean", "amax", "interpolate", "upsample"]
    + [f"{kind}_pool{n}d" for kind in ("max", "avg", "adaptive_max", "adaptive_avg") for n in (1, 2, 3)]
)


@dataclass(frozen=True)
class CallSite:
    """A place in a module's code that calls such a function."""

    name: str  # the record's place: "neck.cat_1"
    kind: str
    module: str  # the calling module's path
    function: str  # "cat"
    code: Stack  # the places in the code that lead to it
    origins: tuple[str, ...]  # in a loop: the layers that its input was made from; see gfpq.torch.origins
    passes: int  # how often such a call came before, in one call of the module
    positions: tuple[int, ...]  # of the tensors that get a quantizer, among all tensors of the call
    tensors: int  # how many these are
    site: str  # file:line

    @property
    def key(self) -> _Key:
        return self.function, self.code, self.origins, self.passes

    def quantizer_key(self, number: int) -> str:
        """The name of an input's quantizer in the calling module."""
        return f"{self.name[len(self.module):].lstrip('.')}:{number}"


@dataclass
class CallSites:
    """What of a recorded pass can be quantized, and for other calls of these kinds the reason why not, by place."""

    found: list[CallSite] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    tables: dict[str, CallTable] = field(default_factory=dict)  # of the calling modules


@dataclass
class CallTable:
    """What a calling module knows of its calls; without tensors."""

    module: str
    sites: dict[_Key, CallSite] = field(default_factory=dict)
    floating: set[_Key] = field(default_factory=set)  # calls that the pass had, and that stay in float
    passed: list[set[_Key]] = field(default_factory=list)  # the sites that each of its calls came by
    methods: set[str] = field(default_factory=set)  # functions between its `forward` and the sites
    counts: dict[_Alike, set[int]] = field(default_factory=dict)  # how many such calls came in a call of it
    loops: dict[_Line, bool] = field(default_factory=dict)  # what comes more than once: do all inputs' origins count?

    def known_by(self, line: _Line, found: list[origins.Origin]) -> tuple[str, ...]:
        return origins.names(found, self.loops[line]) if line in self.loops else ()


def call_sites(record: Record, model: nn.Module, layers: Collection[str] = ()) -> CallSites:
    """The calls of functions in a recorded pass whose inputs NNIE quantizes. `layers`: the layers that it quantizes.

    These are Concat, Eltwise, Upsample and Pooling (a mean over the spatial axes too) of feature maps, which have 4
    axes, and of vectors, with 2 axes, the first of them that of the network's input.
    """
    sites, passes, data = CallSites(), Counter[Any](), record.data
    batches = {record.values[value].shape[:1] for value in record.inputs}
    by_place: dict[str, CallSite] = {}
    recorded_origins = origins.RecordedOrigins(record, layers)
    found_origins = {
        operation.index: recorded_origins.of(
            operation.inputs, record.starts.get((operation.caller, operation.caller_call), 0)
        )
        for operation in record.operations
        if operation.module is None and operation.function in _NAMES
    }
    for caller in dict.fromkeys(record.operations[index].caller for index in found_origins):
        sites.tables[caller] = CallTable(caller)
    _find_loops(record, sites.tables, found_origins)
    for operation in record.operations:
        if operation.module is not None or operation.function not in _NAMES:
            if operation.module is None and operation.kind in QUANTIZED_FUNCTIONS:
                sites.reasons.setdefault(operation.place, "it is called from compiled code")
            continue
        table = sites.tables[operation.caller]
        known_by = table.known_by((operation.function, operation.code), found_origins[operation.index])
        line = operation.caller, operation.caller_call, operation.function, operation.code, known_by
        site = CallSite(
            operation.place, str(operation.kind), operation.caller, operation.function, operation.code, known_by,
            passes[line], operation.positions, len(operation.positions) + len(operation.parameters), operation.site,
        )  # fmt: skip
        passes[line] += 1
        table.passed += [set() for _ in range(record.modules[operation.caller].calls - len(table.passed))]
        if operation.kind in (*QUANTIZED_FUNCTIONS, "Scale", "Bias"):
            reason = _reason_against(record, model, operation, batches)
            if not data.intersection(operation.inputs):
                reason = "its tensors do not depend on the network's inputs"
            if by_place.setdefault(operation.place, site) != site:
                reason = "its calls in the recorded pass come from different places in the code"
            if reason is not None:
                sites.reasons.setdefault(operation.place, reason)
            table.passed[operation.caller_call].add(site.key)
        table.floating.add(site.key)
    for place, site in by_place.items():
        if place not in sites.reasons:
            table = sites.tables[site.module]
            table.sites[site.key] = site
            table.methods.update(place.function for place in site.code[:-1])
            table.floating.discard(site.key)
            sites.found.append(site)
    for (caller, _, *line), count in passes.items():
        sites.tables[caller].counts.setdefault((line[0], line[1], line[2]), set()).add(count)
    for table in sites.tables.values():
        table.passed = [keys & set(table.sites) for keys in table.passed]
    return sites


def _find_loops(record: Record, tables: dict[str, CallTable], found: dict[int, list[origins.Origin]]) -> None:
    """Which lines are in loops, or come more than once otherwise, and whether the newest input tells their calls apart.
    """
    lines, alike = Counter[Any](), Counter[Any]()
    for index, inputs in found.items():
        operation = record.operations[index]
        line = operation.caller, operation.caller_call, operation.function, operation.code
        lines[line] += 1
        alike[(*line, origins.names(inputs, False))] += 1
    for (caller, _, function, code), count in lines.items():
        if count > 1 or any(place.in_loop for place in code):
            tables[caller].loops.setdefault((function, code), False)
    for (caller, _, function, code, _), count in alike.items():
        if count > 1:
            tables[caller].loops[function, code] = True


def _reason_against(record: Record, model: nn.Module, operation: Operation, batches: set[Any]) -> str | None:
    inputs = [record.values[value] for value in operation.inputs]
    if operation.kind in ("Scale", "Bias"):
        return f"its tensors have different shapes: a {operation.kind} to NNIE"
    if "out" in operation.roles:
        return "it writes to a given tensor (out=)"
    if not inputs or not all(value.dtype.startswith(("float", "bfloat")) for value in inputs):
        return "it has no tensors of floating-point numbers, or others among them"
    if assigned_forward(model.get_submodule(operation.caller)):
        return f"the forward of {operation.caller or 'the model'} was replaced by assignment"
    for value in inputs:
        if len(value.shape) != 4 and not (len(value.shape) == 2 and value.shape[:1] in batches):
            return f"{'x'.join(map(str, value.shape)) or 'a number'}: neither feature maps nor a vector for each input"
    if operation.kind == "Concat" and operation.attributes["axis"] in (0, -len(inputs[0].shape)):
        return "it joins along the axis of the batch"
    return None


def place_calls(
    model: nn.Module, sites: CallSites, make: Callable[[CallSite, int], FakeQuantize | None]
) -> list[tuple[CallSite, int, FakeQuantize]]:
    """Puts the quantizers of calls into a model: into the submodule `call_quantizers` of the calling modules.

    Args:
        make: returns the quantizer for an input of a site, or None where it is to stay in float.

    Returns the site, the input's number and the quantizer of each. Raises NotSupportedError for a module that has an
    attribute `call_quantizers` of its own; the model is then as it was.
    """
    callers: dict[str, Any] = {name: model.get_submodule(name) for name in sites.tables}
    for name, module in callers.items():
        if hasattr(module, _QUANTIZERS):
            raise NotSupportedError(f"{name or 'the model'} has an attribute {_QUANTIZERS} of its own")
    placed = []
    for site in sites.found:
        for number in range(len(site.positions)):
            quantizer = make(site, number)
            if quantizer is not None:
                placed.append((site, number, quantizer))
    for name, module in callers.items():
        own = {site.quantizer_key(number): quantizer for site, number, quantizer in placed if site.module == name}
        vars(module)["_modules"] = _Modules(module._modules)
        module.add_module(_QUANTIZERS, CallQuantizers(own))
        module._gfpq_calls = sites.tables[name]
        module.__class__ = made_class(QuantizedCalls, type(module))
    return placed


def remove_calls(model: nn.Module) -> None:
    """Undoes `place_calls`."""
    for module in list(model.modules()):
        if isinstance(module, QuantizedCalls):
            module.__class__ = without(module, QuantizedCalls)
            delattr(module, _QUANTIZERS)
            vars(module)["_modules"] = type(nn.Module()._modules)(module._modules)
            delattr(module, "_gfpq_calls")


def call_quantizers(model: nn.Module) -> Iterator[tuple[str, int, FakeQuantize]]:
    """The quantizers of calls: the call's place, the input's number, the module."""
    for name, module in model.named_modules():
        if isinstance(module, QuantizedCalls):
            for key, quantizer in module.call_quantizers._modules.items():
                place, _, number = key.rpartition(":")
                assert isinstance(quantizer, FakeQuantize)
                yield f"{name}.{place}" if name else place, int(number), quantizer


class CallQuantizers(nn.ModuleDict):
    """The quantizers of the functions that a module calls, by the function and the input's number: `cat_1:0`."""


class QuantizedCalls(Swapped):
    """A module whose `forward` calls functions on quantized inputs."""

    call_quantizers: CallQuantizers
    _gfpq_calls: CallTable

    @classmethod
    def content_for(cls, original: type) -> dict[str, Any]:
        return _watched_methods(original)

    @ends_stack
    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        with _running(self):
            return super().forward(*arguments, **keywords)


def _watched_methods(cls: type) -> dict[str, Any]:
    """The methods of a user's class, for the class that it is made into."""
    own = [vars(base) for base in cls.__mro__ if not base.__module__.startswith(("torch.", _PACKAGE))]
    names = {name for methods in own for name, value in methods.items() if isfunction(value) and name[:2] != "__"}
    return {name: _watched_method(name, getattr(cls, name)) for name in names - {"forward"}}


def _watched_method(name: str, method: Any) -> Any:
    """A method that warns where it is called without `forward`, and would call functions that are quantized there."""

    @wraps(method)
    def watched_method(self: Any, *arguments: Any, **keywords: Any) -> Any:
        if not _thread.watched and name in self._gfpq_calls.methods:
            warnings.warn(f"gfpq.torch: {name} of {made_of(type(self))[-1].__name__} was called without the model's "
                          "`forward`: the inputs of functions that it calls stay in float. Call the model, or prepare "
                          "one whose `forward` is this method", stacklevel=2)  # fmt: skip
        return method(self, *arguments, **keywords)

    return watched_method


class _Running:
    """A call of a module that is going on."""

    def __init__(self, module: QuantizedCalls) -> None:
        self.module, self.table = module, module._gfpq_calls
        self.passes: Counter[Any] = Counter()
        self.seen: set[_Key] = set()
        self.start = 0  # for the origins of tensors
        self.before: dict[_Key, list[tuple[FakeQuantize, Any]]] = {}  # ranges before the call, where it may change them

    def use(self, site: CallSite) -> None:
        """Notes that a site's quantizers are going to be used."""
        self.seen.add(site.key)
        own = [self.module.call_quantizers._modules.get(site.quantizer_key(n)) for n in range(len(site.positions))]
        self.before[site.key] = [(q, q.rows) for q in own if isinstance(q, FakeQuantize) and q.learns]

    def put_back(self) -> None:
        """Puts ranges back where calls can't be told apart, for more or fewer came from a place than were recorded."""
        for line, counts in self.table.counts.items():
            count = self.passes[line]
            keys = [(*line, number) for number in range(count) if (*line, number) in self.seen]
            if not keys or count in counts:
                continue
            for quantizer, rows in (pair for key in keys for pair in self.before[key]):
                quantizer.rows = rows
            names = ", ".join(site.name for key, site in self.table.sites.items() if key[:3] == line)
            recorded = " or ".join(map(str, sorted(counts)))
            warnings.warn(
                f"gfpq.torch: {names}: {count} calls came from one place in the code, and {recorded} in the recorded "
                "pass: which of them these are is not known. The ranges stay as they were before this pass. Find "
                "them by gfpq.torch.calibrate on batches with as many calls, or leave the calls in float (skip)",
                stacklevel=4,
            )  # fmt: skip


class _Thread(threading.local):
    def __init__(self) -> None:
        self.calls: list[_Running] = []
        self.watched = False


_thread = _Thread()


class _Modules(OrderedDict[str, Union[nn.Module, None]]):
    """A calling module's children. Code that goes through them in a pass does not meet the quantizers."""

    def __iter__(self) -> Any:
        names = super().__iter__()
        return (name for name in names if name != _QUANTIZERS) if _thread.watched else names

    def __len__(self) -> int:
        return super().__len__() - (_thread.watched and _QUANTIZERS in self)

    def keys(self) -> Any:
        return KeysView(self)

    def values(self) -> Any:
        return ValuesView(self)

    def items(self) -> Any:
        return ItemsView(self)

    def copy(self) -> _Modules:
        return _Modules(self)


@contextmanager
def _running(module: QuantizedCalls) -> Iterator[None]:
    call = _Running(module)
    with ExitStack() as stack:
        stack.enter_context(watched())
        if call.table.loops:
            call.start = stack.enter_context(origins.following())
        _thread.calls.append(call)
        try:
            yield
        finally:
            _thread.calls.pop()
    call.put_back()
    missing = min((passed - call.seen for passed in call.table.passed), key=len, default=None)
    if missing:
        names = ", ".join(sorted(call.table.sites[key].name for key in missing))
        warnings.warn(f"gfpq.torch: {names}: called in the recorded pass, and not in this one", stacklevel=3)


def watched() -> AbstractContextManager[None]:
    """Within it the functions that this thread calls find their quantizers."""
    return nullcontext() if _thread.watched else _watch()


@contextmanager
def _watch() -> Iterator[None]:
    _thread.watched = True
    try:
        with _Calls():  # type: ignore[no-untyped-call, unused-ignore]
            yield
    finally:
        _thread.watched = False


class _Calls(TorchFunctionMode):
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = _name_of(func)
        result = self._call(name, func, args, kwargs) if name in _NAMES else func(*args, **kwargs)
        if type(result) not in origins.NO_TENSORS and origins.is_following():
            rewritten = args[0] if args and _is_in_place(func, kwargs) and isinstance(args[0], Tensor) else None
            origins.note_made(result, rewritten)
        return result

    def _call(self, name: str, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        frame = calling_frame(sys._getframe(1))
        code, end = stack_of(frame)
        module = None if end is None else end.f_locals["self"]
        call = _thread.calls[-1] if _thread.calls else None
        if call is None or call.module is not module:
            if module is not None and own_forward(module):
                _warn_unknown(name, module, type(module).__name__, args, kwargs, frame, ())
            return func(*args, **kwargs)
        known_by = call.table.known_by((name, code), origins.origins_of((args, kwargs), call.start))
        line = name, code, known_by
        key = (*line, call.passes[line])
        call.passes[line] += 1
        site = call.table.sites.get(key)
        if site is None:
            if key not in call.table.floating:
                _warn_unknown(name, module, call.table.module or "the model", args, kwargs, frame, known_by)
            return func(*args, **kwargs)
        if _checkpointed(frame, end):
            raise NotSupportedError(
                f"{site.name} is called in torch.utils.checkpoint: in backward its inputs would not be quantized. "
                f"Checkpoint {site.module or 'the model'} as a whole, or leave the call in float: "
                f"gfpq.torch.prepare(..., skip=[{site.name!r}])"
            )
        call.use(site)
        return _on_quantized(func, args, kwargs, site, call.module.call_quantizers)


_name_of = lru_cache(maxsize=None)(function_name)
_in_place_by_name = lru_cache(maxsize=None)(lambda function: is_in_place(function, {}))


def _is_in_place(function: Any, kwargs: dict[str, Any]) -> bool:
    return _in_place_by_name(function) or (bool(kwargs) and is_in_place(function, kwargs))


def _checkpointed(frame: Any, end: Any) -> bool:
    """Whether a checkpoint lies between two frames."""
    while frame is not end:
        if frame.f_globals.get("__name__") == "torch.utils.checkpoint":
            return True
        frame = frame.f_back
    return False


def _on_quantized(func: Any, args: Any, kwargs: dict[str, Any], site: CallSite, quantizers: CallQuantizers) -> Any:
    """Calls a function with the site's inputs quantized."""
    tensors = [tensor for _, tensor in tensors_in((args, kwargs))]
    counted = list(range(len(tensors)))
    if len(tensors) != site.tensors and is_jit_tracing():  # which makes tensors of sizes, such as x.shape[2]
        counted = [i for i, tensor in enumerate(tensors) if tensor.dim() or tensor.is_floating_point()]
    if len(counted) != site.tensors:
        raise NotSupportedError(
            f"{site.name} is called with {len(tensors)} tensors, and was with {site.tensors} in the recorded pass: "
            "prepare the model with example_inputs like these"
        )
    made = list(tensors)
    for number, position in enumerate(site.positions):
        key = site.quantizer_key(number)
        if key in quantizers:
            made[counted[position]] = quantizers[key](tensors[counted[position]])
    if is_in_place(func, kwargs) and made[0] is not tensors[0]:  # the function is to write to the very tensor
        made[0] = tensors[0].copy_(made[0])
    args, kwargs = _with_tensors((args, kwargs), iter(made))
    return func(*args, **kwargs)


def _with_tensors(item: Any, tensors: Iterator[Tensor]) -> Any:
    """The same lists, tuples and dicts with other tensors, in the order of `tensors_in`."""
    if isinstance(item, Tensor):
        return next(tensors)
    if isinstance(item, dict):
        return {key: _with_tensors(part, tensors) for key, part in item.items()}
    if isinstance(item, (list, tuple)):
        parts = [_with_tensors(part, tensors) for part in item]
        return parts if isinstance(item, list) else tuple(parts)
    return item


def _warn_unknown(
    name: str, module: nn.Module, where: str, args: Any, kwargs: dict[str, Any], frame: Any, known_by: tuple[str, ...]
) -> None:
    """Warns of a call that the recorded pass does not have, if its inputs would be quantized."""
    given = arguments(name, args, kwargs)
    tensors = [tensor for _, tensor in tensors_in(given) if not isinstance(tensor, nn.Parameter)]
    fits = all(tensor.is_floating_point() and tensor.dim() in (2, 4) for tensor in tensors)
    if tensors and fits and describe_function(name, given)[0] in QUANTIZED_FUNCTIONS:
        advice = "prepare the model with example_inputs that lead there"
        if module.training:
            advice = f"where evaluation never calls it, there is nothing to do; else {advice} in evaluation"
        after = f", on what was made from {' and '.join(filter(None, known_by))}" if any(known_by) else ""
        warnings.warn(
            f"gfpq.torch: {name} in {where}, {frame.f_code.co_filename}:{frame.f_lineno}{after}, was not called in the "
            f"recorded pass, or from elsewhere, and is not quantized: {advice}", stacklevel=4,
        )  # fmt: skip
