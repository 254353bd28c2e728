"""Where an array that speaks DLPack keeps its numbers."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

CPU, CUDA, CUDA_HOST, CUDA_MANAGED = 1, 2, 3, 13  # DLDeviceType
_FLOAT = 2  # DLDataTypeCode


class _Tensor(ctypes.Structure):
    """DLTensor, the first member of DLManagedTensor."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class Place(NamedTuple):
    """An array's memory. Strides are in bytes, None for C order. `owner` keeps it alive."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None
    type_name: str
    on_gpu: bool
    owner: object


_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.argtypes, _get_pointer.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p


def place_of(array: Any, stream: int | None) -> Place:
    """Reads an array's capsule without consuming it: the capsule frees itself, and the array stays the owner.

    Work queued on `stream` (1 where it is None: the legacy default stream) comes after the array's own.
    Raises TypeError for a device other than CPU and CUDA; what the array's `__dlpack__` raises passes through.
    """
    device, _ = array.__dlpack_device__()
    if device not in (CPU, CUDA, CUDA_HOST, CUDA_MANAGED):
        raise TypeError(f"the array lies on DLPack device {int(device)}; only CPU and CUDA memory can be quantized")
    on_gpu = device in (CUDA, CUDA_MANAGED)
    capsule = array.__dlpack__(stream=1 if stream in (None, 0) else stream) if on_gpu else array.__dlpack__()
    tensor = _Tensor.from_address(_get_pointer(capsule, b"dltensor"))
    kind = {_FLOAT: "float"}.get(tensor.code, f"type {tensor.code} of ")
    item_size = tensor.bits // 8
    strides = tuple(tensor.strides[i] * item_size for i in range(tensor.ndim)) if tensor.strides else None
    return Place(
        (tensor.data or 0) + tensor.byte_offset,
        tuple(tensor.shape[i] for i in range(tensor.ndim)),
        strides,
        f"{kind}{tensor.bits}" + (f"x{tensor.lanes}" if tensor.lanes != 1 else ""),
        on_gpu,
        capsule,
    )
