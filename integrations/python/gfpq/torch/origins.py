"""Which layer a tensor was computed from: what tells the rounds of a loop apart.

A tensor's origin is the quantized layer that began last among those that it was computed from. Where one call of a
module calls this layer more than once, as a head for all levels of a pyramid, the origin of the layer's own input
belongs to it, and so on: "head after lateral.2". It is found in a record and in a running network by the same rule.
What layers in float and functions make in between changes nothing, nor does what else was computed before.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .recorded import Operation, Record
from .running import tensors_in

NO_TENSORS = frozenset([bool, int, float, str, torch.Size, torch.dtype, torch.device, torch.layout])
_LONGEST = 32  # layers in an origin: a recurrent network of any length is to cost little


class Origin(NamedTuple):
    """A call of a layer."""

    time: int  # rises from call to call
    layer: str
    before: Origin | None  # of the layer's input

    def text(self, start: int, repeated: Collection[str]) -> str:
        """As it is seen from a call of a module that began at `start` and calls the layers `repeated` repeatedly."""
        layers: list[str] = []
        origin: Origin | None = self
        while origin is not None and origin.time > start and len(layers) < _LONGEST:
            layers.append(origin.layer)
            origin = origin.before if origin.layer in repeated else None
        return " after ".join(layers)


_UNKNOWN = Origin(0, "", None)  # an argument of the module, a constant, what compiled code made


class _Thread(threading.local):
    def __init__(self) -> None:
        self.following = 0  # modules that are running and need it
        self.time = 0
        self.made: dict[int, tuple[weakref.ref[Tensor], Origin]] = {}
        self.begun: tuple[Tensor | None, Origin] = None, _UNKNOWN  # a layer whose quantizer passed on what it got


_thread = _Thread()


@contextmanager
def following() -> Iterator[int]:
    """Within it origins are followed in this thread. Gives the time of its beginning."""
    _thread.following += 1
    try:
        yield _thread.time
    finally:
        _thread.following -= 1
        if not _thread.following:
            _thread.__init__()  # type: ignore[misc]


def is_following() -> bool:
    return bool(_thread.following)


def layer_begins(name: str, given: Tensor, quantized: Tensor) -> None:
    """Tells of a quantized layer that begins with a tensor, and what its quantizer made of it."""
    if _thread.following:
        _thread.time += 1
        origin = Origin(_thread.time, name, _origin_of(given))
        if quantized is given:  # others may read it too
            _thread.begun = given, origin
        else:
            _thread.made[id(quantized)] = weakref.ref(quantized), origin


def note_made(args: tuple[Any, ...], kwargs: dict[str, Any], result: Any, rewritten: Tensor | None) -> None:
    """Tells of what a function read and returned, and of a tensor that it wrote to."""
    made, newest = _thread.made, _UNKNOWN
    given, begun = _thread.begun
    for item in (*args, *kwargs.values()) if kwargs else args:
        for tensor in _tensors_of(item):
            known = made.get(id(tensor))
            if known is not None and known[0]() is tensor and known[1] > newest:
                newest = known[1]
            if tensor is given:  # the layer's function is the first one that reads it
                newest = max(newest, begun)
                _thread.begun = None, _UNKNOWN
    for tensor in _tensors_of(result):
        known = made.get(id(tensor))
        if known is None or known[0]() is not tensor or tensor is rewritten:
            made[id(tensor)] = weakref.ref(tensor), newest
    if rewritten is not None:
        made[id(rewritten)] = weakref.ref(rewritten), newest


def _tensors_of(item: Any) -> Iterable[Tensor]:
    if isinstance(item, Tensor):
        return (item,)
    return () if type(item) in NO_TENSORS else [tensor for _, tensor in tensors_in(item)]


def _origin_of(tensor: Tensor) -> Origin:
    reference, origin = _thread.made.get(id(tensor), (None, _UNKNOWN))
    return origin if reference is not None and reference() is tensor else _UNKNOWN


def origins_of(inputs: Any) -> list[Origin]:
    """The origins of a function's inputs."""
    tensors = [tensor for _, tensor in tensors_in(inputs) if tensor.is_floating_point() and tensor.dim()]
    return [_origin_of(tensor) for tensor in tensors]


def names(origins: list[Origin], start: int, repeated: Collection[str], all_inputs: bool) -> tuple[str, ...]:
    """What a call is known by: the newest input's origin, or those of all its inputs. See Origin.text."""
    inside = [origin for origin in origins if origin.time > start]
    chosen = inside if all_inputs else [max(inside, default=_UNKNOWN)]
    return tuple(origin.text(start, repeated) for origin in chosen)


class RecordedOrigins:
    """The same in a recorded pass. `layers`: the names of the quantized layers."""

    def __init__(self, record: Record, layers: Collection[str]) -> None:
        self.record, self.layers, self.data = record, layers, record.data
        self.by_weight = {o.caller for o in record.operations if o.caller in layers and o.layer == o.caller}
        self.begun: set[tuple[str, int]] = set()  # calls of layers with a `forward` of their own
        self.made: dict[int, Origin] = {}
        for operation in record.operations:
            newest = max((self.made.get(value, _UNKNOWN) for value in operation.inputs), default=_UNKNOWN)
            layer = self._layer_that_begins(operation)
            if layer is not None:
                newest = Origin(operation.index + 1, layer, newest)
            if "::" not in operation.function:  # compiled code
                self.made.update((value, newest) for value in operation.outputs if value not in operation.inputs)

    def _layer_that_begins(self, operation: Operation) -> str | None:
        """A layer with a `forward` of its own begins where it uses its weight; without one, where it reads data."""
        if operation.module is not None and operation.module in self.layers:
            return operation.module
        caller, call = operation.caller, (operation.caller, operation.caller_call)
        if caller not in self.layers or call in self.begun:
            return None
        begins = operation.layer == caller if caller in self.by_weight else self.data.intersection(operation.inputs)
        if begins:
            self.begun.add(call)
        return caller if begins else None

    def of(self, operation: Operation) -> list[Origin]:
        """As `origins_of`."""
        values = [self.record.values[index] for index in operation.inputs]
        floating = [value for value in values if value.dtype.startswith(("float", "bfloat")) and value.shape]
        return [self.made.get(value.index, _UNKNOWN) for value in floating]
