#!/usr/bin/env python3
"""What else users have for the same purpose, on the same numbers: time, and how many numbers get another code.

    peers.py [--library FILE] [--repetitions N] [--count N] RESULT.json

Measures the library and the peers in rounds, with one thread and with all, and writes what it finds into RESULT.json, a
result file of gfpq_bench of the same machine (key `peers`, see SCHEMA.md): one file to keep, and to send. Needs PyTorch;
without it the reason is written instead.

Exit status: 0 done, or PyTorch is missing; 2 the file is no such result file, or of another machine.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import os
import pathlib
import sys
import time
from typing import Any, Callable

STEPS = {8: 16, 16: 128}  # of GFPQ, an octave
SAME = 1e-4  # relative difference of a result that has the same code: steps are at least 50 times as far apart
MULTIPLIER = 1 << 20


class RefusalError(Exception):
    """The message is for whoever called."""


class Parameters(ctypes.Structure):
    _fields_ = [("mode", ctypes.c_uint), ("words", ctypes.c_ubyte * 16)]


class Library:
    """The library under test, by its C++ symbol."""

    def __init__(self, path: str) -> None:
        try:
            self.function = ctypes.CDLL(path)["_Z23HI_GFPQ_QuantAndDeQuantPfjjP14_GFPQ_PARAM_ST"]
        except (OSError, AttributeError) as error:
            raise RefusalError(str(error)) from error

    def call(self, tensor: Any, bits: int, parameters: Parameters) -> None:
        status = self.function(
            ctypes.c_void_p(tensor.data_ptr()), ctypes.c_uint(tensor.numel()), ctypes.c_uint(bits), ctypes.byref(parameters)
        )
        if status != 0:
            raise RefusalError(f"the library returns {status & 0xFFFFFFFF:#010x}")

    def prepare(self, tensor: Any, bits: int) -> Callable[[Any], Any]:
        """APPLY with the range of this tensor, as a function that works in place."""
        parameters = Parameters(mode=0)
        self.call(tensor.clone(), bits, parameters)
        parameters.mode = 2

        def apply(data: Any) -> Any:
            self.call(data, bits, parameters)
            return data

        return apply


def torch_linear(torch: Any, tensor: Any, bits: int) -> Callable[[Any], Any]:
    """PyTorch's own fake quantization, which is linear: symmetric, the largest number is the largest code."""
    largest = 2 ** (bits - 1) - 1
    scale = float(tensor.abs().max()) / largest
    return lambda data: torch.fake_quantize_per_tensor_affine(data, scale, 0, -largest, largest)


def mqbench_formula(torch: Any, tensor: Any, bits: int) -> Callable[[Any], Any]:
    """MQBench's page on NNIE, 8 bit: the clipping value is the tensor's maximum."""
    z = round(16 * math.log2(float(tensor.abs().max()))) - 127

    def apply(data: Any) -> Any:
        code = torch.round(16 * torch.log2(data.abs())) - z
        value = torch.exp2((torch.where(data > 0, code.clamp(0, 127), code.clamp(1, 127)) + z) / 16)
        is_zero = (data >= -(2 ** ((z + 1) / 16 - 1))) & (data < 2 ** (z / 16 - 1))
        return torch.where(is_zero, torch.zeros_like(data), torch.copysign(value, data))

    return apply


def nnieqat_formula(torch: Any, tensor: Any, bits: int) -> Callable[[Any], Any]:
    """The arithmetic of nnieqat's CUDA kernel, with a CPU's functions for the fast ones of a GPU. Its 16 bit has 2048
    steps an octave where GFPQ has 128."""
    steps, codes, octaves = (16, 127, 8) if bits == 8 else (2048, 32767, 16)
    maximum_step = math.floor(math.log2(float(tensor.abs().max())) * STEPS[bits])
    maximum = 2.0 ** ((maximum_step + 1) / STEPS[bits])
    smallest = 2.0 ** (1 / steps - 9)

    def apply(data: Any) -> Any:
        code = torch.round(steps * torch.log2(data.abs() * (2**octaves / maximum)))
        code = torch.where(data > 0, code.clamp(0, codes), code.clamp(1, codes))
        value = torch.exp2(code / steps) * (maximum / 2**octaves)
        is_zero = (data <= 2.0 ** (maximum_step / 16) * smallest) & (data > -maximum * smallest)
        return torch.where(is_zero, torch.zeros_like(data), torch.copysign(value, data))

    return apply


PEERS = {
    "PyTorch fake_quantize_per_tensor_affine": (torch_linear, (8, 16)),
    "MQBench's documented formula, in PyTorch": (mqbench_formula, (8,)),
    "nnieqat's kernel formula, in PyTorch": (nnieqat_formula, (8, 16)),
}


def make_data(numpy: Any, name: str, count: int) -> Any:
    """The same numbers as gfpq_bench has (SCHEMA.md): from mt19937 with its default seed."""
    generator = numpy.random.RandomState(5489)._bit_generator
    if name == "guide":
        raw = generator.random_raw(count).astype("i8")
        return ((raw % MULTIPLIER - MULTIPLIER // 2) / (MULTIPLIER // 4)).astype("f4")
    raw = generator.random_raw(2 * count)
    sizes = -0.02 * numpy.log((raw[0::2].astype("f8") + 1) / 2.0**32)
    return numpy.where(raw[1::2] % 2 == 0, sizes, -sizes).astype("f4")


def other_codes(torch: Any, got: Any, wanted: Any) -> float:
    """Share of the numbers that got another code than GFPQ gives them."""
    is_other = (got - wanted).abs() > SAME * wanted.abs()
    return float(is_other.sum()) / wanted.numel()


def measure(torch: Any, numpy: Any, library: Library, options: argparse.Namespace, facts: dict[str, Any]) -> list[dict]:
    """A row for each contender, width and number of threads."""
    data = {name: torch.from_numpy(make_data(numpy, name, options.count)) for name in ("guide", "weights")}
    cache = max(facts.get(key) or 0 for key in ("cache_l1d_bytes", "cache_l2_bytes", "cache_l3_bytes")) or 32 << 20
    copies = min(64, 2 * cache // (4 * options.count) + 3)  # so that each is in memory again when its turn comes
    tensors = [data["guide"].clone() for _ in range(copies)]
    rows, contenders = [], []
    for bits in (8, 16):
        ours = {name: library.prepare(tensor, bits) for name, tensor in data.items()}
        wanted = {name: ours[name](tensor.clone()) for name, tensor in data.items()}
        makers = {"this library": lambda tensor, bits=bits: library.prepare(tensor, bits)}
        for name, (make, widths) in PEERS.items():
            if bits in widths:
                makers[name] = lambda tensor, make=make, bits=bits: make(torch, tensor, bits)
        for name, make in makers.items():
            shares = {
                data_name: other_codes(torch, make(tensor)(tensor.clone()), wanted[data_name])
                for data_name, tensor in data.items()
            }
            for threads in sorted({1, facts["threads_all"]}):
                row = {"name": name, "bits": bits, "threads": threads, "count": options.count, "other_codes": shares}
                rows.append({**row, "times_ns": []})
                contenders.append((make(data["guide"]), threads))
    turn = 0
    for _ in range(options.repetitions):
        for row, (apply, threads) in zip(rows, contenders):
            torch.set_num_threads(threads)
            os.environ["OMP_NUM_THREADS"] = str(threads)  # which this library reads at every call
            tensor = tensors[turn % copies]
            turn += 1
            start = time.perf_counter_ns()
            apply(tensor)
            row["times_ns"].append(float(time.perf_counter_ns() - start))
            tensor.copy_(data["guide"])
    return rows


def find(options: argparse.Namespace, facts: dict[str, Any]) -> dict[str, Any]:
    """The value of the key `peers`."""
    try:
        import numpy
        import torch
    except ImportError as error:
        return {"skipped": f"{error}: PyTorch's and others' fake quantization were not measured"}
    library = Library(options.library)
    return {"torch": torch.__version__, "rows": measure(torch, numpy, library, options, facts)}


def cpu_model() -> str:
    lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def add(text: str, peers: dict[str, Any]) -> str:
    """The result file's text with the peers in it, each row on a line of its own; without those from before."""
    start = text.rfind(',\n"peers": ')
    end = start if start >= 0 else text.rstrip().rfind("}")
    rows = ",\n".join(json.dumps(row) for row in peers.pop("rows", []))
    head = json.dumps(peers)[:-1]
    return text[:end].rstrip() + ',\n"peers": ' + head + (f', "rows": [\n{rows}\n]' if rows else "") + "}\n}\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = pathlib.Path(__file__).resolve().parents[1] / "build" / "lib" / "libgfpq.so"
    parser.add_argument("result", type=pathlib.Path, metavar="RESULT.json")
    parser.add_argument("--library", default=str(default), help="the library under test (default: the one just built)")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--count", type=int, default=13107200, help="numbers in a tensor (default: the guide's)")
    options = parser.parse_args()
    try:
        text = options.result.read_text(encoding="utf-8")
        result = json.loads(text)
        facts = result["context"]
        if facts["schema"] != "gfpq-bench/1" or facts["quoted"] or facts["device"] != "cpu":
            raise RefusalError("not a result file of gfpq_bench")
        if facts["cpu_model"] != cpu_model():
            raise RefusalError(f"of another machine: {facts['cpu_model']}, this is {cpu_model()}")
        written = add(text, find(options, facts))
        if json.loads(written)["benchmarks"] != result["benchmarks"]:
            raise RefusalError("its rows would not stay as they are")
    except (RefusalError, OSError, ValueError, KeyError, TypeError) as error:
        print(f"peers: {options.result}: {error}", file=sys.stderr)
        return 2
    beside = options.result.with_name(options.result.name + ".partial")
    beside.write_text(written, encoding="utf-8")
    beside.replace(options.result)
    peers = json.loads(written)["peers"]
    print(peers.get("skipped") or f"{options.result}: {len(peers['rows'])} rows of peers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
