"""Jobs on tensors whose parameters lie beside them, as int32 [groups, 16], and the operator that torch.compile sees."""

from __future__ import annotations

import warnings
from typing import Any, cast

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


def run(x: Tensor, params: Tensor, bits: int, mode: int, dim: int, wants_mask: bool) -> tuple[Tensor, Tensor | None]:
    """Fake-quantizes a tensor into a new one, on its device, by parameters there, that INIT, UPDATE and AUTO change.

    Args:
        params: int32 [groups, 16]; axis `dim` is cut into as many groups.
        wants_mask: return also a mask, uint8 in the tensor's shape: 1 where |x| does not exceed the largest value.

    On a GPU nothing waits, and what is wrong with a parameter is in its status. Raises ValueError where the axis can't
    be cut; on the CPU BadParametersError for parameters that hold no valid range.
    """
    source = x.detach().resolve_neg()
    result = _like(source, params.shape[0])
    if result.stride() != source.stride():
        source = source.contiguous()
    mask = torch.empty_like(result, dtype=torch.uint8) if wants_mask else None
    outer, inner = outer_and_inner(tuple(x.shape), params.shape[0], dim)
    if not x.numel():
        return result, mask
    job = Job(
        Operation.FAKE_QUANTIZE, TYPES[x.dtype], bits, mode, outer, params.shape[0], inner, source.data_ptr(),
        result.data_ptr(), params.data_ptr(), 0 if mask is None else mask.data_ptr(),
    )  # fmt: skip
    if on_gpu(x):
        with torch.cuda.device(x.device):
            library.gpu().run_jobs_gpu([job], torch.cuda.current_stream().cuda_stream)
    else:
        library.cpu().run_jobs([job])
    return result, mask


def _like(x: Tensor, groups: int) -> Tensor:
    """A new tensor for a result: with one group in the order of axes that the numbers have in memory."""
    result = torch.empty_like(x)
    in_order = groups == 1 and result.stride() == x.stride()
    return result if in_order else torch.empty_like(x, memory_format=torch.contiguous_format)


def _learn_on_cpu(
    x: Tensor, params: Tensor, bits: int, dim: int, wants_mask: bool, label: str
) -> tuple[Tensor, Tensor | None]:
    """AUTO as FakeQuantize has it: infinite numbers and NaN enter no range, and are warned of."""
    if not x.numel():
        return run(x, params, bits, Mode.APPLY, dim, wants_mask)
    finite = x.isfinite()
    if finite.all():
        return run(x, params, bits, AUTO, dim, wants_mask)
    warnings.warn(f"{label} got a tensor in which {int((~finite).sum())} of {x.numel()} numbers are infinite or NaN: "
                  "they don't enter the range; NaN becomes 0, and infinite numbers the clip value", RuntimeWarning,
                  stacklevel=2)  # fmt: skip
    before, own = params.clone(), torch.zeros_like(params)
    outer, inner = outer_and_inner(tuple(x.shape), params.shape[0], dim)
    some_finite = finite.reshape(outer, -1, inner).any(2).any(0).unsqueeze(1)
    run(x.masked_fill(~finite, 0), params, bits, AUTO, dim, False)
    params.copy_(torch.where(some_finite, params, before))
    run(x, own, bits, Mode.INIT, dim, False)  # for groups that have seen no finite number yet
    used = torch.where(params.eq(0).all(1, keepdim=True), own, params)
    return run(x, used, bits, Mode.APPLY, dim, wants_mask)


def _fake_quantize(
    x: Tensor, params: Tensor, bits: int, mode: int, dim: int, wants_mask: bool, label: str
) -> tuple[Tensor, Tensor, Tensor]:
    """As `run`, as a function: returns the result, the mask (no numbers where none is wanted) and the parameters after.
    """
    after = params.clone()
    if mode == Mode.APPLY and not on_gpu(x) and not params.any(1).all():
        raise NotInitializedError(f"{label} has no range yet: run a batch in training, or gfpq.torch.calibrate, first")
    try:
        if mode != Mode.APPLY and not on_gpu(x):
            result, mask = _learn_on_cpu(x, after, bits, dim, wants_mask, label)
        else:
            result, mask = run(x, after, bits, mode, dim, wants_mask)
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
