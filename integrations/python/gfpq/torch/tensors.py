"""Quantizing PyTorch tensors, without gradient."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import codes, library
from ..checks import call_arguments, check_count, check_dense
from ..param import Mode, Param

HALVES = (torch.float16, torch.bfloat16)
_SMALL_INTEGERS = (torch.bool, torch.uint8, torch.int8, torch.int16)  # float32 holds each of their numbers


def quantize_(
    tensor: Tensor, bits: int | None = None, param: Param | None = None, mode: Mode | None = None, *,
    stream: int | None = None,
) -> Tensor:
    """Quantizes and dequantizes a float32 or float64 tensor in place, on CPU or CUDA, and returns it.

    On CUDA the work is queued on `stream` (a cudaStream_t's number), by default the current one of the tensor's device.
    The tensor may have its axes in any order, but no gaps. As after an in-place operation of PyTorch, autograd raises
    where it needs the numbers from before. Other arguments and errors are those of `gfpq.quantize_`.
    """
    bits, reference = call_arguments(bits, param, mode)
    if tensor.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"a tensor of {tensor.dtype} can't be quantized in place: use quantize, which copies")
    if tensor.layout is not torch.strided:
        raise TypeError(f"a tensor of layout {tensor.layout} can't be quantized: use tensor.to_dense()")
    _check_gradient(tensor)
    if tensor.is_neg():
        raise ValueError("the tensor is a view whose negation is still to be done: use quantize, which copies")
    if not tensor.is_contiguous():
        size = tensor.element_size()
        check_dense(tuple(tensor.shape), tuple(stride * size for stride in tensor.stride()), size)
    count = tensor.numel()
    if count == 0:  # PyTorch gives an empty tensor no address
        return tensor
    check_count(count)
    is_double = tensor.dtype == torch.float64
    if tensor.is_cuda:
        with torch.cuda.device(tensor.device):
            queue = torch.cuda.current_stream().cuda_stream if stream is None else stream
            library.gpu().quantize_gpu(tensor.data_ptr(), count, is_double, bits, reference, queue)
    elif tensor.device.type == "cpu":
        library.cpu().quantize(tensor.data_ptr(), count, is_double, bits, reference)
    else:
        raise TypeError(f"tensors on {tensor.device} can't be quantized: use CPU or CUDA")
    if not tensor.is_inference():
        # An in-place operation on none of its numbers raises the version that the tensor shares with all its views.
        tensor.detach().as_strided((0,), (1,)).zero_()
    return tensor


def quantize(
    tensor: Tensor, bits: int | None = None, param: Param | None = None, mode: Mode | None = None, *,
    stream: int | None = None,
) -> Tensor:
    """As `quantize_`, but returns a new tensor, without gaps, and takes those with gaps.

    float16 and bfloat16 go by way of float32 and are rounded back; integers give float32 where it holds all of their
    type, else float64. With `stream` the copy is queued there too.
    """
    if stream is not None and tensor.is_cuda:
        with torch.cuda.stream(torch.cuda.ExternalStream(stream, device=tensor.device)):
            return quantize(tensor, bits, param, mode)
    _check_gradient(tensor)
    result = quantize_(float_copy(tensor), bits, param, mode)
    return result.to(tensor.dtype) if tensor.is_floating_point() else result


TYPES = {
    torch.float32: library.FLOAT32,
    torch.float64: library.FLOAT64,
    torch.float16: library.FLOAT16,
    torch.bfloat16: library.BFLOAT16,
}
_CODES = {1: torch.int8, 2: torch.int16}  # by their bytes


def takes_one_pass(tensor: Tensor) -> bool:
    """Whether `apply_params` takes the tensor: one on the CPU, with a library that has jobs."""
    is_plain = tensor.is_cpu and tensor.layout is torch.strided and tensor.dtype in TYPES
    return is_plain and library.cpu().has_jobs


def apply_params(
    tensor: Tensor, params: library.GroupParams, bits: int, groups: int, axis: int, wants_mask: bool = False,
    result: Tensor | None = None,
) -> tuple[Tensor, Tensor | None]:
    """A new tensor with the values of another's numbers, by parameters that hold ranges, one for each group of an axis.
    Without gradient: autograd is to be off, or to want none. The numbers are read once, those of half types too. With
    one group the axes' order in memory is kept. `result`: the tensor to write to, where both are contiguous.

    Returns also, where it is wanted, a mask: uint8, 1 where |x| does not exceed the largest value."""
    source = tensor.resolve_neg() if tensor.is_neg() else tensor
    if result is None:
        result = torch.empty_like(source)
    if not source.is_contiguous() and (groups > 1 or result.stride() != source.stride()):
        source = source.contiguous()
        result = torch.empty_like(source)
    mask = torch.empty_like(result, dtype=torch.uint8) if wants_mask else None
    outer, inner = codes.outer_and_inner(source.shape, groups, axis) if groups > 1 else (1, source.numel())
    library.cpu().run_jobs([library.Job(
        library.Operation.FAKE_QUANTIZE, TYPES[source.dtype], bits, Mode.APPLY, outer, groups, inner, source.data_ptr(),
        result.data_ptr(), params.address, 0 if mask is None else mask.data_ptr(),
    )])  # fmt: skip
    return result, mask


def encode(tensor: Tensor, param: codes.Params, mode: Mode | None = None, *, axis: int = 0) -> Tensor:
    """The codes of a CPU tensor's numbers, int8 or int16. Arguments and errors are those of `gfpq.encode`."""
    numbers = _on_cpu(tensor.detach())
    if numbers.dtype not in TYPES:
        numbers = float_copy(numbers)
    params = codes.list_of(param)
    result = torch.empty(numbers.shape, dtype=_CODES[codes.code_bytes(params[0].bits)])
    codes.run(library.Operation.ENCODE, TYPES[numbers.dtype], numbers.data_ptr(), result.data_ptr(), tuple(numbers.shape),
              params, mode, axis)
    return result


def decode(tensor: Tensor, param: codes.Params, dtype: torch.dtype | None = None, *, axis: int = 0) -> Tensor:
    """The values of a CPU tensor of codes. Arguments and errors are those of `gfpq.decode`."""
    source = _on_cpu(tensor)
    params = codes.list_of(param)
    is_integer = not source.is_floating_point() and not source.is_complex() and source.dtype is not torch.bool
    codes.check_codes(params[0].bits, source.element_size() if is_integer else 0, source.dtype)
    wanted = torch.float32 if dtype is None else dtype
    if wanted not in TYPES:
        raise TypeError(f"codes can't be decoded to {wanted}: use float32, float64, float16 or bfloat16")
    result = torch.empty(source.shape, dtype=wanted)
    codes.run(library.Operation.DECODE, TYPES[wanted], source.data_ptr(), result.data_ptr(), tuple(source.shape), params,
              Mode.APPLY, axis)
    return result


def _on_cpu(tensor: Tensor) -> Tensor:
    """The tensor in C order, without what PyTorch has put off. Raises TypeError where it is not on the CPU, or sparse."""
    if tensor.layout is not torch.strided or tensor.device.type != "cpu":
        raise TypeError(f"a tensor of layout {tensor.layout} on {tensor.device} can't be encoded or decoded: use "
                        "tensor.to_dense().cpu()")
    return tensor.resolve_neg().contiguous()


def float_copy(tensor: Tensor) -> Tensor:
    """A copy without gaps and without gradient: float32, or float64 for what float32 does not hold.

    Raises TypeError for a tensor that holds no real numbers.
    """
    tensor = tensor.detach()
    if tensor.dtype in HALVES or tensor.dtype in _SMALL_INTEGERS:
        return tensor.float()
    if tensor.dtype in (torch.int32, torch.int64):
        return tensor.double()
    if tensor.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"a tensor of {tensor.dtype} can't be quantized: use float32 or float64")
    return tensor.clone(memory_format=torch.preserve_format)


def _check_gradient(tensor: Tensor) -> None:
    if tensor.requires_grad and torch.is_grad_enabled():
        raise ValueError(
            "the tensor requires a gradient, which quantization cuts off: use FakeQuantize, or quantize tensor.detach()"
        )
