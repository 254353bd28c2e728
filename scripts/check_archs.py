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
import concurrent.futures
import ctypes
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

from report import archs

ROOT = pathlib.Path(__file__).resolve().parent.parent
GUIDE = ["sm_30", "sm_35", "sm_37", "sm_50", "sm_52", "sm_60", "sm_61"]
WHEELS = ["nvidia-cuda-nvcc-cu11", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvrtc-cu11", "nvidia-cuda-nvrtc-cu12",
          "nvidia-cuda-cuobjdump", "nvidia-cuda-nvdisasm"]
SOURCE = """#include "kernels/cuda/kernels.cuh"
namespace gfpq {
namespace cuda {
#define GFPQ_INSTANTIATE(Float, Width) \\
  template __global__ void fake_quantize<Float, Width>(Float*, Size, Range<Float>, const Range<Float>*); \\
  template __global__ void fit<Float, Width>(Float*, Size, int, Workspace<Float>*);
GFPQ_INSTANTIATE_ALL
} // namespace cuda
} // namespace gfpq
"""


class CompileError(Exception):
    pass


def run(command):
    done = subprocess.run([str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode != 0:
        raise CompileError(f"{command[0]} failed:\n{done.stdout}")
    return done.stdout


def version_of(program):
    found = re.search(r"(?:release.* V|clang version )([\d.]+)", run([program, "--version"]))
    return found.group(1) if found else "?"


def kernel_name(mangled):
    """`fake_quantize<float, 8 bit>` of the mangled name."""
    types = {"f": "float", "d": "double"}
    found = re.search(r"\d+(fake_quantize|fit)I([fd])NS_8BitWidthILi(\d+)E", mangled)
    return f"{found.group(1)}<{types[found.group(2)]}, {found.group(3)} bit>" if found else None


def read_ptxas(output):
    """What ptxas -v says of each kernel."""
    facts = {}
    for part in re.split(r"Compiling entry function '", output)[1:]:
        kernel = kernel_name(part.split("'")[0])

        def number(pattern, text=part):
            told = re.findall(pattern, text)
            return sum(map(int, told)) if told else None
        facts[kernel] = {"registers": number(r"Used (\d+) registers"),
                         "spill_bytes": number(r"(\d+) bytes spill"),
                         "shared_bytes": number(r"(\d+) bytes smem"),
                         "constant_bytes": number(r"(\d+) bytes cmem")}
    return facts


def read_ptx(text):
    """The widest global load and store of each kernel, in bits."""
    widths = {}
    for part in re.split(r"\.entry ", text)[1:]:
        kernel = kernel_name(part.split("(")[0])
        widths[kernel] = {}
        for what, key in (("ld", "load_bits"), ("st", "store_bits")):
            found = re.findall(rf"\b{what}\.global(?:\.nc|\.relaxed|\.weak)*(?:\.v(\d))?\.[a-z](\d+)", part)
            widths[kernel][key] = max((int(count or 1) * int(bits) for count, bits in found), default=0)
        if re.search(r"\b(?:ld|st)\.local", part):
            raise CompileError(f"{kernel} keeps numbers in local memory")
    return widths


def read_sass(text):
    """The same of machine code."""
    widths = {}
    for part in re.split(r"Function : |\.text\.(?=_Z)", text)[1:]:
        kernel = kernel_name(part.split("\n")[0])
        if kernel is None:
            continue
        found = widths.setdefault(kernel, {"load_bits": 0, "store_bits": 0})
        for what, key in (("LDG?", "load_bits"), ("STG?", "store_bits")):
            for modifiers in re.findall(rf"\b{what}((?:\.[A-Z0-9_]+)*)\s", part):
                bits = re.search(r"\.(64|128|256)\b", modifiers)
                found[key] = max(found[key], int(bits.group(1)) if bits else 32)
    return widths


def rows_of(architecture, compiler, code, *facts):
    kernels = {}
    for fact in facts:
        for kernel, values in fact.items():
            kernels.setdefault(kernel, dict.fromkeys(archs.NUMBERS)).update(values)
    return [archs.Kernel(architecture, compiler, code, kernel, **kernels[kernel]) for kernel in sorted(kernels)]


def listed_architectures(nvcc):
    """The architectures that this nvcc knows, oldest first; not sm_90a and the like, which are of no use to others."""
    try:
        listed = run([nvcc, "--list-gpu-code"])
    except CompileError:  # an early CUDA 11
        listed = run([nvcc, "--help"])
    return sorted(set(re.findall(r"\bsm_\d+\b", listed)), key=lambda name: int(name[3:]))


class Checker:
    def __init__(self, tools, folder):
        self.tools = tools
        self.folder = folder
        self.source = folder / "kernels.cu"
        self.source.write_text(SOURCE)

    def widths(self, cubin, ptx):
        """From the machine code where it can be read, else from the PTX that it was made of."""
        for tool, arguments in (("cuobjdump", ["-sass"]), ("nvdisasm", [])):
            if self.tools.get(tool):
                try:
                    return read_sass(run([self.tools[tool], *arguments, cubin]))
                except CompileError:  # one that is older than the architecture, or lacks its helper
                    continue
        return read_ptx(ptx.read_text())

    @staticmethod
    def for_each(function, items):
        """The rows of all items, made side by side."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return [row for rows in pool.map(function, items) for row in rows]

    def by_nvcc(self):
        nvcc = self.tools["nvcc"]
        compiler = f"nvcc {version_of(nvcc)}"
        architectures = listed_architectures(nvcc)

        def compile_for(architecture):
            cubin, ptx = self.folder / f"{architecture}.cubin", self.folder / f"{architecture}.ptx"
            run([nvcc, "-std=c++17", "-O3", "-I.", "-arch", architecture.replace("sm", "compute"), "-ptx",
                 "-Wno-deprecated-gpu-targets", "-o", ptx, self.source])
            output = run([nvcc, "-arch", architecture, "-Xptxas", "-v", "-Wno-deprecated-gpu-targets", "-cubin",
                          "-o", cubin, ptx])
            return rows_of(architecture, compiler, "machine code", read_ptxas(output), self.widths(cubin, ptx))

        rows = self.for_each(compile_for, architectures)
        newest = architectures[-1]
        rows += rows_of(newest.replace("sm", "compute"), compiler, "PTX",
                        read_ptx((self.folder / f"{newest}.ptx").read_text()))
        return rows

    def by_clang(self):
        clang = self.tools["clang"]
        compiler = f"clang {version_of(clang)}"

        def compile_for(architecture):
            ptx = self.folder / f"clang-{architecture}.ptx"
            run([clang, "-x", "cuda", "-std=c++17", "-O3", "-I.", f"--cuda-gpu-arch={architecture}",
                 "--cuda-device-only", "-nocudainc", "-nocudalib", "-Wno-unknown-cuda-version", "-S", "-o", ptx,
                 self.source])
            rows = rows_of(architecture, compiler, "PTX", read_ptx(ptx.read_text()))
            for ptxas in self.tools["ptxas"]:
                cubin = self.folder / f"clang-{architecture}.cubin"
                try:
                    output = run([ptxas, "-arch", architecture, "-v", "-o", cubin, ptx])
                except CompileError as error:
                    if re.search("is not defined for option|Unsupported gpu", str(error)):
                        continue  # older than this ptxas
                    raise
                rows += rows_of(architecture, f"{compiler}, ptxas {version_of(ptxas)}", "machine code",
                                read_ptxas(output), self.widths(cubin, ptx))
            return rows

        return self.for_each(compile_for, GUIDE)

    def by_nvrtc(self):
        return self.for_each(self.by_one_nvrtc, self.tools["nvrtc"])

    def by_one_nvrtc(self, library):
        nvrtc = ctypes.CDLL(library)
        major, minor = ctypes.c_int(), ctypes.c_int()
        nvrtc.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        count = ctypes.c_int()
        nvrtc.nvrtcGetNumSupportedArchs(ctypes.byref(count))
        numbers = (ctypes.c_int * count.value)()
        nvrtc.nvrtcGetSupportedArchs(numbers)
        rows = []
        for number in numbers:
            architecture = f"sm_{number}"
            program = ctypes.c_void_p()
            nvrtc.nvrtcCreateProgram(ctypes.byref(program), SOURCE.encode(), b"kernels.cu", 0, None, None)
            # The constructors of the tables, which run at compile time alone, carry no word of CUDA.
            options = [b"-std=c++17", b"-default-device", f"-I{ROOT}".encode(), f"-arch={architecture}".encode(),
                       b"--ptxas-options=-v"]
            status = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
            size = ctypes.c_size_t()
            nvrtc.nvrtcGetProgramLogSize(program, ctypes.byref(size))
            log = ctypes.create_string_buffer(size.value)
            nvrtc.nvrtcGetProgramLog(program, log)
            if status != 0:
                raise CompileError(f"NVRTC for {architecture}:\n{log.value.decode()}")
            texts = []
            for what in ("PTX", "CUBIN"):
                size = ctypes.c_size_t()
                getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
                text = ctypes.create_string_buffer(size.value)
                getattr(nvrtc, f"nvrtcGet{what}")(program, text)
                texts.append(text.raw)
            ptx = self.folder / f"nvrtc-{major.value}-{architecture}.ptx"
            cubin = ptx.with_suffix(".cubin")
            ptx.write_bytes(texts[0].rstrip(b"\0"))
            cubin.write_bytes(texts[1])
            nvrtc.nvrtcDestroyProgram(ctypes.byref(program))
            rows += rows_of(architecture, f"NVRTC {major.value}.{minor.value}", "machine code",
                            read_ptxas(log.value.decode()), self.widths(cubin, ptx))
        return rows


def fetch_wheels(folder):
    """The programs and libraries in NVIDIA's wheels: ptxas, nvrtc, cuobjdump, nvdisasm."""
    run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", folder,
         *WHEELS])
    found = {"ptxas": [], "nvrtc": []}
    for wheel in sorted(folder.glob("*.whl")):
        target = folder / wheel.name.split("-py3")[0]
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target)
        for file in sorted(target.rglob("*")):
            if file.name == "ptxas":
                found["ptxas"].append(file)
            elif file.name in ("cuobjdump", "nvdisasm"):
                found[file.name] = file
            elif re.fullmatch(r"libnvrtc\.so[.\d]*", file.name):
                found["nvrtc"].append(file)
            if file.parent.name == "bin":
                file.chmod(0o755)
    return found


HEADINGS = ["architecture", "code", "compiler", "registers", "spill bytes", "shared bytes", "constant bytes",
            "load bits", "store bits"]
MARKDOWN_HEAD = """# The GPU kernels, architecture by architecture

Made by `scripts/check_archs.py --with-wheels --markdown kernels/cuda/ARCHITECTURES.md`: what each compiler makes of the
kernels, from fewest to most among them. PTX does not tell registers. No GPU took part.

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
    """Lines whose compiler and architecture the file names, with something else beside them."""
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
        checker = Checker(tools, folder)
        for tool, check in (("nvcc", checker.by_nvcc), ("clang", checker.by_clang), ("nvrtc", checker.by_nvrtc)):
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
