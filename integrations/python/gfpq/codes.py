"""Codes: what the chip stores for numbers. `encode` is number to code, `decode` code to value, for numpy and PyTorch.

A code has the width's bits. The highest is the sign, the others are k: with 8 bit 0x00 | k is +2^((delta+k)/16), 0x80 | k
is -2^((delta+k)/16), and 0x80, which would be "minus 0", is the number 0. Arrays of codes are int8 or int16, as PyTorch
has no unsigned type of 16 bits: `codes.view("u1")`, or "u2", shows them as they are written above.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Union, cast, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import library
from .arrays import check_mask, is_tensor
from .errors import NotInitializedError
from .library import GroupParams, Job, Operation
from .param import Mode, Param

if TYPE_CHECKING:
    from torch import Tensor

Params = Union[Param, Sequence[Param]]  # of the whole array, or one for each group

_TYPES: dict[np.dtype[Any], int] = {
    np.dtype("f4"): library.FLOAT32, np.dtype("f8"): library.FLOAT64, np.dtype("f2"): library.FLOAT16
}


@overload
def encode(array: Tensor, param: Params, mode: Mode | None = None, *, axis: int = 0) -> Tensor: ...
@overload
def encode(array: ArrayLike, param: Params, mode: Mode | None = None, *, axis: int = 0) -> NDArray[np.signedinteger[Any]]: ...


def encode(array: Any, param: Params, mode: Mode | None = None, *, axis: int = 0) -> Any:
    """The codes of an array's numbers, in its shape: int8 or int16, as the Param's width is.

    `decode(encode(array, param), param)` is `quantize(array, param=param)`, bit for bit.

    Args:
        array: a CPU tensor of PyTorch, float16, bfloat16, float32 or float64; or anything that numpy makes an array of
            real numbers from.
        param: the array's parameter, which decode needs again; or one for each group, of the same width: `axis` is cut
            into as many equal parts.
        mode: where delta comes from. Default: INIT with Params that hold nothing, else APPLY.
        axis: with several Params, the axis of the groups.

    Raises TypeError, ValueError or a GfpqError, with the Params as they were.
    """
    if is_tensor(array):
        from .torch import tensors

        return tensors.encode(cast("Tensor", array), param, mode, axis=axis)
    source = np.asanyarray(array)
    check_mask(source)
    if source.dtype.kind not in "biuf" or source.dtype.itemsize > 8:
        raise TypeError(f"numbers of type {source.dtype} can't be encoded: they are not real, or wider than float64")
    native = source.dtype.newbyteorder("=")
    dtype = native if native in _TYPES else np.result_type(native, np.float32)
    numbers = np.asarray(source, dtype, order="C")
    params = list_of(param)
    codes = np.empty(numbers.shape, f"i{code_bytes(params[0].bits)}")
    run(Operation.ENCODE, _TYPES[dtype], numbers.ctypes.data, codes.ctypes.data, numbers.shape, params, mode, axis)
    return codes


@overload
def decode(codes: Tensor, param: Params, dtype: Any = None, *, axis: int = 0) -> Tensor: ...
@overload
def decode(
    codes: NDArray[Any], param: Params, dtype: DTypeLike = None, *, axis: int = 0
) -> NDArray[np.floating[Any]]: ...


def decode(codes: Any, param: Params, dtype: Any = None, *, axis: int = 0) -> Any:
    """The values of codes, in their shape.

    Args:
        codes: numpy's array or PyTorch's CPU tensor of integers of 8 or 16 bits, as the Param's width is.
        param: the Param that they were encoded with, or one for each group, as for `encode`.
        dtype: float32 (the default), float64 or float16, with PyTorch bfloat16 too.
        axis: with several Params, the axis of the groups.

    Raises NotInitializedError where a Param holds nothing, BadFormatError for a code beyond the largest (1407 with 16
    bit), TypeError for what are no codes of this width.
    """
    if is_tensor(codes):
        from .torch import tensors

        return tensors.decode(cast("Tensor", codes), param, dtype, axis=axis)
    source = np.asanyarray(codes)
    check_mask(source)
    params = list_of(param)
    check_codes(params[0].bits, source.itemsize if source.dtype.kind in "iu" else 0, source.dtype)
    wanted = np.dtype(np.float32 if dtype is None else dtype)
    if wanted not in _TYPES:
        raise TypeError(f"codes can't be decoded to {wanted}: use float32, float64 or float16")
    source = np.asarray(source, source.dtype.newbyteorder("="), order="C")
    values = np.empty(source.shape, wanted)
    run(Operation.DECODE, _TYPES[wanted], source.ctypes.data, values.ctypes.data, source.shape, params, Mode.APPLY, axis)
    return values


def list_of(param: Params) -> list[Param]:
    """The Params of all groups. Raises ValueError where there is none, or where their widths differ."""
    params = [param] if isinstance(param, Param) else list(param)
    if len({each.bits for each in params}) != 1:
        raise ValueError("one Param at least is needed, and all of one bit width")
    return params


def code_bytes(bits: int) -> int:
    """In how many bytes a width's codes are stored."""
    return 1 if bits <= 8 else 2


def check_codes(bits: int, item_size: int, type_name: object) -> None:
    """Raises TypeError where the numbers of a type (0 bytes: they are no integers) can't be codes of this width."""
    if item_size != code_bytes(bits):
        raise TypeError(f"{type_name} are no codes of {bits} bit: they are integers of {8 * code_bytes(bits)} bits")


def run(
    operation: Operation, type_: int, source: int, destination: int, shape: tuple[int, ...], params: list[Param],
    mode: Mode | None, axis: int,
) -> None:
    """Runs the job of an array in C order, given by addresses. The Params change where it succeeds."""
    outer, inner = outer_and_inner(shape, len(params), axis)
    if mode is None:
        mode = Mode.APPLY if all(param.initialized for param in params) else Mode.INIT
    if mode == Mode.APPLY and not all(param.initialized for param in params):
        raise NotInitializedError("the Param holds no range yet: encode with Mode.INIT first")
    group_params = GroupParams([bytes(param) for param in params])
    bits, groups, address = params[0].bits, len(params), group_params.address
    library.cpu().run_jobs([Job(operation, type_, bits, mode, outer, groups, inner, source, destination, address)])
    if mode != Mode.APPLY:  # else other threads may use them
        for param, block in zip(params, group_params.blocks):
            param._load(block)


def outer_and_inner(shape: tuple[int, ...], groups: int, axis: int) -> tuple[int, int]:
    """A job's outer and inner for an array in C order, one axis of which is cut into groups. Raises ValueError."""
    if groups == 1:
        return 1, prod(shape)
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"an array of {len(shape)} axes has no axis {axis}")
    axis %= len(shape)
    if shape[axis] % groups != 0:
        raise ValueError(f"axis {axis}, of {shape[axis]}, can't be cut into {groups} equal groups")
    return prod(shape[:axis]), shape[axis] // groups * prod(shape[axis + 1:])
