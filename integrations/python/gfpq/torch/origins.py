"""From which layer on a tensor was made: what tells the rounds of a loop apart.

A tensor's origin is the quantized layer that began last before the tensor was made, within a call of a module. It is
found in a record and in a running network by the same rule. What layers in float and functions make in between changes
nothing; layers that only training calls matter only to what is made after them.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from .recorded import Record
from .running import tensors_in

Origin = tuple[int, str]  # a number that rises with time, the layer's name
NO_TENSORS = frozenset([bool, int, float, str, torch.Size, torch.dtype, torch.device, torch.layout])
_UNKNOWN: Origin = (0, "")  # an argument of the module, a constant, what compiled code made


class _Thread(threading.local):
    def __init__(self) -> None:
        self.following = 0  # modules that are running and need it
        self.last = _UNKNOWN
        self.made: dict[int, tuple[weakref.ref[Tensor], Origin]] = {}


_thread = _Thread()


@contextmanager
def following() -> Iterator[int]:
    """Within it origins are followed in this thread. Gives the time of its beginning, for `names`."""
    _thread.following += 1
    try:
        yield _thread.last[0]
    finally:
        _thread.following -= 1
        if not _thread.following:
            _thread.last = _UNKNOWN
            _thread.made.clear()


def is_following() -> bool:
    return bool(_thread.following)


def layer_begins(name: str) -> None:
    """Tells of a quantized layer that begins."""
    if _thread.following:
        _thread.last = (_thread.last[0] + 1, name)


def note_made(result: Any, rewritten: Tensor | None) -> None:
    """Tells of what a function returned, and of a tensor that it wrote to."""
    for _, tensor in tensors_in(result):
        known = _thread.made.get(id(tensor))
        if known is None or known[0]() is not tensor or tensor is rewritten:
            _thread.made[id(tensor)] = weakref.ref(tensor), _thread.last
    if rewritten is not None:
        _thread.made[id(rewritten)] = weakref.ref(rewritten), _thread.last


def origins_of(inputs: Any, start: int) -> list[Origin]:
    """The origins of a function's inputs, in the call of a module that began at `start`."""
    origins = []
    for _, tensor in tensors_in(inputs):
        reference, origin = _thread.made.get(id(tensor), (None, _UNKNOWN))
        known = reference is not None and reference() is tensor and origin[0] > start
        if known and tensor.is_floating_point() and tensor.dim():
            origins.append(origin)
    return origins


def names(origins: list[Origin], all_inputs: bool) -> tuple[str, ...]:
    """What a call is known by: the newest input's origin, or those of all its inputs."""
    return tuple(name for _, name in (origins if all_inputs else [max(origins, default=_UNKNOWN)]))


class RecordedOrigins:
    """The same in a recorded pass. `layers`: the names of the quantized layers."""

    def __init__(self, record: Record, layers: Collection[str]) -> None:
        self.record = record
        self.last: list[Origin] = []  # when an operation was over
        for operation in record.operations:
            last = self.last[-1] if self.last else _UNKNOWN
            for name in (operation.caller, operation.module):
                if name is not None and name in layers:
                    last = operation.index + 1, name
            self.last.append(last)

    def of(self, values: tuple[int, ...], start: int) -> list[Origin]:
        """As `origins_of`; `start`: how many operations there were before the module's call."""
        origins = []
        for value in (self.record.values[index] for index in values):
            floating = value.dtype.startswith(("float", "bfloat")) and value.shape
            if floating and value.producer is not None and "::" not in self.record.operations[value.producer].function:
                origin = self.last[value.producer]
                if origin[0] > start:
                    origins.append(origin)
        return origins
