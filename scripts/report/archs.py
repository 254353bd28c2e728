"""What the compilers made of the GPU kernels (schema "gfpq-archs/1", written by check_archs.py), for the page."""

import dataclasses
import os

from report.fields import Field

SCHEMA = "gfpq-archs/1"
CODES = ("machine code", "PTX")
NUMBERS = ("registers", "spill_bytes", "shared_bytes", "constant_bytes", "load_bits", "store_bits")
# Who wrote the code that says most of what will run: NVIDIA's own compiler, then the others.
BEST_FIRST = ("nvcc", "NVRTC", "clang")
GENERATIONS = {
    3: "Kepler", 5: "Maxwell", 6: "Pascal", 7: "Volta", 8: "Ampere", 9: "Hopper", 10: "Blackwell", 11: "Blackwell",
    12: "Blackwell",
}  # fmt: skip
NAMED_APART = {75: "Turing", 89: "Ada"}


@dataclasses.dataclass
class Kernel:
    """One kernel, from one compiler, for one architecture; numbers are None where PTX does not tell them."""

    architecture: str
    compiler: str
    code: str
    kernel: str
    registers: int
    spill_bytes: int
    shared_bytes: int
    constant_bytes: int
    load_bits: int
    store_bits: int


@dataclasses.dataclass
class Build:
    """All kernels from one compiler for one architecture."""

    architecture: str
    code: str
    compiler: str
    kernels: list

    @property
    def number(self):
        return int(self.architecture.split("_")[1])

    @property
    def generation(self):
        return NAMED_APART.get(self.number) or GENERATIONS.get(self.number // 10, "")

    def kernel(self, name):
        return next((kernel for kernel in self.kernels if kernel.kernel == name), None)

    def span(self, key, only=""):
        """'26 to 64', over the kernels whose name begins with `only`; empty where nothing is told."""
        numbers = [getattr(kernel, key) for kernel in self.kernels if kernel.kernel.startswith(only)]
        told = sorted({number for number in numbers if number is not None})
        return f"{told[0]} to {told[-1]}" if len(told) > 1 else "".join(map(str, told))


@dataclasses.dataclass
class Architectures:
    file: str
    kernels: list
    problems: list

    @property
    def short_file(self):
        return os.path.basename(self.file)

    @property
    def builds(self):
        """Oldest architecture first, the best compiler's machine code before the others'."""
        groups = {}
        for kernel in self.kernels:
            groups.setdefault((kernel.architecture, kernel.code, kernel.compiler), []).append(kernel)

        def order(build):
            makers = [maker for maker in BEST_FIRST if build.compiler.startswith(maker)]
            maker = BEST_FIRST.index(makers[0]) if makers else len(BEST_FIRST)
            version = [-int(part) if part.isdecimal() else 0 for part in build.compiler.split()[-1].split(".")]
            return build.number, build.architecture.startswith("compute"), CODES.index(build.code), maker, version

        return sorted((Build(*key, kernels) for key, kernels in groups.items()), key=order)

    @property
    def summary(self):
        """[(best build, other builds)], one for each architecture."""
        groups = {}
        for build in self.builds:
            groups.setdefault(build.architecture, []).append(build)
        return [(best, others) for best, *others in groups.values()]

    @property
    def by_compiler(self):
        """{compiler: builds}, as they come in the summary."""
        groups = {}
        for build in self.builds:
            groups.setdefault(build.compiler, []).append(build)
        return groups

    @property
    def kernel_names(self):
        """`fake_quantize`, which runs in every call, before `fit`; float before double, 8 bit before 16."""
        names = {kernel.kernel for kernel in self.kernels}
        return sorted(names, key=lambda name: (name.startswith("fit"), "double" in name, len(name), name))

    @property
    def verdict(self):
        """(headline, css class)."""
        if self.problems:
            return f"{len(self.problems)} problems: see below", "fail"
        machine_code = {kernel.architecture for kernel in self.kernels if kernel.code == "machine code"}
        ptx_alone = sorted(
            {kernel.architecture for kernel in self.kernels if kernel.architecture.startswith("sm_")} - machine_code
        )
        told = f"The kernels compile to machine code for {len(machine_code)} architectures, and spill no register"
        return told + (f"; to PTX alone for {', '.join(ptx_alone)}" if ptx_alone else ""), "pass"


def load(file):
    """Read and check one file; InputError says what is wrong with it."""
    top = Field.load(file)
    top["schema"].one_of((SCHEMA,))
    kernels = []
    for entry in top["kernels"]:
        entry["code"].one_of(CODES)
        entry["architecture"].matching(r"(sm|compute)_\d+", "an architecture like sm_90")
        texts = {key: entry[key].text() for key in ("architecture", "compiler", "code", "kernel")}
        kernels.append(Kernel(**texts, **{key: entry[key].count() if entry.has(key) else None for key in NUMBERS}))
    if not kernels:
        raise top["kernels"].wrong("is empty")
    return Architectures(str(file), kernels, [problem.text() for problem in top["problems"]])
