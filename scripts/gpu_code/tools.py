"""The compilers of GPU code that may be on a machine, and how each compiles the kernels."""

import concurrent.futures
import ctypes
import os
import pathlib
import re
import subprocess
import sys
import zipfile

from gpu_code.readers import CompileError, read_ptx, read_ptxas, read_sass, rows_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
GUIDE = ["sm_30", "sm_35", "sm_37", "sm_50", "sm_52", "sm_60", "sm_61"]
WHEELS = ["nvidia-cuda-nvcc-cu11", "nvidia-cuda-nvcc-cu12", "nvidia-cuda-nvrtc-cu11", "nvidia-cuda-nvrtc-cu12",
          "nvidia-cuda-cuobjdump", "nvidia-cuda-nvdisasm"]
# The table tells of the first two kernels. Those of jobs, of each operation some, must compile everywhere too.
SOURCE = """#include "kernels/cuda/job_deltas.cuh"
#include "kernels/cuda/jobs.cuh"
namespace gfpq {
namespace cuda {
#define GFPQ_INSTANTIATE(Float, Width) \\
  template __global__ void fake_quantize<Float, Width>(Float*, Size, Range<Float>, const Range<Float>*); \\
  template __global__ void fit<Float, Width>(Float*, Size, int, Workspace<Float>*);
GFPQ_INSTANTIATE_ALL
#define GFPQ_INSTANTIATE_JOB(Operation, Element, Width, capacity) \\
  template __global__ void begin_jobs<Operation<Element, Width>, capacity>(JobBatch<capacity>); \\
  template __global__ void end_jobs<Operation<Element, Width>, capacity>(JobBatch<capacity>);
GFPQ_INSTANTIATE_JOB(FakeQuantizeOperation, float, Width8, 1)
GFPQ_INSTANTIATE_JOB(EncodeOperation, Float16, Width8, max_batch_jobs)
GFPQ_INSTANTIATE_JOB(DecodeOperation, double, Width16, 1)
GFPQ_INSTANTIATE_JOB(FakeQuantizeOperation, BFloat16, Width16, 1)
template __global__ void get_deltas<void>(DeltaBatch, int*);
template __global__ void set_deltas<void>(DeltaBatch, const int*);
} // namespace cuda
} // namespace gfpq
"""


def run(command):
    done = subprocess.run([str(part) for part in command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode != 0:
        raise CompileError(f"{command[0]} failed:\n{done.stdout}")
    return done.stdout


def version_of(program):
    found = re.search(r"(?:release.* V|clang version )([\d.]+)", run([program, "--version"]))
    return found.group(1) if found else "?"


def listed_architectures(nvcc):
    """The architectures that this nvcc knows, oldest first; not sm_90a and the like, which are of no use to others."""
    try:
        listed = run([nvcc, "--list-gpu-code"])
    except CompileError:  # an early CUDA 11
        listed = run([nvcc, "--help"])
    return sorted(set(re.findall(r"\bsm_\d+\b", listed)), key=lambda name: int(name[3:]))


class Compilers:
    """Compiles the kernels with each of `tools`, in `folder`; the rows of the table are what came out."""

    def __init__(self, tools, folder, only_ends=False):
        self.tools = tools
        self.only_ends = only_ends  # the oldest and the newest architecture alone
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

    def chosen(self, architectures):
        return [architectures[0], architectures[-1]] if self.only_ends else architectures

    @staticmethod
    def for_each(function, items):
        """The rows of all items, made side by side."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            return [row for rows in pool.map(function, items) for row in rows]

    def by_nvcc(self):
        nvcc = self.tools["nvcc"]
        compiler = f"nvcc {version_of(nvcc)}"
        architectures = self.chosen(listed_architectures(nvcc))

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
                 "--cuda-device-only", "-nocudainc", "-nocudalib", "-nostdinc", "-nostdinc++",
                 "-Wno-unknown-cuda-version", "-S", "-o", ptx,
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

        return self.for_each(compile_for, self.chosen(GUIDE))

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
