"""python -m gfpq: quantize and compare .npy files, read parameters.

    python -m gfpq info
    python -m gfpq quantize in.npy out.npy --bits 8 --save-param in.param
    python -m gfpq param in.param --bits 8
    python -m gfpq compare in.npy out.npy

Exit status: 0 for success, 1 where `compare` finds a difference, 2 for an error.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Callable, Iterator

import numpy as np

import gfpq
from gfpq.library import BLOCK_LENGTH
from gfpq.similarity import Similarity
from gfpq.widths import DEFAULT_BITS, WIDTHS

_PART = 1 << 24  # numbers read at a time: 128 MiB as float64


def main(arguments: list[str] | None = None) -> int:
    """Runs one command line. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (gfpq.GfpqError, OSError, TypeError, ValueError) as error:
        print(f"gfpq: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gfpq", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    command("info", _info, "the library's version and file")

    quantize = command("quantize", _quantize, "quantize and dequantize an array")
    quantize.add_argument("input", type=Path, metavar="IN.npy")
    quantize.add_argument("output", type=Path, metavar="OUT.npy", help="float32 or float64, as gfpq.quantize says")
    quantize.add_argument("--bits", type=int, choices=tuple(WIDTHS), default=DEFAULT_BITS)
    quantize.add_argument("--param", type=Path, help="use the parameter in this file; default: from the data")
    quantize.add_argument("--save-param", type=Path, metavar="FILE", help="write the parameter's 16 bytes")

    param = command("param", _param, "show the parameter in a file: 16 bytes, or what gfpq.torch's export wrote")
    param.add_argument("file", type=Path)
    param.add_argument("--bits", type=int, choices=tuple(WIDTHS), default=DEFAULT_BITS, help="what the 16 bytes are for")

    compare = command("compare", _compare, "cosine similarity and SQNR of two arrays; B is the quantized one")
    compare.add_argument("a", type=Path, metavar="A.npy")
    compare.add_argument("b", type=Path, metavar="B.npy")
    return parser


def _info(_options: argparse.Namespace) -> int:
    info = gfpq.info()
    print(f"GFPQ version[{info.version}] Compiler revision[{info.revision}] Build at[{info.build_time}]")
    print(info.path)
    return 0


def _quantize(options: argparse.Namespace) -> int:
    source = np.load(options.input, mmap_mode="r")
    if options.output.exists() and options.output.samefile(options.input):
        raise ValueError("input and output are the same file")
    flat = source.reshape(-1, order="A")
    # An empty array's result says what type the whole result has.
    kind = gfpq.quantize(flat[:0], options.bits).dtype
    if options.param:
        param = _read_block(options.param, options.bits)
    else:
        param = gfpq.Param(options.bits)
        for part in _parts(flat.size, "range"):
            gfpq.quantize(flat[part], param=param, mode=gfpq.Mode.UPDATE if param.initialized else gfpq.Mode.INIT)
        if not param.initialized:
            gfpq.quantize(flat, param=param)
    in_fortran_order = not source.flags.c_contiguous and source.flags.f_contiguous
    result = np.lib.format.open_memmap(
        options.output, mode="w+", dtype=kind, shape=source.shape, fortran_order=in_fortran_order
    )
    written = result.reshape(-1, order="A")
    for part in _parts(flat.size, "quantize"):
        written[part] = gfpq.quantize(flat[part], param=param, mode=gfpq.Mode.APPLY)
    result.flush()
    if options.save_param:
        options.save_param.write_bytes(bytes(param))
    print(param)
    return 0


def _param(options: argparse.Namespace) -> int:
    if options.file.suffix == ".json":
        for row in json.loads(options.file.read_text()):
            param = gfpq.Param.from_bytes(bytes.fromhex(row["block"]), row["bits"])
            print(f"{row['layer']} {row['tensor']} {row['group']}: {param}")
    else:
        param = _read_block(options.file, options.bits)
        print(param)
        # Signed, as the guide's samples print them.
        print("GFPQ PARAM:", *(f"{byte - (byte & 0x80) * 2:#x}" for byte in bytes(param)))
    return 0


def _read_block(path: Path, bits: int) -> gfpq.Param:
    content = path.read_bytes()
    if len(content) == BLOCK_LENGTH + 4:  # a whole GFPQ_PARAM_ST, which starts with the mode
        content = content[4:]
    return gfpq.Param.from_bytes(content, bits)


def _compare(options: argparse.Namespace) -> int:
    a, b = (np.load(path, mmap_mode="r") for path in (options.a, options.b))
    if a.shape != b.shape:
        raise ValueError(f"{options.a} has the shape {a.shape}, {options.b} has {b.shape}")
    similarity = Similarity()
    order = "F" if a.flags.f_contiguous and not a.flags.c_contiguous else "C"
    a, b = a.reshape(-1, order=order), b.reshape(-1, order=order)
    for part in _parts(a.size, "compare"):
        similarity.add(a[part], b[part])
    print(f"cosine similarity {similarity.cosine:.6f}, SQNR {similarity.sqnr:.2f} dB, "
          f"largest difference {similarity.largest_error:.6g}, {similarity.different} of {similarity.count} differ")
    return 1 if similarity.different else 0


def _parts(count: int, what: str) -> Iterator[slice]:
    """Cuts `count` numbers into parts, and tells the progress on standard error from the third second on."""
    start = shown = time.monotonic()
    for first in range(0, count, _PART):
        yield slice(first, first + _PART)
        now = time.monotonic()
        done = min(first + _PART, count)
        if now - start > 3 and (now - shown > 1 or done == count):
            shown = now
            print(f"{what}: {done * 100 // count}% of {count} numbers, {now - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
