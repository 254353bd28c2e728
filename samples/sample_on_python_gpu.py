#!/usr/bin/env python3
"""The guide's sample for the GPU: quantizes the numbers 0 to 9 in device memory, with ctypes and numpy.

    python3 sample_on_python_gpu.py [path of the library]

Takes the CUDA runtime (libcudart.so) and a GPU; without them it says so and ends with status 77.
"""

import ctypes
import ctypes.util
import sys
from datetime import datetime

import numpy as np

from sample_on_python import BIT_WIDTH, MODE_INIT, Param, library_path, show

NO_GPU = 77  # what ctest counts as skipped
TO_DEVICE, TO_HOST = 1, 2  # cudaMemcpyKind


def load_runtime() -> ctypes.CDLL:
    """The CUDA runtime. Ends the program where there is none, or no GPU."""
    for name in (ctypes.util.find_library("cudart"), "libcudart.so", "/usr/local/cuda/lib64/libcudart.so"):
        try:
            runtime = ctypes.CDLL(name) if name else None
        except OSError:
            continue
        if runtime is not None:
            break
    else:
        print("No CUDA runtime (libcudart.so) on this machine")
        sys.exit(NO_GPU)
    count = ctypes.c_int(0)
    if runtime.cudaGetDeviceCount(ctypes.byref(count)) != 0 or count.value == 0:
        print("No GPU on this machine")
        sys.exit(NO_GPU)
    runtime.cudaMalloc.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t]
    runtime.cudaMemcpy.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    runtime.cudaFree.argtypes = [ctypes.c_void_p]
    return runtime


def check(what: str, status: int) -> None:
    if status != 0:
        sys.exit(f"{what} failed(0x{status & 0xFFFFFFFF:x})")


def main() -> int:
    runtime = load_runtime()
    library = ctypes.CDLL(library_path("gfpq_gpu"))
    quantize = library.HI_GFPQ_QuantAndDeQuant_GPU_PY
    quantize.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.POINTER(Param), *[ctypes.c_void_p] * 2]

    data = np.arange(10, dtype=np.float32)
    expected = np.array([0, 1, 2, 2.9536523819, 4, 4.9674310684, 5.9073047638, 7.0250086784, 8, 8.7240619659], "f4")
    param = Param(mode=MODE_INIT)
    show("Origin data", data)

    device = ctypes.c_void_p()
    check("cudaMalloc", runtime.cudaMalloc(ctypes.byref(device), data.nbytes))
    check("cudaMemcpy", runtime.cudaMemcpy(device, data.ctypes.data, data.nbytes, TO_DEVICE))
    start = datetime.now()
    status = quantize(device, data.size, BIT_WIDTH, ctypes.byref(param), None, None)
    check("cudaDeviceSynchronize", runtime.cudaDeviceSynchronize())
    elapsed = datetime.now() - start
    check("HI_GFPQ_QuantAndDeQuant", status)
    check("cudaMemcpy", runtime.cudaMemcpy(data.ctypes.data, device, data.nbytes, TO_HOST))
    check("cudaFree", runtime.cudaFree(device))

    show("QuantAndDeQuant", data)
    show("Data expected", expected)
    print(f"HI_GFPQ_QuantAndDeQuant_GPU_PY time:{elapsed}")
    if not np.array_equal(data, expected):
        print("HI_GFPQ_QuantAndDeQuant gave other numbers than expected")
        return 1
    print("HI_GFPQ_QuantAndDeQuant success")
    print("GFPQ PARAM:", *(f"{byte:#x}" for byte in param.buf))
    return 0


if __name__ == "__main__":
    sys.exit(main())
