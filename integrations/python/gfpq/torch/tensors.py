"""Quantizing PyTorch tensors, without gradient."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .. import arrays, library
from ..param import Mode, Param

HALVES = (torch.float16, torch.bfloat16)


def quantize_(tensor: Tensor, bits: int | None = None, param: Param | None = None, mode: Mode | None = None) -> Tensor:
    """Quantizes and dequantizes a float32 or float64 tensor in place, on CPU or CUDA, and returns it.

    On CUDA the work is queued on the current stream of the tensor's device. The tensor may have its axes in any order,
    but no gaps. Arguments and errors are those of `gfpq.quantize_`.
    """
    bits, reference = arrays._arguments(bits, param, mode)
    if tensor.dtype not in (torch.float32, torch.float64):
        raise TypeError(f"a tensor of {tensor.dtype} can't be quantized in place: use gfpq.torch.quantize")
    if tensor.requires_grad:
        raise ValueError("the tensor requires a gradient: use FakeQuantize, or quantize tensor.detach()")
    if not tensor.is_contiguous():
        size = tensor.element_size()
        arrays._check_dense(tuple(tensor.shape), tuple(stride * size for stride in tensor.stride()), size)
    count = tensor.numel()
    if count == 0:  # PyTorch gives an empty tensor no address
        return tensor
    arrays._check_count(count)
    is_double = tensor.dtype == torch.float64
    if tensor.is_cuda:
        with torch.cuda.device(tensor.device):
            stream = torch.cuda.current_stream().cuda_stream
            library.gpu().quantize_gpu(tensor.data_ptr(), count, is_double, bits, reference, stream)
    elif tensor.device.type == "cpu":
        library.cpu().quantize(tensor.data_ptr(), count, is_double, bits, reference)
    else:
        raise TypeError(f"tensors on {tensor.device} can't be quantized: use CPU or CUDA")
    return tensor


def quantize(tensor: Tensor, bits: int | None = None, param: Param | None = None, mode: Mode | None = None) -> Tensor:
    """As `quantize_`, but returns a new tensor. float16 and bfloat16 go by way of float32 and are rounded back."""
    return quantize_(float_copy(tensor), bits, param, mode).to(tensor.dtype)


def float_copy(tensor: Tensor) -> Tensor:
    """A copy without gaps and without gradient: float32, or float64 for float64."""
    tensor = tensor.detach()
    if tensor.dtype in HALVES:
        return tensor.float()
    return tensor.clone(memory_format=torch.preserve_format)


def delta_of(tensor: Tensor, bits: int) -> int:
    """The delta that Mode.INIT takes from a tensor, found without quantizing it: the largest |x| decides alone."""
    largest = tensor.detach().abs().amax() if tensor.numel() else tensor.new_zeros(())
    if largest.isnan():  # NaN counts for nothing; infinities stay
        largest = tensor.detach().nan_to_num(0.0, float("inf"), float("-inf")).abs().amax()
    param = Param(bits)
    number = np.array([largest.item()], "f8" if tensor.dtype == torch.float64 else "f4")
    arrays.quantize_(number, param=param, mode=Mode.INIT)
    return param.delta
