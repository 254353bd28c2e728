"""Quantizing arrays: numpy's, and those in host or device memory that speak DLPack or __cuda_array_interface__."""

from __future__ import annotations

import sys
from math import prod
from typing import Any, TypeVar, cast

import numpy as np

from . import dlpack, library
from .param import Mode, Param

Array = TypeVar("Array")

_FLOAT32, _FLOAT64 = np.dtype("f4"), np.dtype("f8")


def quantize_(
    array: Array, bits: int | None = None, param: Param | None = None, mode: Mode | None = None, *,
    stream: int | None = None,
) -> Array:
    """Quantizes and dequantizes an array in place, and returns it: every number becomes the nearest that NNIE holds.

    NaN becomes +0, an infinity the largest value of its sign.

    Args:
        array: float32 or float64, of any shape, writeable, without gaps (any order of the axes): numpy's, or one in
            host or device memory with `__cuda_array_interface__` or `__dlpack__` (PyTorch's, CuPy's).
        bits: 8 or 16. Default: the Param's, else 8.
        param: the tensor's parameter; None takes the range from the data and forgets it.
        mode: where delta comes from. Default: INIT with a Param that holds nothing, else APPLY.
        stream: for device memory, the CUDA stream's number to queue the work on. Default: the stream that the array
            names (`__cuda_array_interface__` version 3), PyTorch's current one for its tensors, else the default one.

    Raises TypeError or ValueError for an array that can't be quantized in place (`quantize` copies those), a
    GfpqError for what the library refuses. Array and Param are then as they were.
    """
    bits, reference = _arguments(bits, param, mode)
    if isinstance(array, np.ndarray):
        dtype, flags = array.dtype, array.flags
        if dtype is not _FLOAT32 and dtype is not _FLOAT64:
            dtype = _native(dtype)
        if not flags.behaved or not flags.forc:
            _check_memory(array)
        _check_count(array.size)
        address = array.__array_interface__["data"][0]
        library.cpu().quantize(address, array.size, dtype is _FLOAT64, bits, reference)
    elif stream is None and _is_cuda_tensor(array):
        from .torch.tensors import quantize_ as quantize_tensor_

        quantize_tensor_(cast(Any, array), bits, param, mode)
    elif hasattr(array, "__cuda_array_interface__"):
        _quantize_cuda(array, bits, reference, stream)
    elif hasattr(array, "__dlpack__"):
        _quantize_dlpack(array, bits, reference, stream)
    else:
        raise TypeError(f"{type(array).__name__} can't be changed in place: use gfpq.quantize, which copies")
    return array


def quantize(
    array: Any, bits: int | None = None, param: Param | None = None, mode: Mode | None = None, *,
    stream: int | None = None,
) -> Any:
    """As `quantize_`, but leaves the array as it is and returns the result.

    Takes anything that numpy makes an array of real numbers from, in any order of axes or bytes. The result has the
    same shape: float32 for float32 and for types whose numbers float32 holds exactly (float16, small integers), else
    float64. Arrays of PyTorch and CuPy give one of their own kind.
    """
    if not isinstance(array, (np.ndarray, np.generic)):
        for method in ("clone", "copy"):
            if hasattr(array, "__dlpack__") and hasattr(array, method):
                return quantize_(getattr(array, method)(), bits, param, mode, stream=stream)
    source = np.asanyarray(array)
    kind = source.dtype.kind
    if kind not in "biuf" or source.dtype.itemsize > 8:
        raise TypeError(f"numbers of type {source.dtype} can't be quantized: they are not real, or wider than float64")
    copy = np.array(source, dtype=np.result_type(source.dtype.newbyteorder("="), np.float32), order="K")  # without gaps
    return quantize_(copy, bits, param, mode)


def _arguments(bits: int | None, param: Param | None, mode: Mode | None) -> tuple[int, Any]:
    """Fills the defaults in. Returns the bit width and the Param's struct, its mode set."""
    if param is None:
        if mode is not None and mode != Mode.INIT:
            raise ValueError(f"{Mode(mode)!r} needs a Param")
        return 8 if bits is None else bits, None
    if bits is not None and bits != param.bits:
        raise ValueError(f"the Param was made for {param.bits} bit, and {bits} bit are asked for")
    if mode is None:
        mode = Mode.APPLY if param.initialized else Mode.INIT
    param._struct.mode = mode
    return param.bits, param._reference


def _native(dtype: np.dtype) -> np.dtype:
    """One of the two objects that stand for native float32 and float64."""
    for known in (_FLOAT32, _FLOAT64):
        if dtype == known:
            return known
    raise TypeError(
        f"an array of {dtype!r} can't be quantized in place: use native float32 or float64, or gfpq.quantize"
    )


def _check_memory(array: np.ndarray) -> None:
    if not array.flags.writeable:
        raise ValueError("the array is read-only: use gfpq.quantize, which copies")
    if not array.flags.aligned:
        raise ValueError("the array is not aligned to its type: use gfpq.quantize, which copies")
    _check_dense(array.shape, array.strides, array.itemsize)


def _check_dense(shape: tuple[int, ...], strides: tuple[int, ...] | None, item_size: int) -> None:
    """Refuses gaps and overlaps. The order of the axes does not matter to a parameter for the whole tensor."""
    if strides is None or 0 in shape:
        return
    expected = item_size
    for stride, length in sorted((stride, length) for stride, length in zip(strides, shape) if length > 1):
        if stride != expected:
            raise ValueError(
                f"the array (shape {shape}, strides {strides} bytes) is not contiguous: use gfpq.quantize, which copies"
            )
        expected *= length


def _check_count(count: int) -> None:
    if count > library.MAX_COUNT:
        raise ValueError(f"{count} numbers are more than a call takes ({library.MAX_COUNT}): find the range first, "
                         "then quantize part by part with Mode.APPLY")


def _quantize_cuda(array: Any, bits: int, reference: Any, stream: int | None) -> None:
    interface = array.__cuda_array_interface__
    address, read_only = interface["data"]
    shape = tuple(interface["shape"])
    dtype = _native(np.dtype(interface["typestr"]))
    if read_only:
        raise ValueError("the array is read-only")
    if interface.get("mask") is not None:
        raise ValueError("the array has a mask, which would be passed over")
    _check_dense(shape, interface.get("strides"), dtype.itemsize)
    if stream is None:
        stream = interface.get("stream") or 0
    _run_gpu(address, prod(shape), dtype is _FLOAT64, bits, reference, stream)


def _quantize_dlpack(array: Any, bits: int, reference: Any, stream: int | None) -> None:
    place = dlpack.place_of(array, stream)
    if place.type_name not in ("float32", "float64"):
        raise TypeError(f"an array of {place.type_name} can't be quantized in place: use float32 or float64")
    is_double = place.type_name == "float64"
    _check_dense(place.shape, place.strides, 8 if is_double else 4)
    count = prod(place.shape)
    if place.on_gpu:
        _run_gpu(place.address, count, is_double, bits, reference, stream or 0)
    elif count > 0:  # an empty one may have no address at all
        _check_count(count)
        library.cpu().quantize(place.address, count, is_double, bits, reference)


def _run_gpu(address: int, count: int, is_double: bool, bits: int, reference: Any, stream: int) -> None:
    _check_count(count)
    if count > 0:
        library.gpu().quantize_gpu(address, count, is_double, bits, reference, stream)


def _is_cuda_tensor(array: Any) -> bool:
    """PyTorch's interface names neither its current stream nor the device that has to be the current one."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor) and array.is_cuda
