"""What a call of this package uses on this machine, and whether it computes right: `python -m gfpq doctor [--json]`."""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import library
from .arrays import quantize_
from .errors import GfpqError
from .param import Mode, Param

# GFPQ-DIGEST-01 of conformance/SPECIFICATION.md: the SHA-256 of what one mixed workload leaves behind, as in golden/.
DIGESTS = {
    (8, "float32"): "ed88f0fd455ff41640037fdd74da5c5c9df55ef278006ee19da070cd5f5f903f",
    (8, "float64"): "b9f736f38d8058a85d141b3081037061fd250be6eac67e8d83719d895cadea79",
    (16, "float32"): "4fb6bb02b1eefc6b006a50a4b88649093ed08dde58287f80edec8405b667296d",
    (16, "float64"): "b8e6c1b5a2ef3f0669b40ea7e80195b33226b9198dc8d45dfb07a6ec1ec8d78e",
}
_CHAINS, _SHORT, _LONG, _PERIOD = 16, 400, 1 << 21, 4099
_MODES = (Mode.INIT, Mode.APPLY, Mode.UPDATE, Mode.APPLY, Mode.UPDATE, None)
_MASK = (1 << 64) - 1


def examine() -> dict[str, Any]:
    """All that `doctor` shows. Raises LibraryNotFoundError where no library is found."""
    loaded = library.cpu()
    path = _file_of(loaded.path)
    report: dict[str, Any] = {"library": path, "why": _why("gfpq", loaded.path)}
    try:
        info = loaded.info()
        report.update(version=info.version, revision=info.revision, built_at=info.build_time)
    except GfpqError as error:
        report["version"] = f"unknown: {error}"
    report.update(_description(loaded.path))
    report.pop("gpu_architectures", None)
    report["cpus"] = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    report["glibc"] = " ".join(platform.libc_ver()) or "none"
    report["python"] = f"{platform.python_version()}, numpy {np.__version__}{_torch()}"
    report["messages"] = "exceptions of gfpq in calls of this package, else its logger"
    report["gpu"] = _gpu()
    report["self-test"] = {f"{bits} bit {dtype}": _self_test(bits, dtype) for bits, dtype in DIGESTS}
    return report


def passed(report: dict[str, Any]) -> bool:
    """Whether the self-test found nothing wrong."""
    return all(result in ("passed", "not offered") for result in report["self-test"].values())


def text_of(report: dict[str, Any]) -> str:
    """A screen of lines."""
    lines = []
    for name, value in report.items():
        parts = {f"{name} {inner}": value[inner] for inner in value} if isinstance(value, dict) else {name: value}
        for label, content in parts.items():
            shown = ", ".join(map(str, content)) if isinstance(content, list) else content
            lines.append(f"{label + ':':26}{shown}\n")
    return "".join(lines)


def main(as_json: bool = False) -> int:
    """Prints the report. Returns 0, or 1 where the self-test failed."""
    report = examine()
    print(json.dumps(report, indent=2) if as_json else text_of(report), end="\n" if as_json else "")
    return 0 if passed(report) else 1


def _file_of(path: str) -> str:
    """The file behind the name that the loader was given."""
    if os.sep in path or sys.platform != "linux":
        return str(Path(path).resolve())
    for line in Path("/proc/self/maps").read_text().splitlines():
        file = line.partition("/")[2]
        if f"/{file}".rpartition("/")[2].startswith(path.partition(".so")[0] + ".so"):
            return f"/{file}"
    return path


def _why(name: str, path: str) -> str:
    variable = {"gfpq": "GFPQ_LIBRARY", "gfpq_gpu": "GFPQ_GPU_LIBRARY"}[name]
    if os.environ.get(variable) == path:
        return f"the environment's {variable}"
    folder = Path(path).parent
    if folder.name == "lib" and folder.parent.name in ("gfpq", "gfpq_gpu"):
        return f"in the installed package {folder.parent.name}"
    if folder.parts[-2:] == ("build", "lib"):
        return "in the build folder of the checkout that this package lies in"
    if os.sep not in path:
        return f"the first that the system's loader finds, LD_LIBRARY_PATH = {os.environ.get('LD_LIBRARY_PATH', '')}"
    return "beside the library that GFPQ_LIBRARY names"


def _description(path: str) -> dict[str, Any]:
    """What GFPQ_Describe says; nothing for a library without it."""
    describe = getattr(ctypes.CDLL(path), "GFPQ_Describe", None)
    if describe is None:
        return {}
    describe.argtypes, describe.restype = [ctypes.c_char_p, ctypes.c_uint], ctypes.c_int
    text = ctypes.create_string_buffer(4096)
    return dict(json.loads(text.value)) if describe(text, len(text)) == 0 else {}


def _torch() -> str:
    """PyTorch's version where it is installed, without loading it."""
    from importlib import metadata

    try:
        return f", PyTorch {metadata.version('torch')}"
    except metadata.PackageNotFoundError:
        return ", no PyTorch"


def _gpu() -> dict[str, Any]:
    report: dict[str, Any] = {}
    try:
        loaded = library.gpu()
        report["library"] = _file_of(loaded.path)
        report["why"] = _why("gfpq_gpu", loaded.path)
        report["architectures"] = _description(loaded.path).get("gpu_architectures", "unknown")
    except GfpqError as error:
        report["library"] = "not loaded: " + " ".join(str(error).split())
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError as error:
        report["driver"] = f"not loaded: {error}"
        return report
    number = ctypes.c_int(0)
    if driver.cuDriverGetVersion(ctypes.byref(number)) == 0:
        report["driver"] = f"serves CUDA {number.value // 1000}.{number.value % 1000 // 10}"
    status = driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(number))
    report["devices"] = number.value if status == 0 else f"the driver's error {status}"
    return report


def _self_test(bits: int, dtype: str) -> str:
    try:
        return "passed" if _digest(bits, np.dtype(dtype)) == DIGESTS[bits, dtype] else "FAILED"
    except GfpqError as error:
        return f"error: {error}"


def _digest(bits: int, dtype: np.dtype[Any]) -> str:
    """The workload's SHA-256; golden/README.md defines the workload."""
    draw = _draws()
    digest = hashlib.sha256()
    for chain in range(_CHAINS):
        param = Param(bits)
        for mode in _MODES:
            octave = next(draw) % 80 - 36
            length = next(draw) % _SHORT + (_LONG if chain == _CHAINS - 1 and mode == Mode.INIT else 0)
            offset = next(draw) % 16
            pattern = [_number(next(draw), octave, dtype) for _ in range(min(length, _PERIOD))]
            room: NDArray[Any] = np.zeros(offset + length, dtype)
            data = room[offset:]
            bits_of = data.view(f"u{dtype.itemsize}")
            bits_of[:] = np.resize(np.array(pattern, f"u{dtype.itemsize}"), length)
            if mode is None:
                quantize_(data, bits)
            else:
                quantize_(data, param=param, mode=mode)
            digest.update(data.tobytes())
            if mode is not None:
                digest.update(bytes(param))
    return digest.hexdigest()


def _draws() -> Any:
    """Sebastiano Vigna's SplitMix64, from state 0."""
    state = 0
    while True:
        state = (state + 0x9E3779B97F4A7C15) & _MASK
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & _MASK
        yield z ^ z >> 31


def _number(draw: int, octave: int, dtype: np.dtype[Any]) -> int:
    """The bits of a number: zero, NaN, denormal, or one of the octaves below `octave`."""
    mantissa_bits, bias = (23, 127) if dtype.itemsize == 4 else (52, 1023)
    kind, sign, down = draw & 127, draw >> 7 & 1, draw >> 8 & 15
    mantissa = draw >> 64 - mantissa_bits
    sign <<= 8 * dtype.itemsize - 1
    if kind == 0:
        return sign
    if kind == 1:
        return sign | 2 * bias + 1 << mantissa_bits | mantissa | 1
    if kind == 2:
        return sign | mantissa
    return sign | bias + octave - down << mantissa_bits | mantissa
