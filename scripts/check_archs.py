#!/usr/bin/python3
"""Compile the GPU kernels for every architecture and say what came out: the compatibility table.

nvcc makes machine code for all architectures that it knows. The architectures of the vendor's guide, older than that,
are compiled by Clang to PTX, without CUDA's headers. With older ptxas programs (--ptxas, or --with-wheels, which fetches
NVIDIA's from PyPI into a temporary folder) that PTX is assembled to machine code too, and NVRTC of CUDA 11 compiles the
same header. Ends with 0, with 1 where something does not compile or spills registers, with 77 where there is no compiler.
"""

import argparse
import ctypes
import dataclasses
import html
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
GUIDE = ["sm_30", "sm_35", "sm_37", "sm_50", "sm_52", "sm_60", "sm_61"]
WHEELS = ["nvidia-cuda-nvcc-cu11", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvrtc-cu11", "nvidia-cuda-cuobjdump",
          "nvidia-cuda-nvdisasm"]
SOURCE = """#include "kernels/cuda/kernels.cuh"
namespace gfpq {
namespace cuda {
#define INSTANTIATE(Float, Bits) \\
  template __global__ void quantize<Float, Width8>(Float*, Size, Range<Bits>, const Range<Bits>*); \\
  template __global__ void quantize<Float, Width16>(Float*, Size, Range<Bits>, const Range<Bits>*); \\
  template __global__ void fit<Float>(Float*, Size, int, int, Workspace<Float>*);
INSTANTIATE(float, unsigned)
INSTANTIATE(double, unsigned long long)
} // namespace cuda
} // namespace gfpq
"""


@dataclasses.dataclass
class Row:
    """One kernel, from one compiler, for one architecture. Numbers are None where PTX does not tell them."""
    architecture: str
    compiler: str
    code: str  # "machine code" or "PTX"
    kernel: str
    registers: int = None
    spill_bytes: int = None
    shared_bytes: int = None
    constant_bytes: int = None
    load_bits: int = None
    store_bits: int = None


class CompileError(Exception):
    pass


def run(command):
    done = subprocess.run([str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode != 0:
        raise CompileError(f"{command[0]} failed:\n{done.stdout}")
    return done.stdout


def version_of(program):
    found = re.search(r"(?:release|clang version) ([\d.]+)", run([program, "--version"]))
    return found.group(1) if found else "?"


def kernel_name(mangled):
    """`quantize<float, 8 bit>` of the mangled name."""
    types = {"f": "float", "d": "double"}
    quantize = re.search(r"8quantizeI([fd])NS_5WidthILi(\d+)E", mangled)
    if quantize:
        return f"quantize<{types[quantize.group(1)]}, {quantize.group(2)} bit>"
    fit = re.search(r"3fitI([fd])E", mangled)
    return f"fit<{types[fit.group(1)]}>" if fit else None


def read_ptxas(output):
    """What ptxas -v says of each kernel."""
    facts = {}
    for part in re.split(r"Compiling entry function '", output)[1:]:
        kernel = kernel_name(part.split("'")[0])

        def number(pattern, text=part):
            return sum(int(match) for match in re.findall(pattern, text))
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
            kernels.setdefault(kernel, {}).update(values)
    return [Row(architecture, compiler, code, kernel, **kernels[kernel]) for kernel in sorted(kernels)]


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

    def by_nvcc(self):
        nvcc = self.tools["nvcc"]
        architectures = [name for name in run([nvcc, "--list-gpu-code"]).split() if re.fullmatch(r"sm_\d+", name)]
        architectures.sort(key=lambda name: int(name[3:]))
        compiler = f"nvcc {version_of(nvcc)}"
        rows = []
        for architecture in architectures:
            cubin, ptx = self.folder / f"{architecture}.cubin", self.folder / f"{architecture}.ptx"
            run([nvcc, "-std=c++17", "-O3", "-I.", "-arch", architecture.replace("sm", "compute"), "-ptx",
                 "-Wno-deprecated-gpu-targets", "-o", ptx, self.source])
            output = run([nvcc, "-arch", architecture, "-Xptxas", "-v", "-Wno-deprecated-gpu-targets", "-cubin",
                          "-o", cubin, ptx])
            rows += rows_of(architecture, compiler, "machine code", read_ptxas(output), self.widths(cubin, ptx))
        newest = architectures[-1]
        rows += rows_of(newest.replace("sm", "compute"), compiler, "PTX",
                        read_ptx((self.folder / f"{newest}.ptx").read_text()))
        return rows

    def by_clang(self):
        clang = self.tools["clang"]
        compiler = f"clang {version_of(clang)}"
        rows = []
        for architecture in GUIDE:
            ptx = self.folder / f"clang-{architecture}.ptx"
            run([clang, "-x", "cuda", "-std=c++17", "-O3", "-I.", f"--cuda-gpu-arch={architecture}",
                 "--cuda-device-only", "-nocudainc", "-nocudalib", "-Wno-unknown-cuda-version", "-S", "-o", ptx,
                 self.source])
            rows += rows_of(architecture, compiler, "PTX", read_ptx(ptx.read_text()))
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

    def by_nvrtc(self):
        nvrtc = ctypes.CDLL(self.tools["nvrtc"])
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
            ptx, cubin = self.folder / "nvrtc.ptx", self.folder / "nvrtc.cubin"
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
    found = {"ptxas": []}
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
                found["nvrtc"] = file
            if file.parent.name == "bin":
                file.chmod(0o755)
    return found


def summarize(rows):
    """One line an architecture and compiler: the worst of its kernels."""
    groups = {}
    for row in rows:
        groups.setdefault((row.architecture, row.compiler, row.code), []).append(row)
    lines = []
    for (architecture, compiler, code), kernels in groups.items():
        def span(key, among=kernels):
            values = [getattr(row, key) for row in among if getattr(row, key) is not None]
            if not values:
                return ""
            low, high = min(values), max(values)
            return f"{low}" if low == high else f"{low} to {high}"
        quantize = [row for row in kernels if row.kernel.startswith("quantize")]
        lines.append([architecture, code, compiler, span("registers"), span("spill_bytes"), span("shared_bytes"),
                      span("constant_bytes"), span("load_bits"), span("store_bits", quantize)])
    return sorted(lines, key=lambda line: (int(line[0].split("_")[1]), line[1] == "PTX", line[2]))


HEADINGS = ["architecture", "code", "compiler", "registers", "spill bytes", "shared bytes", "constant bytes",
            "load bits", "store bits"]


def as_text(lines):
    widths = [max(len(line[i]) for line in [HEADINGS, *lines]) for i in range(len(HEADINGS))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                     for line in [HEADINGS, *lines])


def as_markdown(lines):
    return "\n".join("| " + " | ".join(line) + " |" for line in [HEADINGS, ["---"] * len(HEADINGS), *lines])


def as_html(lines):
    def table_row(cells, tag):
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"
    return "\n".join(["<table class=\"archs\">", table_row(HEADINGS, "th"),
                      *(table_row(line, "td") for line in lines), "</table>"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvcc", default=shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc"))
    parser.add_argument("--clang", default=shutil.which("clang++-14") or shutil.which("clang++"))
    parser.add_argument("--ptxas", action="append", default=[], help="an older ptxas for Clang's PTX; may be repeated")
    parser.add_argument("--nvrtc", help="a libnvrtc.so")
    parser.add_argument("--with-wheels", action="store_true", help="fetch older compilers from PyPI")
    parser.add_argument("--json", type=pathlib.Path, help="write all kernels' facts to this file")
    parser.add_argument("--markdown", type=pathlib.Path, help="write the table to this file")
    parser.add_argument("--html", type=pathlib.Path, help="write the table to this file, as a piece of a page")
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

    lines = summarize(rows)
    print(as_text(lines))
    for row in rows:
        if row.spill_bytes:
            problems.append(f"{row.kernel} spills {row.spill_bytes} bytes on {row.architecture} with {row.compiler}")
        if row.load_bits != 128 or (row.kernel.startswith("quantize") and row.store_bits != 128):
            problems.append(f"{row.kernel} loads {row.load_bits} and stores {row.store_bits} bits at once at most on "
                            f"{row.architecture} with {row.compiler}")
    if arguments.json:
        arguments.json.write_text(json.dumps([dataclasses.asdict(row) for row in rows], indent=1) + "\n")
    for file, write in ((arguments.markdown, as_markdown), (arguments.html, as_html)):
        if file:
            file.write_text(write(lines) + "\n")
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{len(lines)} architectures and compilers, {len(rows)} kernels, {len(problems)} problems")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
