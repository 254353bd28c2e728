"""Quantizing arrays: numpy's, and those in host or device memory that speak DLPack or __cuda_array_interface__."""

from __future__ import annotations

import sys
from math import prod
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import dlpack, library
from .checks import call_arguments, check_count, check_dense
from .param import Mode, Param

if TYPE_CHECKING:
    from torch import Tensor

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
        bits: the width, one of `gfpq.widths.WIDTHS`. Default: the Param's, else DEFAULT_BITS.
        param: the tensor's parameter; None takes the range from the data and forgets it.
        mode: where delta comes from. Default: INIT with a Param that holds nothing, else APPLY.
        stream: for device memory, the CUDA stream's number to queue the work on. Default: the stream that the array
            names (`__cuda_array_interface__` version 3), PyTorch's current one for its tensors, else the default one.

    Raises TypeError or ValueError for an array that can't be quantized in place (`quantize` copies those), a
    GfpqError for what the library refuses. Array and Param are then as they were.
    """
    if isinstance(array, np.ndarray):
        bits, reference = call_arguments(bits, param, mode)
        dtype, flags = array.dtype, array.flags
        if dtype is not _FLOAT32 and dtype is not _FLOAT64:
            dtype = _native(dtype)
        if not flags.behaved or not flags.forc:
            _check_memory(array)
        if type(array) is not np.ndarray:
            check_mask(array)
        check_count(array.size)
        address = array.__array_interface__["data"][0]
        library.cpu().quantize(address, array.size, dtype is _FLOAT64, bits, reference)
    elif is_tensor(array):
        from .torch import tensors

        tensors.quantize_(cast("Tensor", array), bits, param, mode, stream=stream)
    else:
        bits, reference = call_arguments(bits, param, mode)
        if hasattr(array, "__cuda_array_interface__"):
            _quantize_cuda(array, bits, reference, stream)
        elif hasattr(array, "__dlpack__"):
            _quantize_dlpack(array, bits, reference, stream)
        else:
            raise TypeError(f"{type(array).__name__} can't be changed in place: use gfpq.quantize, which copies")
    return array


@overload
def quantize(
    array: NDArray[Any], bits: int | None = None, param: Param | None = None, mode: Mode | None = None, *,
    stream: int | None = None,
) -> NDArray[np.floating[Any]]: ...
@overload
def quantize(
    array: Tensor, bits: int | None = None, param: Param | None = None, mode: Mode | None = None, *,
    stream: int | None = None,
) -> Tensor: ...
@overload
def quantize(
    array: ArrayLike, bits: int | None = None, param: Param | None = None, mode: Mode | None = None, *,
    stream: int | None = None,
) -> NDArray[np.floating[Any]]: ...
@overload
def quantize(
    array: Array, bits: int | None = None, param: Param | None = None, mode: Mode | None = None, *,
    stream: int | None = None,
) -> Array: ...


def quantize(
    array: Any, bits: int | None = None, param: Param | None = None, mode: Mode | None = None, *,
    stream: int | None = None,
) -> Any:
    """As `quantize_`, but leaves the array as it is and returns the result.

    Takes anything that numpy makes an array of real numbers from, in any order of axes or bytes. The result has the
    same shape: float32 for float32 and for types whose numbers float32 holds exactly (float16, small integers), else
    float64. Arrays of PyTorch and CuPy give one of their own kind; `gfpq.torch.quantize` says which type tensors have.

    Raises ValueError for an array with a mask: what lies beneath it must not become part of the range.
    """
    if is_tensor(array):
        from .torch import tensors

        return tensors.quantize(array, bits, param, mode, stream=stream)
    if not isinstance(array, (np.ndarray, np.generic)):
        for method in ("clone", "copy"):
            if hasattr(array, "__dlpack__") and hasattr(array, method):
                return quantize_(getattr(array, method)(), bits, param, mode, stream=stream)
    source = np.asanyarray(array)
    check_mask(source)
    kind = source.dtype.kind
    if kind not in "biuf" or source.dtype.itemsize > 8:
        raise TypeError(f"numbers of type {source.dtype} can't be quantized: they are not real, or wider than float64")
    copy = np.array(source, dtype=np.result_type(source.dtype.newbyteorder("="), np.float32), order="K")  # without gaps
    return quantize_(copy, bits, param, mode)


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """One of the two objects that stand for native float32 and float64."""
    for known in (_FLOAT32, _FLOAT64):
        if dtype == known:
            return known
    raise TypeError(
        f"an array of {dtype!r} can't be quantized in place: use native float32 or float64, or gfpq.quantize"
    )


def check_mask(array: NDArray[Any]) -> None:
    """Refuses an array that hides numbers beneath a mask. Raises ValueError."""
    if isinstance(array, np.ma.MaskedArray) and np.ma.is_masked(array):
        raise ValueError(
            "the array has a mask: find the range with array.compressed(), then quantize array.filled(0) with its Param"
        )


def _check_memory(array: NDArray[Any]) -> None:
    if not array.flags.writeable:
        raise ValueError("the array is read-only: use gfpq.quantize, which copies")
    if not array.flags.aligned:
        raise ValueError("the array is not aligned to its type: use gfpq.quantize, which copies")
    check_dense(array.shape, array.strides, array.itemsize)


def _quantize_cuda(array: Any, bits: int, reference: Any, stream: int | None) -> None:
    interface = array.__cuda_array_interface__
    address, read_only = interface["data"]
    shape = tuple(interface["shape"])
    dtype = _native(np.dtype(interface["typestr"]))
    if read_only:
        raise ValueError("the array is read-only")
    if interface.get("mask") is not None:
        raise ValueError("the array has a mask: quantize a copy without")
    check_dense(shape, interface.get("strides"), dtype.itemsize)
    if stream is None:
        stream = interface.get("stream") or 0
    _run_gpu(address, prod(shape), dtype is _FLOAT64, bits, reference, stream)


def _quantize_dlpack(array: Any, bits: int, reference: Any, stream: int | None) -> None:
    place = dlpack.place_of(array, stream)
    if place.type_name not in ("float32", "float64"):
        raise TypeError(f"an array of {place.type_name} can't be quantized in place: use float32 or float64")
    is_double = place.type_name == "float64"
    check_dense(place.shape, place.strides, 8 if is_double else 4)
    count = prod(place.shape)
    if place.on_gpu:
        _run_gpu(place.address, count, is_double, bits, reference, stream or 0)
    elif count > 0:  # an empty one may have no address at all
        check_count(count)
        library.cpu().quantize(place.address, count, is_double, bits, reference)


def _run_gpu(address: int, count: int, is_double: bool, bits: int, reference: Any, stream: int) -> None:
    check_count(count)
    if count > 0:
        library.gpu().quantize_gpu(address, count, is_double, bits, reference, stream)


def is_tensor(array: object) -> bool:
    """Whether it is PyTorch's, which is imported only where its user has done so."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)
