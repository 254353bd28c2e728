"""Where in a program's code a function is called."""

from __future__ import annotations

import dis
from functools import lru_cache
from typing import Any, NamedTuple

from torch import nn

_PACKAGE = __name__.rpartition(".")[0]
# Python code of PyTorch between a caller and the function that a mode sees.
_THIN = ("torch.nn.functional", "torch._jit_internal", "torch.overrides", "torch._tensor", "torch.functional",
         "torch._ops", "torch.utils._device", "torch.utils._mode_utils", _PACKAGE + ".record", _PACKAGE + ".observers",
         _PACKAGE + ".functional", _PACKAGE + ".compiled_calls")
_CALLS = ("CALL", "BINARY", "INPLACE")  # the beginnings of the names of instructions that call
_JUMPS = frozenset([*dis.hasjrel, *dis.hasjabs])


class Place(NamedTuple):
    """A call in a function's code, by which a model from a file finds it again with the same version of Python.

    Changes to other functions of the file do not matter.
    """

    function: str
    line: int  # counted from the function's first
    number: int  # of the calls in this line, in the order of the code
    words: tuple[str, ...]  # the names and constants that the line uses: another line in its place has others
    in_loop: bool


Stack = tuple[Place, ...]  # the innermost first

CALL_OF_MODULE = nn.Module._call_impl.__code__
_ends = {CALL_OF_MODULE}


def ends_stack(function: Any) -> Any:
    """A decorator for what calls a module's `forward`."""
    _ends.add(function.__code__)
    return function


def is_end(code: Any) -> bool:
    """Whether it is the code of such a function, or of PyTorch's own call of a module."""
    return code in _ends


def is_own(frame: Any) -> bool:
    """Whether a frame is of this package."""
    return f"{frame.f_globals.get('__name__')}.".startswith(_PACKAGE + ".")


def calling_frame(frame: Any) -> Any:
    """From a frame in which a mode was told of a call outwards: the one that called the function."""
    while frame.f_back is not None and frame.f_globals.get("__name__") in _THIN:
        frame = frame.f_back
    return frame


def stack_of(frame: Any) -> tuple[Stack, Any]:
    """The places that lead from a module's `forward` to a call, and the frame that called `forward` (None: none did).

    Left out are those in PyTorch and in this package.
    """
    places = []
    while frame is not None and frame.f_code not in _ends:
        if not f"{frame.f_globals.get('__name__')}.".startswith(("torch.", _PACKAGE + ".")):
            places.append(_place(frame.f_code, frame.f_lasti))
        frame = frame.f_back
    return tuple(places), frame


@lru_cache(maxsize=10000)
def _place(code: Any, offset: int) -> Place:
    instructions = list(dis.get_instructions(code))
    # Behind a call of a Python function CPython may be in the call's cache, and may not, as who watches its frames.
    offset = max(instruction.offset for instruction in instructions if instruction.offset <= offset)
    starts = list(dis.findlinestarts(code))
    line = max((start for start in starts if start[0] <= offset), default=(0, code.co_firstlineno))[1]
    number, words, current, in_loop = 0, [], None, False
    lines = dict(starts)
    for instruction in instructions:
        current = lines.get(instruction.offset, current)
        if instruction.opcode in _JUMPS:
            in_loop |= instruction.argval <= offset <= instruction.offset
        if current == line:
            number += instruction.opname.startswith(_CALLS) and instruction.offset < offset
            if instruction.opcode in _JUMPS:  # their targets move with other lines
                continue
            used = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
            words += [str(word) for word in used if isinstance(word, (str, int, float))]
    return Place(code.co_name, (line or 0) - code.co_firstlineno, number, tuple(words), in_loop)
