"""The shared library: where it is found, its functions by ctypes, and its messages as exceptions.

The CPU library is, in this order: the file that the environment's GFPQ_LIBRARY names (any library with the interface
of gfpq.hpp, the vendor's too), the one in the installed package, the one in the build folder of the checkout that this
file belongs to, the system's. The GPU library likewise: GFPQ_GPU_LIBRARY, beside GFPQ_LIBRARY, the installed package
gfpq-gpu, build, system.
It is loaded only when a CUDA array is passed.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from .errors import LibraryNotFoundError, NotSupportedError, error_of

MAX_COUNT = 0xFFFFFFFF  # the interface counts in an unsigned int
BLOCK_LENGTH = 16

# The overloads for C++ have no C name, so they are called by their mangled one: Itanium's, or MSVC's on Windows.
if sys.platform == "win32":
    _DOUBLE = "?HI_GFPQ_QuantAndDeQuant@@YAHPEANIIPEAU_GFPQ_PARAM_ST@@@Z"
    _DOUBLE_GPU = "?HI_GFPQ_QuantAndDeQuant_GPU@@YAHPEANIIPEAU_GFPQ_PARAM_ST@@PEAX2@Z"
    _INFO = "?HI_GFPQ_GetInfo@@YAHPEAU_GFPQ_INFO_ST@@@Z"
else:
    _DOUBLE = "_Z23HI_GFPQ_QuantAndDeQuantPdjjP14_GFPQ_PARAM_ST"
    _DOUBLE_GPU = "_Z27HI_GFPQ_QuantAndDeQuant_GPUPdjjP14_GFPQ_PARAM_STPvS2_"
    _INFO = "_Z15HI_GFPQ_GetInfoP13_GFPQ_INFO_ST"

_Sink = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_void_p)


class ParamStruct(ctypes.Structure):
    """GFPQ_PARAM_ST."""

    _fields_ = [("mode", ctypes.c_uint), ("buf", ctypes.c_ubyte * BLOCK_LENGTH)]


class Job(ctypes.Structure):
    """GFPQ_JOB_ST: numbers or codes at an address, as outer x groups x inner; addresses are 0 for null."""

    _fields_ = [
        ("operation", ctypes.c_uint),
        ("type", ctypes.c_uint),
        ("bit_width", ctypes.c_uint),
        ("mode", ctypes.c_uint),
        ("outer", ctypes.c_size_t),
        ("groups", ctypes.c_size_t),
        ("inner", ctypes.c_size_t),
        ("source", ctypes.c_void_p),
        ("destination", ctypes.c_void_p),
        ("params", ctypes.c_void_p),
        ("mask", ctypes.c_void_p),
    ]


_REST_OF_PARAM = bytes(48)  # of a GFPQ_GROUP_PARAM_ST behind its block
FLOAT32, FLOAT64, FLOAT16, BFLOAT16 = range(4)  # GFPQ_TYPE


class Operation(IntEnum):
    """GFPQ_OPERATION."""

    FAKE_QUANTIZE = 0
    ENCODE = 1
    DECODE = 2


class GroupParams:
    """GFPQ_GROUP_PARAM_STs in host memory, made of the block of each group. `address` is for jobs.

    In the mode APPLY jobs only read them, so that threads may share one whose blocks hold ranges.
    """

    def __init__(self, blocks: Sequence[bytes]) -> None:
        content = b"".join(block + _REST_OF_PARAM for block in blocks)
        self._memory = ctypes.create_string_buffer(content, len(content))
        self.address = ctypes.addressof(self._memory) if blocks else 0

    @property
    def blocks(self) -> list[bytes]:
        """The blocks as jobs left them."""
        content, size = self._memory.raw, BLOCK_LENGTH + len(_REST_OF_PARAM)
        return [content[i : i + BLOCK_LENGTH] for i in range(0, len(content), size)]


class _InfoStruct(ctypes.Structure):
    """GFPQ_INFO_ST, with room behind it for what a later library may add."""

    _fields_ = [
        ("major", ctypes.c_uint),
        ("minor", ctypes.c_uint),
        ("patch", ctypes.c_uint),
        ("so_version", ctypes.c_uint),
        ("revision", ctypes.c_uint),
        ("build_time", ctypes.c_char * 64),
        ("_spare", ctypes.c_char * 128),
    ]


@dataclass(frozen=True)
class Info:
    """What a library says of itself. `revision` is 0 where it is not known; `path` is the file it was loaded from."""

    version: str
    so_version: int
    revision: int
    build_time: str
    path: str


class _Messages(threading.local):
    """The library's last message on this thread. `wanted` is true while a call of this package is under way."""

    wanted = False
    text: str | None = None


_messages = _Messages()


def _on_message(message: bytes, _user: object) -> None:
    text = message.decode(errors="replace")
    if _messages.wanted:
        _messages.text = text
    else:  # of C++ code in this process that uses the same library: not ours to swallow
        logging.getLogger("gfpq").error("%s", text)


_receive = _Sink(_on_message)


class Library:
    """One loaded library. Raises OSError where the file can't be loaded, AttributeError where it is no GFPQ library."""

    def __init__(self, path: str) -> None:
        self.path = path
        handle = ctypes.CDLL(path)
        cpu = [ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p]
        gpu = [*cpu, ctypes.c_void_p, ctypes.c_void_p]
        self._float = _function(handle.HI_GFPQ_QuantAndDeQuant_PY, cpu)
        self._double = _function(getattr(handle, _DOUBLE, None), cpu)
        self._float_gpu = _function(getattr(handle, "HI_GFPQ_QuantAndDeQuant_GPU_PY", None), gpu)
        self._double_gpu = _function(getattr(handle, _DOUBLE_GPU, None), gpu)
        self._info = _function(getattr(handle, _INFO, None), [ctypes.c_void_p])
        jobs = [ctypes.c_void_p, ctypes.c_uint]
        self._run_jobs = _function(getattr(handle, "GFPQ_RunJobs", None), jobs)
        self._run_jobs_gpu = _function(getattr(handle, "GFPQ_RunJobs_GPU", None), [*jobs, ctypes.c_void_p])
        set_sink = getattr(handle, "GFPQ_SetMessageSink", None)
        if set_sink is not None:  # the vendor's library lacks it: its messages stay on standard output
            set_sink.argtypes, set_sink.restype = [ctypes.c_void_p, ctypes.c_void_p], None
            set_sink(ctypes.cast(_receive, ctypes.c_void_p), None)
            atexit.register(set_sink, None, None)  # no call into an interpreter that is gone

    def quantize(self, address: int, count: int, is_double: bool, bits: int, param: Any) -> None:
        """HI_GFPQ_QuantAndDeQuant on `count` numbers of host memory. `param`: a ParamStruct's reference or None."""
        function = self._double if is_double else self._float
        if function is None:
            raise self._lacks("float64")
        self._check(function, address, count, bits, param)

    def quantize_gpu(self, address: int, count: int, is_double: bool, bits: int, param: Any, stream: int) -> None:
        """HI_GFPQ_QuantAndDeQuant_GPU on device memory, queued on `stream` (a cudaStream_t's number)."""
        function = self._double_gpu if is_double else self._float_gpu
        if function is None:
            raise self._lacks("the GPU")
        self._check(function, address, count, bits, param, stream, None)

    @property
    def has_jobs(self) -> bool:
        """Whether it has the functions of gfpq_jobs.hpp for host memory."""
        return self._run_jobs is not None

    @property
    def has_gpu_jobs(self) -> bool:
        """Whether it has those for device memory. The CPU library has them too, to refuse."""
        return self._run_jobs_gpu is not None

    def run_jobs(self, jobs: Sequence[Job]) -> None:
        """GFPQ_RunJobs on host memory."""
        if self._run_jobs is None:
            raise self._lacks("jobs (gfpq_jobs.hpp), which codes and torch.compile need")
        self._check(self._run_jobs, _array_of(jobs), len(jobs))

    def run_jobs_gpu(self, jobs: Sequence[Job], stream: int) -> None:
        """GFPQ_RunJobs_GPU on device memory, queued on `stream`. What the GPU finds is in the parameters' status."""
        if self._run_jobs_gpu is None:
            raise self._lacks("jobs on the GPU")
        self._check(self._run_jobs_gpu, _array_of(jobs), len(jobs), stream)

    def info(self) -> Info:
        """HI_GFPQ_GetInfo."""
        if self._info is None:
            raise self._lacks("information on itself")
        info = _InfoStruct()
        self._check(self._info, ctypes.byref(info))
        version = f"{info.major}.{info.minor}.{info.patch}"
        return Info(version, info.so_version, info.revision, info.build_time.decode(errors="replace"), self.path)

    def _check(self, function: Any, *arguments: Any) -> None:
        _messages.wanted, _messages.text = True, None  # one that came with a success is not the next error's
        try:
            status = function(*arguments)
        finally:
            _messages.wanted = False
        if status != 0:
            raise error_of(status, _messages.text)

    def _lacks(self, what: str) -> NotSupportedError:
        return NotSupportedError(f"{self.path} has no function for {what}")


def _array_of(jobs: Sequence[Job]) -> Any:
    return ctypes.byref(jobs[0]) if len(jobs) == 1 else (Job * len(jobs))(*jobs)


def _function(function: Any, argument_types: list[Any]) -> Any:
    if function is not None:
        function.argtypes, function.restype = argument_types, ctypes.c_int
    return function


_loaded: dict[str, Library] = {}
_loading = threading.Lock()


def cpu() -> Library:
    """The CPU library, loaded on the first call. Raises LibraryNotFoundError."""
    return _loaded.get("gfpq") or _load("gfpq")


def gpu() -> Library:
    """The GPU library, loaded on the first call. Raises LibraryNotFoundError."""
    return _loaded.get("gfpq_gpu") or _load("gfpq_gpu")


def _load(name: str) -> Library:
    with _loading:
        if name in _loaded:
            return _loaded[name]
        failures = []
        for path, is_choice in _candidates(name):
            try:
                _loaded[name] = Library(path)
                return _loaded[name]
            except (OSError, AttributeError) as error:
                failures.append(f"  {path}: {error}")
                if is_choice:
                    break  # what the user names is used or refused, never quietly replaced
        raise LibraryNotFoundError(f"no lib{name} to load; tried\n" + "\n".join(failures))


def _candidates(name: str) -> Iterator[tuple[str, bool]]:
    """The files to try, each with whether the environment names it."""
    if sys.platform == "win32":
        file, on_system = f"{name}.dll", f"{name}.dll"
    else:
        file, on_system = f"lib{name}.so", f"lib{name}.so.1"
    variable = {"gfpq": "GFPQ_LIBRARY", "gfpq_gpu": "GFPQ_GPU_LIBRARY"}[name]
    if os.environ.get(variable):
        yield os.environ[variable], True
    here = Path(__file__).resolve().parent
    folders = [here / "lib"]
    if name == "gfpq_gpu":  # a package of its own
        found = importlib.util.find_spec("gfpq_gpu")
        folders = [Path(place) / "lib" for place in (found.submodule_search_locations if found else None) or ()]
    if (here.parents[2] / "include" / "gfpq.hpp").exists():  # in a checkout
        folders.append(here.parents[2] / "build" / "lib")
    if name == "gfpq_gpu" and os.environ.get("GFPQ_LIBRARY"):
        folders.insert(0, Path(os.environ["GFPQ_LIBRARY"]).resolve().parent)
    for folder in folders:
        # The wheel holds no links, only the file with the soname.
        for candidate in (folder / file, folder / f"{file}.1"):
            if candidate.exists():
                yield str(candidate), False
    yield on_system, False
