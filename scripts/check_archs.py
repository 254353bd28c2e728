#!/usr/bin/python3
"""Compile the GPU kernels for every architecture and say what came out: the compatibility table.

nvcc makes machine code for all architectures that it knows. The architectures of the vendor's guide, older than that,
are compiled by Clang to PTX, without CUDA's headers. --with-wheels fetches what NVIDIA offers on PyPI of CUDA 11 and 12
into a temporary folder: their ptxas assembles that PTX to machine code, and their NVRTC compiles the same header.

    check_archs.py --json report/archs.json        report.py --archs makes a page of that
    check_archs.py --with-wheels --markdown kernels/cuda/ARCHITECTURES.md

Ends with 0, with 1 where something does not compile or spills registers, or --check finds a difference, with 77 where
there is no compiler.
"""

import argparse
import dataclasses
import json
import pathlib
import shutil
import sys
import tempfile

from gpu_code.readers import CompileError
from gpu_code.tools import Compilers, fetch_wheels
from report import archs

HEADINGS = ["architecture", "code", "compiler", "registers", "spill bytes", "shared bytes", "constant bytes",
            "load bits", "store bits"]
MARKDOWN_HEAD = """# The GPU kernels, architecture by architecture

Made by `scripts/check_archs.py --with-wheels --markdown kernels/cuda/ARCHITECTURES.md`: what each compiler makes of the
kernels, from fewest to most among them. PTX does not tell registers. No GPU took part: what has run on one, with date and
revision, is in [tests/gpu/results](../../tests/gpu/results/README.md).

"""


def table_of(table):
    """One line an architecture and compiler."""
    return [[build.architecture, build.code, build.compiler, build.span("registers"), build.span("spill_bytes"),
             build.span("shared_bytes"), build.span("constant_bytes"), build.span("load_bits"),
             build.span("store_bits", "fake_quantize")] for build in table.builds]


def as_text(lines):
    widths = [max(len(line[i]) for line in [HEADINGS, *lines]) for i in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                     for line in [HEADINGS, *lines])


def as_markdown(lines):
    return "\n".join("| " + " | ".join(line) + " |" for line in [HEADINGS, ["---"] * len(HEADINGS), *lines]) + "\n"


def outdated(lines, markdown):
    """Lines whose compiler and architecture the file names, with something else beside them; and a file of no such form."""
    if not markdown.startswith(MARKDOWN_HEAD + as_markdown([])):
        return ["the file does not begin as this script begins it"]
    made = {tuple(line[:3]): line for line in lines}
    kept = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines()
            if line.startswith("|")]
    return [f"now {' | '.join(made[tuple(line[:3])])}, not {' | '.join(line)}" for line in kept
            if made.get(tuple(line[:3]), line) != line]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvcc", default=shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc"))
    parser.add_argument("--clang", default=shutil.which("clang++-14") or shutil.which("clang++"))
    parser.add_argument("--ptxas", action="append", default=[], help="an older ptxas for Clang's PTX; may be repeated")
    parser.add_argument("--nvrtc", action="append", default=[], help="a libnvrtc.so; may be repeated")
    parser.add_argument("--with-wheels", action="store_true", help="fetch older compilers from PyPI")
    parser.add_argument("--ends", action="store_true", help="of each compiler the oldest and the newest architecture alone")
    parser.add_argument("--json", type=pathlib.Path, help="write all kernels' facts to this file")
    parser.add_argument("--markdown", type=pathlib.Path, help="write the table to this file")
    parser.add_argument("--check", type=pathlib.Path, help="compare with such a table, where the compilers are the same")
    arguments = parser.parse_args()

    tools = {"nvcc": arguments.nvcc, "clang": arguments.clang, "ptxas": arguments.ptxas, "nvrtc": arguments.nvrtc,
             "cuobjdump": shutil.which("cuobjdump"), "nvdisasm": shutil.which("nvdisasm")}
    rows, problems = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if arguments.with_wheels:
            tools.update(fetch_wheels(folder))
        compilers = Compilers(tools, folder, arguments.ends)
        for tool, check in (("nvcc", compilers.by_nvcc), ("clang", compilers.by_clang), ("nvrtc", compilers.by_nvrtc)):
            if not tools[tool]:
                if tool != "nvrtc":
                    print(f"skipped: {tool} not found")
                continue
            try:
                rows += check()
            except CompileError as error:
                problems.append(str(error))
    if not rows and not problems:
        print("skipped: neither nvcc nor clang++ is here")
        sys.exit(77)

    table = archs.Architectures("", rows, problems)
    lines = table_of(table)
    print(as_text(lines))
    for row in rows:
        if row.spill_bytes:
            problems.append(f"{row.kernel} spills {row.spill_bytes} bytes on {row.architecture} with {row.compiler}")
        if row.load_bits != 128 or (row.kernel.startswith("fake_quantize") and row.store_bits != 128):
            problems.append(f"{row.kernel} loads {row.load_bits} and stores {row.store_bits} bits at once at most on "
                            f"{row.architecture} with {row.compiler}")
    if arguments.check:
        problems += [f"{arguments.check} is outdated, its first lines say how to make it anew: {line}"
                     for line in outdated(lines, arguments.check.read_text())]
    if arguments.json:
        written = {"schema": archs.SCHEMA, "kernels": [dataclasses.asdict(row) for row in rows], "problems": problems}
        arguments.json.write_text(json.dumps(written, indent=1) + "\n")
    if arguments.markdown:
        arguments.markdown.write_text(MARKDOWN_HEAD + as_markdown(lines))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(lines)} architectures and compilers, {len(rows)} kernels, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
