"""What compilers say of the kernels, and what their code holds: registers, spilled bytes, widths of loads and stores."""

import re

from report import archs


class CompileError(Exception):
    pass


def kernel_name(mangled):
    """`fake_quantize<float, 8 bit>` of the mangled name; None of a kernel that the table does not tell of."""
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
    return [archs.Kernel(architecture, compiler, code, kernel, **kernels[kernel])
            for kernel in sorted(kernels.keys() - {None})]
