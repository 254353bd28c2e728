"""Quantizing the inputs of functions: Concat, Eltwise, Upsample and pooling that a module's `forward` calls.

A recorded pass tells where such functions are called. The calling module gets the quantizers and another class, whose
`forward` opens a TorchFunctionMode: that finds the quantizers of a call by the function, by all places in the code that
lead to it from the module's `forward`, in a loop by the layers that its newest input was computed from (see
gfpq.torch.origins; of all inputs, where that alone does not tell the rounds apart), and by how often such a call came
before in this call of the module. A call that the recorded pass does not have is warned of, and stays in float. Where
as many calls that are alike in all this come as in the recorded pass, they are taken for the same ones in the same
order; where more or fewer come, ranges that they changed are put back, with a warning: which of the calls these were,
nothing proves.

Beside its quantizers it costs 1 to 2 us for each PyTorch function in a pass, 1 us more in modules with such loops, and
10 us for each quantized call (on one x86-64 core, PyTorch 1.13).
"""

from __future__ import annotations

import sys
import threading
import warnings
from collections import Counter, OrderedDict
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import lru_cache, wraps
from inspect import isfunction
from typing import Any, Callable, Union

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..errors import NotSupportedError
from . import origins
from .call_inputs import on_quantized
from .callers import calling_frame, ends_stack, stack_of
from .compiled_calls import CompiledCalls, begin, check_forward, end
from .context import compiling
from .fake_quantize import FakeQuantize
from .layers import Swapped, made_class, made_of, without
from .operations import QUANTIZED_FUNCTIONS, arguments, describe_function, function_name, is_in_place
from .running import own_forward, tensors_in
from .sites import NAMES, CallSite, CallSites, CallTable, Key

_PACKAGE = __name__.partition(".")[0]
_QUANTIZERS = "call_quantizers"


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
        here = [item for item in placed if item[0].module == name]
        own = {site.quantizer_key(number): quantizer for site, number, quantizer in here}
        numbers = {site.place: site.signature for site, _, _ in here}
        vars(module)["_modules"] = _Modules(module._modules)
        module.add_module(_QUANTIZERS, CallQuantizers(own, numbers))
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
    """The quantizers of the functions that a module calls, by the function and the input's number: `cat_1:0`.

    The buffer `calls` has the signatures of these calls, in the order of their names. A state_dict whose signatures are
    others is refused: its ranges were found for other calls. In float64 the weighted average of equal ones is the same.
    """

    calls: Tensor | None

    def __init__(self, quantizers: dict[str, FakeQuantize], numbers: dict[str, int]) -> None:
        super().__init__(quantizers)
        self.numbers = numbers
        calls = torch.tensor([numbers[place] for place in sorted(numbers)], dtype=torch.float64)
        ranges = [quantizer.range for quantizer in quantizers.values() if quantizer.range is not None]
        self.register_buffer("calls", calls.to(ranges[0].device) if ranges else calls)

    def _apply(self, fn: Callable[[Tensor], Tensor], *arguments: Any, **keywords: Any) -> CallQuantizers:
        before = self.calls
        super()._apply(fn, *arguments, **keywords)  # type: ignore[no-untyped-call]
        if before is not None and self.calls is not None and self.calls.dtype != before.dtype:  # half, float
            self.calls = before.to(self.calls.device)
        return self

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], strict: bool, missing: list[str],
        unexpected: list[str], errors: list[str],
    ) -> None:
        keys = [key[len(prefix) :] for key in state_dict if key.startswith(prefix) and key.endswith(".range")]
        places = sorted({key.rpartition(":")[0] for key in keys})
        loaded = state_dict.get(f"{prefix}calls")
        if loaded is not None and loaded.numel() == len(self.numbers) and set(places) < set(self.numbers):
            places = sorted(self.numbers)  # the others were saved with a policy that has no range
        if loaded is None and places:
            errors.append(f"{prefix[:-1]} has ranges and no `calls`, which tells what they are of")
        elif loaded is not None and loaded.numel() != len(places):
            errors.append(f"{prefix}calls has {loaded.numel()} entries for {len(places)} calls")
        elif loaded is not None:
            self._check_calls(prefix.removesuffix(f"{_QUANTIZERS}."), dict(zip(places, loaded.tolist())), errors)
        if self.calls is not None:  # which is the truth of this model
            state_dict[f"{prefix}calls"] = self.calls
        super()._load_from_state_dict(  # type: ignore[no-untyped-call]
            state_dict, prefix, local_metadata, strict, missing, unexpected, errors
        )

    def _check_calls(self, prefix: str, loaded: dict[str, float], errors: list[str]) -> None:
        wrong = []
        for place in sorted(set(loaded) & set(self.numbers)):
            if abs(loaded[place] - self.numbers[place]) >= 0.5:
                here = next((own for own, number in self.numbers.items() if abs(number - loaded[place]) < 0.5), None)
                call = f"the call that is {here} here" if here else "another call, with other inputs"
                wrong.append(f"{prefix}{place} was saved for {call}")
        if wrong:
            errors.append(
                f"{'; '.join(wrong)}: the code has changed since. Load the state_dict into the code that it was saved "
                "from, or gfpq.torch.float_state(state_dict) into this one, and calibrate"
            )


class QuantizedCalls(Swapped):
    """A module whose `forward` calls functions on quantized inputs."""

    call_quantizers: CallQuantizers
    _gfpq_calls: CallTable

    @classmethod
    def content_for(cls, original: type) -> dict[str, Any]:
        return _watched_methods(original)

    @ends_stack
    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        if compiling():
            with CompiledCalls(self):
                begin(id(self._gfpq_calls))
                result = super().forward(*arguments, **keywords)
                end(id(self._gfpq_calls))
            return result
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
        if compiling():
            check_forward(name)
        elif not _thread.watched and name in self._gfpq_calls.methods:
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
        self.seen: set[Key] = set()
        self.start = 0  # for the origins of tensors
        self.before: dict[Key, list[tuple[FakeQuantize, Any]]] = {}  # ranges before the call, where it may change them

    def use(self, site: CallSite) -> None:
        """Notes that a site's quantizers are going to be used."""
        self.seen.add(site.key)
        own = [self.module.call_quantizers._modules.get(site.quantizer_key(n)) for n in range(len(site.positions))]
        self.before[site.key] = [(q, q.snapshot()) for q in own if isinstance(q, FakeQuantize) and q.learns]

    def put_back(self) -> None:
        """Puts ranges back where calls can't be told apart, for more or fewer came from a place than were recorded."""
        for line, counts in self.table.counts.items():
            count = self.passes[line]
            keys = [(*line, number) for number in range(count) if (*line, number) in self.seen]
            if not keys or count in counts:
                continue
            for quantizer, ranges in (pair for key in keys for pair in self.before[key]):
                quantizer.put_back(ranges)
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
        result = self._call(name, func, args, kwargs) if name in NAMES else func(*args, **kwargs)
        if type(result) not in origins.NO_TENSORS and origins.is_following():
            rewritten = args[0] if args and _is_in_place(func, kwargs) and isinstance(args[0], Tensor) else None
            origins.note_made(args, kwargs, result, rewritten)
        return result

    def _call(self, name: str, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        frame = calling_frame(sys._getframe(1))
        code, end = stack_of(frame)
        module = None if end is None else end.f_locals["self"]
        if not isinstance(module, nn.Module):  # while it is recorded
            module = getattr(module, "module", None)
        call = _thread.calls[-1] if _thread.calls else None
        if call is None or call.module is not module:
            if module is not None and own_forward(module):
                _warn_unknown(name, module, type(module).__name__, args, kwargs, frame, ())
            return func(*args, **kwargs)
        known_by = call.table.known_by((name, code), origins.origins_of((args, kwargs)), call.start)
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
        return on_quantized(func, args, kwargs, site.use, call.module.call_quantizers)


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
