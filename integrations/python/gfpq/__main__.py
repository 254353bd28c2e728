"""python -m gfpq: quantize and compare .npy files, read parameters."""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import gfpq
from gfpq import doctor, files, nnie_commands, parameters
from gfpq.similarity import Similarity
from gfpq.widths import DEFAULT_BITS, WIDTHS

_PART = 1 << 24  # numbers read at a time: 128 MiB as float64

_STATUS = """\
exit status:
  0 success, 1 where `compare` or `check` finds something, 2 for wrong arguments or an error of the library, 3 for a
  file that can't be read, written or used
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command line. Returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # as by `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        return 2
    except files.FileError as error:
        print(f"gfpq: {error}", file=sys.stderr)
        return 3
    except (gfpq.GfpqError, OSError) as error:
        print(f"gfpq: {error}", file=sys.stderr)
        return 2
    except Exception:  # Python's own exit status for it is that of a difference
        traceback.print_exc()
        return 2


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        try:
            print(f"gfpq {gfpq.info().version}")
        except gfpq.GfpqError as error:
            parser.error(str(error))
        parser.exit()


def _parser() -> argparse.ArgumentParser:
    def described(text: str, *examples: str) -> dict[str, Any]:
        lines = "".join(f"  python -m gfpq {example}\n" for example in examples)
        return {
            "description": text,
            "epilog": f"examples:\n{lines}\n{_STATUS}",
            "formatter_class": argparse.RawDescriptionHelpFormatter,
        }

    parser = argparse.ArgumentParser(prog="python -m gfpq", **described(
        "Quantize and compare .npy files, read parameters.",
        "info", "quantize in.npy out.npy --save-param in.json", "param in.json", "compare in.npy out.npy",
    ))  # fmt: skip
    parser.add_argument("--version", action=_Version, nargs=0, help="show the library's version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], text: str, *examples: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, **described(f"{text[0].upper()}{text[1:]}.", *examples))
        added.set_defaults(run=run)
        return added

    command("info", _info, "the library's version and file", "info")
    command(
        "doctor", _doctor, "what is used on this machine and why, and whether it computes right; 1 where it does not",
        "doctor", "doctor --json",
    ).add_argument("--json", action="store_true", help="the same as JSON")  # fmt: skip

    quantize = command(
        "quantize", _quantize, "quantize and dequantize an array",
        "quantize in.npy out.npy --bits 16 --save-param in.json",
        "quantize in.npy out.npy --param in.json",
        "quantize in.npy out.npy --bits 16 --save-param in.param",
        "quantize in.npy out.npy --bits 16 --param in.param",
    )  # fmt: skip
    quantize.add_argument("input", type=Path, metavar="IN.npy")
    quantize.add_argument("output", type=Path, metavar="OUT.npy", help="float32 or float64, as gfpq.quantize says")
    quantize.add_argument(
        "--bits", type=int, choices=tuple(WIDTHS), help=f"default: the width that PARAM tells, else {DEFAULT_BITS}"
    )
    quantize.add_argument(
        "--param", type=Path,
        help="use the parameter in this file, .json or 16 bytes, which don't tell their --bits; default: from the data",
    )  # fmt: skip
    quantize.add_argument(
        "--save-param", type=Path, metavar="FILE", help="write the parameter: with its width to .json, else 16 bytes"
    )

    for name, run, text, source, target, options in (
        ("encode", _encode, "the codes of an array: int8 or int16, sign and magnitude", "IN.npy", "CODES.npy",
         "--bits 8 --save-param in.json"),
        ("decode", _decode, "the values of codes", "CODES.npy", "OUT.npy", "--param in.json --type float32"),
    ):  # fmt: skip
        added = command(name, run, text, f"{name} {source.lower()} {target.lower()} {options}")
        added.add_argument("input", type=Path, metavar=source)
        added.add_argument("output", type=Path, metavar=target)
        added.add_argument("--bits", type=int, choices=tuple(WIDTHS), help="as for quantize")
        added.add_argument("--param", type=Path, required=name == "decode", help="the parameter in this file")
        if name == "encode":
            added.add_argument("--save-param", type=Path, metavar="FILE", help="write the parameter, which decode needs")
        else:
            added.add_argument("--type", choices=("float32", "float64", "float16"), default="float32")

    param = command(
        "param", _param, "show the parameter in a file: 16 bytes, or .json as gfpq.torch's export writes it",
        "param in.json", "param in.param --bits 16",
    )  # fmt: skip
    param.add_argument("file", type=Path)
    param.add_argument("--bits", type=int, choices=tuple(WIDTHS), help="what the 16 bytes are for; default: show each")

    compare = command(
        "compare", _compare, "cosine similarity and SQNR of two arrays; B is the quantized one",
        "compare in.npy out.npy",
    )  # fmt: skip
    compare.add_argument("a", type=Path, metavar="A.npy")
    compare.add_argument("b", type=Path, metavar="B.npy")

    text = "files for HiSilicon's nnie_mapper, its rules, and what it dumps"
    examples = "nnie export prepared.pt deployed", "nnie check model.prototxt", "nnie compare --help"
    nnie = commands.add_parser("nnie", help=text, **described(f"{text[0].upper()}{text[1:]}.", *examples))
    nnie_commands.add_commands(nnie, described)
    return parser


def _info(_options: argparse.Namespace) -> int:
    info = gfpq.info()
    print(f"GFPQ version[{info.version}] Compiler revision[{info.revision}] Build at[{info.build_time}]")
    print(info.path)
    return 0


def _doctor(options: argparse.Namespace) -> int:
    return doctor.main(options.json)


def _quantize(options: argparse.Namespace) -> int:
    return _convert(options, gfpq.quantize, "quantize")


def _encode(options: argparse.Namespace) -> int:
    if not options.param and not options.save_param:
        print("gfpq: codes tell nothing without their parameter: give --save-param or --param", file=sys.stderr)
        return 2
    return _convert(options, lambda part, param, mode: gfpq.encode(part, param, mode), "encode")


def _decode(options: argparse.Namespace) -> int:
    source = files.load_array(options.input)
    files.check_outputs([options.output], [options.input, options.param])
    param = _given_param(options.param, options.bits)
    flat = source.reshape(-1, order="A")
    with files.replacing([options.output]) as (opened,), files.naming(options.input):
        files.write_header(opened, source, np.dtype(options.type))
        for part in _parts(flat.size, "decode"):
            files.write_array(opened, gfpq.decode(flat[part], param, options.type))
    print(param)
    return 0


def _convert(options: argparse.Namespace, convert: Callable[..., NDArray[Any]], what: str) -> int:
    """Writes what `convert(part, param=, mode=)` makes of an array, by parts, with the parameter given or found."""
    source = files.load_array(options.input)
    outputs = [options.output, *([options.save_param] if options.save_param else [])]
    files.check_outputs(outputs, [options.input, *([options.param] if options.param else [])])
    given = _given_param(options.param, options.bits) if options.param else None
    flat = source.reshape(-1, order="A")
    largest = 0.0
    with files.replacing(outputs) as opened:
        param = given or _range(flat, options.bits or DEFAULT_BITS)
        with files.naming(options.output):
            # An empty array's result says what type the whole result has.
            files.write_header(opened[0], source, convert(flat[:0], param=param, mode=gfpq.Mode.APPLY).dtype)
            for part in _parts(flat.size, what):
                files.write_array(opened[0], convert(flat[part], param=param, mode=gfpq.Mode.APPLY))
                if given:
                    largest = max(largest, _largest(flat[part]))
        if options.save_param:
            with files.naming(options.save_param):
                opened[1].write(_saved(param, options.save_param, options.input.stem))
    if given and not _is_json(options.param):
        _warn_of_width(options.param, param, largest)
    print(param)
    return 0


def _range(flat: NDArray[Any], bits: int) -> gfpq.Param:
    param = gfpq.Param(bits)
    for part in _parts(flat.size, "range"):
        gfpq.quantize(flat[part], param=param, mode=gfpq.Mode.UPDATE if param.initialized else gfpq.Mode.INIT)
    if not param.initialized:
        gfpq.quantize(flat, param=param)
    return param


def _largest(part: NDArray[Any]) -> float:
    """The largest finite |x|."""
    return float(np.abs(part[np.isfinite(part)].astype("f8")).max(initial=0.0))


def _is_json(path: Path) -> bool:
    return path.suffix == ".json"


def _saved(param: gfpq.Param, path: Path, name: str) -> bytes:
    if _is_json(path):
        return parameters.text_of([parameters.row_of(name, parameters.DATA, 0, param)]).encode()
    return bytes(param)


def _given_param(path: Path, bits: int | None) -> gfpq.Param:
    if _is_json(path):
        rows = files.load_rows(path)
        if len(rows) != 1:
            raise files.FileError(path, f"holds {len(rows)} parameters, where one is needed")
        param = rows[0][1]
        if bits not in (None, param.bits):
            raise files.FileError(path, f"made for {param.bits} bit, and {bits} bit are asked for")
    else:
        if bits is None:
            files.block_params(path)  # says what is wrong with the file first
            raise files.FileError(path, "16 bytes do not tell the bit width: give --bits, or use a .json file")
        param = files.block_param(path, bits)
    if not param.initialized:
        raise files.FileError(path, "the parameter holds no range")
    return param


def _warn_of_width(path: Path, param: gfpq.Param, largest: float) -> None:
    """Says where 16 bytes fit the data much better as a parameter for another width."""

    def octaves(candidate: gfpq.Param) -> float:
        return abs(math.log2(candidate.largest / largest)) if largest else 0.0

    for other in files.block_params(path):
        if octaves(other) < 1 and octaves(param) > 3:
            print(f"gfpq: warning: {path}: its range ends at {param.largest:.6g} with {param.bits} bit, at "
                  f"{other.largest:.6g} with {other.bits} bit, and the data's largest number is {largest:.6g}: "
                  f"was it made for {other.bits} bit?", file=sys.stderr)


def _param(options: argparse.Namespace) -> int:
    path: Path = options.file
    if _is_json(path):
        for row, param in files.load_rows(path):
            number = f" of input {row['input']}" if row.get("input") else ""
            print(f"{row['layer']} {row['tensor']}{number} {row['group']}: {param}")
    else:
        found = files.block_params(path) if options.bits is None else [files.block_param(path, options.bits)]
        for param in found:
            print(param)
        # Signed, as the guide's samples print them.
        print("GFPQ PARAM:", *(f"{byte - (byte & 0x80) * 2:#x}" for byte in bytes(found[0])))
    return 0


def _compare(options: argparse.Namespace) -> int:
    a, b = files.load_array(options.a), files.load_array(options.b)
    if a.shape != b.shape:
        raise files.FileError(options.b, f"has the shape {b.shape}, and {options.a} has {a.shape}")
    similarity = Similarity()
    flat = [array.reshape(-1, order="F" if np.isfortran(a) else "C") for array in (a, b)]
    for part in _parts(a.size, "compare"):
        similarity.add(flat[0][part], flat[1][part])
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
