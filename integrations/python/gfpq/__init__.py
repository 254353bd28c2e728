"""GFPQ, the 8/16-bit logarithmic quantization of HiSilicon's NNIE, for numpy and (`gfpq.torch`) PyTorch.

    import numpy, gfpq
    param = gfpq.Param(bits=8)
    gfpq.quantize(numpy.arange(10, dtype="f4"), param=param)   # 0 1 2 2.953652 4 4.967431 ...
    param                                                      # Param(bits=8, delta=-77, 0.0355599 ... 8.72406)
"""

from __future__ import annotations

from .arrays import quantize, quantize_
from .codes import decode, encode
from .errors import (
    BadFormatError,
    BadParametersError,
    GenericError,
    GfpqError,
    LibraryNotFoundError,
    NotInitializedError,
    NotSupportedError,
    OutOfMemoryError,
    ShortBufferError,
)
from .library import Info
from .library import cpu as _cpu
from .param import Mode, Param

__all__ = [
    "BadFormatError",
    "BadParametersError",
    "GenericError",
    "GfpqError",
    "Info",
    "LibraryNotFoundError",
    "Mode",
    "NotInitializedError",
    "NotSupportedError",
    "OutOfMemoryError",
    "Param",
    "ShortBufferError",
    "decode",
    "encode",
    "info",
    "quantize",
    "quantize_",
]


def info() -> Info:
    """The library's version, revision, build time and file. Raises LibraryNotFoundError."""
    return _cpu().info()
