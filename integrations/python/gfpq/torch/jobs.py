"""Jobs on tensors whose parameters lie beside them, as int32 [groups, 16], and the operator that torch.compile sees."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional, cast

import torch
from torch import Tensor

from .. import library
from ..codes import outer_and_inner
from ..errors import BadParametersError, NotInitializedError
from ..library import Job, Operation
from ..param import Mode
from .context import COMPILES
from .tensors import TYPES

AUTO = 3  # GFPQ_MODE_AUTO
WORDS = 16  # of a GFPQ_GROUP_PARAM_ST: the block's four, the status, the library's own
STATUS = 4  # its word


def on_gpu(x: Tensor) -> bool:
    return x.is_cuda


def gpu_takes(x: Tensor) -> bool:
    """Whether the GPU library has jobs for a tensor of the GPU."""
    return on_gpu(x) and x.layout is torch.strided and x.dtype in TYPES and library.gpu().has_gpu_jobs


class Call(NamedTuple):
    """A tensor to fake-quantize, and its parameters, int32 [groups, 16]: axis `dim` is cut into as many groups."""

    x: Tensor
    params: Tensor
    bits: int
    mode: int
    dim: int
    wants_mask: bool


Result = tuple[Tensor, Optional[Tensor]]  # and a mask, uint8 in the tensor's shape: 1 where |x| <= the largest value


def run(calls: Sequence[Call]) -> list[Result]:
    """Fake-quantizes tensors of one device into new ones, in one call of the library, by parameters on that device,
    which INIT, UPDATE and AUTO change.

    On a GPU nothing waits, and what is wrong with a parameter is in its status. Raises ValueError where the axis can't
    be cut; on the CPU BadParametersError for parameters that hold no valid range.
    """
    results, found, sources = [], [], []
    for x, params, bits, mode, dim, wants_mask in calls:
        source, result = x.detach().resolve_neg(), _like(x, params.shape[0])
        if result.stride() != source.stride():
            source = source.contiguous()
        mask = torch.empty_like(result, dtype=torch.uint8) if wants_mask else None
        outer, inner = outer_and_inner(tuple(x.shape), params.shape[0], dim)
        results.append((result, mask))
        sources.append(source)  # lives until the call is queued
        found.append(Job(
            Operation.FAKE_QUANTIZE, TYPES[x.dtype], bits, mode, outer, params.shape[0], inner, source.data_ptr(),
            result.data_ptr(), params.data_ptr(), 0 if mask is None else mask.data_ptr(),
        ))  # fmt: skip
    device = calls[0].x.device
    if on_gpu(calls[0].x):
        with torch.cuda.device(device):
            library.gpu().run_jobs_gpu(found, torch.cuda.current_stream().cuda_stream)
    else:
        library.cpu().run_jobs(found)
    return results


def _like(x: Tensor, groups: int) -> Tensor:
    """A new tensor for a result: with one group in the order of axes that the numbers have in memory."""
    result = torch.empty_like(x.detach())
    in_order = groups == 1 and result.stride() == x.stride()
    return result if in_order else torch.empty_like(x.detach(), memory_format=torch.contiguous_format)


def _learn_on_cpu(x: Tensor, params: Tensor, bits: int, dim: int, wants_mask: bool, label: str) -> Result:
    """AUTO as FakeQuantize has it: infinite numbers and NaN enter no range, and are warned of."""

    def run_one(x: Tensor, params: Tensor, mode: int) -> Result:
        return run([Call(x, params, bits, mode, dim, wants_mask)])[0]

    finite = x.isfinite()
    if finite.all():
        return run_one(x, params, AUTO)
    warnings.warn(f"{label} got a tensor in which {int((~finite).sum())} of {x.numel()} numbers are infinite or NaN: "
                  "they don't enter the range; NaN becomes 0, and infinite numbers the clip value", RuntimeWarning,
                  stacklevel=2)  # fmt: skip
    before, own = params.clone(), torch.zeros_like(params)
    outer, inner = outer_and_inner(tuple(x.shape), params.shape[0], dim)
    some_finite = finite.reshape(outer, -1, inner).any(2).any(0).unsqueeze(1)
    run_one(x.masked_fill(~finite, 0), params, AUTO)
    params.copy_(torch.where(some_finite, params, before))
    run_one(x, own, Mode.INIT)  # for groups that have seen no finite number yet
    return run_one(x, torch.where(params.eq(0).all(1, keepdim=True), own, params), Mode.APPLY)


def _fake_quantize(
    x: Tensor, params: Tensor, bits: int, mode: int, dim: int, wants_mask: bool, label: str
) -> tuple[Tensor, Tensor, Tensor]:
    """As `run`, as a function: returns the result, the mask (no numbers where none is wanted) and the parameters after.
    """
    after = torch.zeros_like(params) if mode == Mode.INIT else params.clone()
    if not x.numel():  # a job would take it for zeros
        return _fake(x, after, bits, mode, dim, wants_mask, label)[:2] + (after,)
    if mode == Mode.APPLY and not on_gpu(x) and not params.any(1).all():
        raise NotInitializedError(f"{label} has no range yet: run a batch in training, or gfpq.torch.calibrate, first")
    try:
        if mode != Mode.APPLY and not on_gpu(x):
            result, mask = _learn_on_cpu(x, after, bits, dim, wants_mask, label)
        else:
            result, mask = run([Call(x, after, bits, mode, dim, wants_mask)])[0]
    except BadParametersError as error:
        raise BadParametersError(f"{label}: {error}") from None
    return result, x.new_empty(0, dtype=torch.uint8) if mask is None else mask, after


def _fake(
    x: Tensor, params: Tensor, bits: int, mode: int, dim: int, wants_mask: bool, label: str
) -> tuple[Tensor, Tensor, Tensor]:
    result = _like(x, params.shape[0])
    mask = torch.empty_like(result, dtype=torch.uint8) if wants_mask else x.new_empty(0, dtype=torch.uint8)
    return result, mask, torch.empty_like(params)


def _keep_mask(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.wants_mask = inputs[5]
    if ctx.wants_mask:
        ctx.save_for_backward(output[1])


def _straight_through(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor | None, ...]:
    if ctx.wants_mask:
        gradient = gradient.masked_fill(ctx.saved_tensors[0] == 0, 0)
    return gradient, None, None, None, None, None, None


if COMPILES:
    fake_quantize: Any = cast(Any, torch.library).custom_op(
        "gfpq::fake_quantize", _fake_quantize, mutates_args=(),
        schema="(Tensor x, Tensor params, int bits, int mode, int dim, bool wants_mask, str label) "
               "-> (Tensor, Tensor, Tensor)",
    )  # fmt: skip
    fake_quantize.register_fake(_fake)
    fake_quantize.register_autograd(_straight_through, setup_context=_keep_mask)
