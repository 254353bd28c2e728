"""What the quantizers of a model do together in a pass, instead of each by itself.

At the beginning one call of the library quantizes all weights that are on a GPU, where a gradient is wanted, which keeps
them all anyway. At the end ranges that a GPU found are taken from the jobs' parameters into the buffers `range`, and in
distributed training one reduction gives all ranks the widest of each range.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from . import distributed
from .jobs import Call, Result, run
from .rows import known_rows, left_out, params_of, rows_of

if TYPE_CHECKING:
    from .range_buffer import RangeBuffer


class _Thread(threading.local):
    learned: list[RangeBuffer] | None = None  # on a GPU, in the pass that is under way


_thread = _Thread()


@contextmanager
def one_pass(model: nn.Module) -> Iterator[None]:
    """A pass of a model. Those of its parts belong to it."""
    if _thread.learned is not None:
        yield
        return
    _thread.learned = []
    made = []
    try:
        made = quantize_weights(model) if model.training and torch.is_grad_enabled() else []
        yield
    finally:
        learned, _thread.learned = _thread.learned, None
        for quantizer in made:
            quantizer.ready = None
        take_over(dict.fromkeys(learned))
    join(model)  # not after an error, which other ranks may not have


class Ready(NamedTuple):
    """A weight's quantized numbers, as long as the weight stays as it is, and they do."""

    weight: Any  # by which it is known
    result: Result
    version: int  # of the result, which who has it may change

    def is_of(self, x: Tensor) -> bool:
        return self.weight == _identity(x) and self.result[0]._version == self.version


def _identity(x: Tensor) -> Any:
    return x.data_ptr(), x._version, x.shape, x.stride()


def quantize_weights(model: nn.Module) -> list[Any]:
    """Quantizes the weights of a model that are on a GPU, in one call for each GPU. Returns the quantizers that have
    them ready.
    """
    found: dict[torch.device, dict[Any, Call]] = {}
    for layer in model.modules():
        quantizer: Any = getattr(layer, "weight_quantizer", None)
        weight = layer._parameters.get("weight")
        if type(weight) is not nn.Parameter or weight.dim() < 2 or not hasattr(quantizer, "call_for_weight"):
            continue  # a part of one, for instance, which other code puts together when it is needed
        call = quantizer.call_for_weight(weight)
        if call is not None:
            found.setdefault(weight.device, {})[quantizer] = call
    for calls in found.values():
        for (quantizer, call), result in zip(calls.items(), run(list(calls.values()))):
            quantizer.ready = Ready(_identity(call.x), result, result[0]._version)
    return [quantizer for calls in found.values() for quantizer in calls]


def is_under_way() -> bool:
    """Whether a pass of a model is under way, at whose end all comes that its quantizers put off."""
    return _thread.learned is not None


def note_learned(quantizer: RangeBuffer) -> None:
    """Tells of a quantizer whose range a job on the GPU may have changed."""
    if _thread.learned is None:
        take_over([quantizer])
    else:
        _thread.learned.append(quantizer)


def settle(quantizer: RangeBuffer) -> None:
    """Takes over at once what a quantizer has put off."""
    if _thread.learned and quantizer in _thread.learned:
        _thread.learned = [other for other in _thread.learned if other is not quantizer]
        take_over([quantizer])


@torch.no_grad()
def take_over(quantizers: Iterable[RangeBuffer]) -> None:
    """Takes ranges from the jobs' parameters into the buffers. Nothing waits for the GPU."""
    for bits, group in _grouped(quantizers):
        before = torch.cat([q.range for q in group])
        params = torch.cat([q.device_params for q in group])
        rows = rows_of(params, before, bits, leaves_out_infinite=True)
        counts = left_out(params, rows, bits).int().split([len(q.range) for q in group])
        torch._foreach_add_([q.left_out for q in group], list(counts))
        _put(group, rows, bits)


@torch.no_grad()
def join(model: nn.Module) -> None:
    """In distributed training: gives all ranks the widest of each range, by one reduction.

    All quantizers that learn in training take part, in the order of the model's modules, called or not.
    """
    if distributed.world_size() == 1:
        return
    found: list[Any] = [q for q in model.modules() if getattr(q, "joins", False)]
    for process_group in dict.fromkeys(q.process_group for q in found):
        joined = [q for q in found if q.process_group is process_group]
        together = torch.cat([q.range.to(joined[0].range.device) for q in joined])
        exponents = (together[:, 0] / together[:, 2]).masked_fill(~(together[:, 2] > 0), -torch.inf)
        parts = distributed.largest(exponents, process_group).split([len(q.range) for q in joined])
        widest = dict(zip(joined, parts))
        for bits, group in _grouped(joined):
            own = torch.cat([q.range for q in group])
            exponents = torch.cat([widest[q] for q in group]).to(own.device)
            rows = known_rows(exponents, bits).masked_fill(exponents.eq(-torch.inf).unsqueeze(1), 0)
            _put(group, torch.where(own.isnan(), own, rows), bits)  # one that is damaged stays so


def _grouped(quantizers: Iterable[Any]) -> Iterator[tuple[int, list[Any]]]:
    """The quantizers of each device and bit width."""
    groups: dict[tuple[str, int], list[Any]] = {}
    for quantizer in quantizers:
        groups.setdefault((str(quantizer.range.device), quantizer.bits), []).append(quantizer)
    for (_, bits), group in groups.items():
        yield bits, group


def _put(quantizers: Sequence[Any], rows: Tensor, bits: int) -> None:
    """Writes rows to the buffers, and to the jobs' parameters where there are any."""
    sizes = [len(q.range) for q in quantizers]
    _copy([q.range for q in quantizers], rows.split(sizes))
    params = params_of(rows, bits).split(sizes)
    pairs = [(q, part) for q, part in zip(quantizers, params) if q.device_params is not None]
    _copy([q.device_params for q, _ in pairs], [part for _, part in pairs])
    for quantizer, _ in pairs:
        quantizer.note_device_params()


def _copy(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    if targets and hasattr(torch, "_foreach_copy_"):  # one call for all
        torch._foreach_copy_(targets, list(sources))
    else:
        for target, source in zip(targets, sources):
            target.copy_(source)
