#!/usr/bin/env python3
"""The guide's sample: quantizes the numbers 0 to 9 from Python, with nothing but ctypes and numpy.

    python3 sample_on_python.py [path of the library]

The package in integrations/python does the same with less: gfpq.quantize_(data, 8, param).
"""

import ctypes
import os
import sys
from datetime import datetime

import numpy as np

BIT_WIDTH = 8
MODE_INIT = 0


class Param(ctypes.Structure):
    """GFPQ_PARAM_ST."""

    _fields_ = [("mode", ctypes.c_uint), ("buf", ctypes.c_byte * 16)]


def library_path(name: str) -> str:
    """The library named on the command line, or that of this package or build, or the system's."""
    if len(sys.argv) > 1:
        return sys.argv[1]
    file = f"{name}.dll" if sys.platform == "win32" else f"lib{name}.so"
    above = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    for folder in ("lib", os.path.join("build", "lib")):
        path = os.path.join(above, folder, file)
        if os.path.exists(path):
            return path
    return file


def show(title: str, data: np.ndarray) -> None:
    print(f"{title}:", *(f"{number:.10f}" for number in data))


def main() -> int:
    library = ctypes.CDLL(library_path("gfpq"))
    quantize = library.HI_GFPQ_QuantAndDeQuant_PY
    quantize.argtypes = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.POINTER(Param)]

    data = np.arange(10, dtype=np.float32)
    # What 8 bit make of 0 to 9, from the vendor's guide.
    expected = np.array([0, 1, 2, 2.9536523819, 4, 4.9674310684, 5.9073047638, 7.0250086784, 8, 8.7240619659], "f4")
    param = Param(mode=MODE_INIT)
    show("Origin data", data)

    start = datetime.now()
    status = quantize(data.ctypes.data, data.size, BIT_WIDTH, ctypes.byref(param))
    elapsed = datetime.now() - start

    if status != 0:
        print(f"HI_GFPQ_QuantAndDeQuant failed(0x{status & 0xFFFFFFFF:x})")
        return 1
    show("QuantAndDeQuant", data)
    show("Data expected", expected)
    print(f"HI_GFPQ_QuantAndDeQuant_PY time:{elapsed}")
    if not np.array_equal(data, expected):
        print("HI_GFPQ_QuantAndDeQuant gave other numbers than expected")
        return 1
    print("HI_GFPQ_QuantAndDeQuant success")
    print("GFPQ PARAM:", *(f"{byte:#x}" for byte in param.buf))
    return 0


if __name__ == "__main__":
    sys.exit(main())
