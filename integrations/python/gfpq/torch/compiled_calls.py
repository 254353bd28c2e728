"""Calls of functions in a program that torch.compile makes of a model: which of them have quantizers.

torch.compile goes through a model's code itself, instruction by instruction, and makes of a mode's `__torch_function__`
what it makes of other code. The mode here asks, while the program is made, where in the code torch.compile is, and
finds the quantizers by that as gfpq.torch.functional does by the frames of code that runs. What it finds is a constant
of the program. What can't be told before it runs is refused, and so is a program that lacks a call of the recorded
pass: none is made that leaves in float what is to be quantized.
"""

from __future__ import annotations

import dis
import importlib
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, TypeVar, cast

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ..errors import NotSupportedError, some
from .call_inputs import Use, on_quantized
from .callers import CALL_OF_MODULE, calling_frame, is_end, is_own, stack_of
from .context import COMPILES
from .operations import ALIASES, plain_name
from .running import tensors_in
from .sites import NAMES, CallSite

if TYPE_CHECKING:
    from .functional import QuantizedCalls

Function = TypeVar("Function", bound=Callable[..., Any])
_SPELLED = frozenset(
    spelled for name in (*NAMES, *ALIASES) if plain_name(name) in NAMES for spelled in (name, f"{name}_", f"__{name}__")
)
_CALL_OF_MODEL = str(Path(__file__).with_name("model.py")), "__call__"
_OF_TWO = frozenset(["add", "sub", "rsub", "mul", "maximum"])  # not quantized with a number


def _when_made(function: Function) -> Function:
    """For a function that is called while a program is made, and whose result is a constant of the program."""
    return cast(Any, torch).compiler.assume_constant_result(function) if COMPILES else function


class CompiledCalls(TorchFunctionMode):
    """Quantizes, in a program, the inputs of functions that a module's `forward` calls."""

    def __init__(self, module: QuantizedCalls) -> None:
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.module = module

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func.__name__ not in _SPELLED:
            return func(*args, **kwargs)
        kinds = [(tensor.dim(), tensor.is_floating_point()) for _, tensor in tensors_in((args, kwargs))]
        found = _use_of(func.__name__, id(self.module._gfpq_calls), kinds)
        if not found:
            return func(*args, **kwargs)
        return on_quantized(func, args, kwargs, Use(*found), self.module.call_quantizers)


@_when_made
def begin(table: int) -> None:
    """Tells of the beginning of the `forward` of the module whose CallTable has this id.

    Raises NotSupportedError for calls that its program can't tell.
    """
    frame = _program_frame()
    if _is_model_running():
        raise NotSupportedError(
            "something breaks the program of this model, or a part of it alone is compiled: compile the whole model, "
            "with fullgraph=True, which tells what breaks it"
        )
    own = _own_call(frame, table)
    names = sorted(site.name for site in _quantized(own) if (site.function, site.code) in own._gfpq_calls.loops)
    if names:
        raise NotSupportedError(
            f"{some(names)}: called in a loop, or more than once, where torch.compile can't tell the calls apart. Call "
            f"it in lines of its own, or leave it in float, gfpq.torch.prepare(..., skip={names[:1]!r}), or compile "
            "what gfpq.torch.export(model) returns"
        )


@_when_made
def end(table: int) -> None:
    """Tells of its end. Raises NotSupportedError where a call of the recorded pass did not come."""
    frame = _program_frame()
    own, seen = _own_call(frame, table), _seen_in(frame)
    missing = sorted(site.name for site in _quantized(own) if site.key not in seen)
    if missing:
        raise NotSupportedError(
            f"{some(missing)}: called in the recorded pass, and not found in what torch.compile made of this one. Where a "
            "pass is to go without, or to call it in torch.utils.checkpoint, leave it in float, "
            "gfpq.torch.prepare(..., skip=[name]), or don't compile"
        )


@_when_made
def check_forward(method: str) -> None:
    """Raises NotSupportedError where a method that calls quantized functions is not called by the model's `forward`."""
    frame: Any = _program_frame()
    module = frame.f_locals["self"]
    while frame is not None and not (is_end(frame.f_code) and frame.f_code is not CALL_OF_MODULE):
        frame = frame.f_back
    if frame is None and (module is None or method in module._gfpq_calls.methods):
        raise NotSupportedError(
            f"{method} was called without the model's `forward`: the inputs of functions that it calls would stay in "
            "float. Compile the model, or prepare one whose `forward` is this method"
        )


@_when_made
def _use_of(function: str, table_id: int, kinds: Sequence[tuple[int, bool]]) -> tuple[Any, ...]:
    """The Use of the call that the program comes to, or () where the module has no quantizers for it.

    Args:
        function: its name.
        table_id: the id of the CallTable of the module whose mode asks: the program is for this one.
        kinds: of the tensors that it is called with, the number of axes, and whether the numbers are floating-point.
    """
    frame = calling_frame(_program_frame())
    if is_own(frame):  # a quantizer's arithmetic
        return ()
    code, last = stack_of(frame)
    table = None if last is None else getattr(last.f_locals["self"], "_gfpq_calls", None)
    if table is None or id(table) != table_id:
        return ()
    seen = _seen_in(last)
    name = plain_name(function)
    key = (name, code, (), 0)
    seen[key] += 1
    site = table.sites.get(key)
    if site is not None and site not in _quantized(last.f_locals["self"]):
        return ()
    if site is None:
        known = key in table.floating or (name, code) in table.loops
        fits = all(floating and axes in (2, 4) for axes, floating in kinds)
        if fits and not known and len(kinds) > (name in _OF_TWO):
            where = f"{table.module or 'the model'}, {frame.f_code.co_filename}:{frame.line}"
            warnings.warn(
                f"gfpq.torch: {name} in {where}, was not called in the recorded pass, or from elsewhere, and is not "
                "quantized: where evaluation never calls it, there is nothing to do; else prepare the model with "
                "example_inputs that lead there", stacklevel=2,
            )  # fmt: skip
        return ()
    if seen[key] > 1:
        raise NotSupportedError(f"{site.name} is called more than once, and was once in the recorded pass")
    return tuple(site.use)


def _is_model_running() -> bool:
    """Whether this is within a pass of a prepared model, the code of which runs itself."""
    frame: Any = sys._getframe(1)
    while frame is not None and (frame.f_code.co_filename, frame.f_code.co_name) != _CALL_OF_MODEL:
        frame = frame.f_back
    return frame is not None


def _quantized(module: QuantizedCalls) -> Iterator[CallSite]:
    """The sites with quantizers."""
    for site in module._gfpq_calls.sites.values():
        if any(key in module.call_quantizers for _, key in site.use.inputs):
            yield site


class _Frame:
    """What torch.compile is at in a function's code, as a frame of Python that runs it."""

    def __init__(self, translator: Any, f_code: Any, module: nn.Module | None, f_back: _Frame | None) -> None:
        self.translator, self.f_code, self.f_locals, self.f_back = translator, f_code, {"self": module}, f_back
        self.f_globals = translator.f_globals

    @property
    def line(self) -> int:
        return int(self.translator.lineno)

    @property
    def f_lasti(self) -> int:
        """Where in the code. torch.compile has instructions of its own, made of these."""
        now = self.translator.current_instruction
        if now.positions is None:  # before Python 3.11: they have the same places
            return int(now.offset)

        def alike(instructions: Any) -> list[Any]:
            return [each for each in instructions if (each.opcode, each.positions) == (now.opcode, now.positions)]

        found, here = alike(dis.get_instructions(self.f_code)), alike(self.translator.instructions)
        if len(found) != len(here):
            raise NotSupportedError("this version of torch.compile changes code so that a call is not known in it")
        return int(found[[each is now for each in here].index(True)].offset)


def _program_frame() -> _Frame:
    """The frames of the program's code, from the innermost outwards."""
    translators: Any = importlib.import_module("torch._dynamo.symbolic_convert").InstructionTranslator
    return cast(_Frame, _frame_of(translators.current_tx().output.current_tx))


def _frame_of(translator: Any) -> _Frame | None:
    if translator is None:
        return None
    code, module = translator.f_code, translator.symbolic_locals.get("self")
    if code.co_name.startswith("torch_dynamo_resume_in_"):
        raise NotSupportedError(
            "the code between two programs of torch.compile is not known: compile with fullgraph=True, which tells "
            "what breaks the program"
        )
    module = getattr(module.realize() if hasattr(module, "realize") else module, "value", None)
    back = _frame_of(translator.parent)
    if not isinstance(module, nn.Module):
        return _Frame(translator, code, None, back)
    if getattr(type(module).forward, "__code__", None) is code and not is_end(code):
        back = _Frame(translator, CALL_OF_MODULE, module, back)  # torch.compile leaves this call out
    return _Frame(translator, code, module, back)


def _own_call(frame: Any, table: int) -> QuantizedCalls:
    """The module whose `forward` a frame is. Raises NotSupportedError where it is not."""
    own = frame.f_locals["self"]
    if id(getattr(own, "_gfpq_calls", None)) != table or not is_end(frame.f_code):
        raise NotSupportedError("this version of torch.compile does not tell what module its program is of")
    return cast("QuantizedCalls", own)


def _seen_in(frame: Any) -> Counter[Any]:
    """How often the calls of a module's `forward` came."""
    return cast("Counter[Any]", vars(frame.translator).setdefault("_gfpq_seen", Counter()))
