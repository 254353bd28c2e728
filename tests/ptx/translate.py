"""Translates PTX, as nvcc makes it, to C++ that runs on ptx_device.hpp. Usage: translate.py FILE.ptx OUTPUT.cpp"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from instructions import TYPES, Instruction, Names, label, register, translate
from ptx_module import Kernel, Module, PtxError, Variable, place, read_module

OPERANDS = re.compile(r"\{[^}]*\}|\[[^\]]*\]|[^,\s]+")
REGISTERS = re.compile(r"\.reg \.(\w+)\s+(%?[\w$]+)(?:<(\d+)>)?$")
STORAGE = {"pred": "pred", "b16": "u16", "b32": "u32", "b64": "u64", "f32": "f32", "f64": "f64"}


def read_instruction(text: str, names: Names) -> tuple[str, Instruction]:
    """The condition in C++, and the instruction without it."""
    match = re.match(r"(?:@(!?)(%\w+)\s+)?([\w.:]+)\s*(.*)$", text, re.DOTALL)
    if not match:
        raise PtxError(f"unknown instruction: {text}")
    inverted, predicate, opcode, rest = match.groups()
    condition = f"if ({inverted}{register(predicate)}) " if predicate else ""
    return condition, Instruction(text, opcode.split("."), OPERANDS.findall(rest), names)


def declare_registers(text: str, names: Names) -> str:
    match = REGISTERS.match(text)
    if not match or match.group(1) not in STORAGE:
        raise PtxError(f"unknown declaration: {text}")
    kind, name, count = match.groups()
    declared = [f"{name}{i}" for i in range(int(count))] if count else [name]
    names.registers.update(dict.fromkeys(declared, STORAGE[kind]))
    return f"{TYPES[STORAGE[kind]]} {', '.join(register(item) + ' = 0' for item in declared)};"


def translate_statement(kind: str, text: str, names: Names) -> str:
    if kind != "instruction":
        return {"open": "{", "close": "}", "label": f"{label(text)}:;"}[kind]
    if text.startswith(".reg"):
        return declare_registers(text, names)
    if text.startswith(".pragma"):
        return ""
    condition, instruction = read_instruction(text, names)
    return condition + translate(instruction)


def translate_kernel(kernel: Kernel, number: int, variables: dict[str, str]) -> list[str]:
    shared, shared_bytes = place(kernel.shared)
    local, local_bytes = place(kernel.local)
    offsets = {**shared, **local, **{parameter.name: parameter.offset for parameter in kernel.parameters}}
    names = Names({**variables, **{name: f"{offset}ull" for name, offset in offsets.items()}})
    lines = [f"static void kernel_{number}(Thread& thread) {{"]
    if local_bytes:
        lines.append(f"LocalMemory<{local_bytes}> local_memory(thread);")
    lines += [translate_statement(kind, text, names) for kind, text in kernel.statements()]
    parameters = ", ".join(f"{{{parameter.offset}, {parameter.size}}}" for parameter in kernel.parameters)
    lines += ["}", f'static const Kernel registered_{number}("{kernel.name}", kernel_{number}, {kernel.most_threads}, '
                   f"{shared_bytes}, {{{parameters}}});"]
    return lines


def declare_variable(variable: Variable, number: int) -> list[str]:
    # nvcc leaves out zeros at the end, and all where a variable has no value.
    return [f"static const unsigned char initial_{number}[{variable.size}] = {{{variable.initial or '0'}}};",
            f'static const Variable variable_{number}("{variable.name}", {variable.alignment}, {variable.size}, '
            f"initial_{number});"]


def translate_module(module: Module) -> str:
    lines = ['#include "ptx_device.hpp"', '#include "operations.hpp"', "using namespace gfpq::ptx;"]
    addresses = {}
    for number, variable in enumerate(module.variables):
        lines += declare_variable(variable, number)
        addresses[variable.name] = f"variable_{number}.address()"
    for number, kernel in enumerate(module.kernels):
        try:
            lines += translate_kernel(kernel, number, addresses)
        except PtxError as error:
            raise PtxError(f"{kernel.name}: {error}") from None
    return "\n".join(lines) + "\n"


def main() -> int:
    source, output = map(Path, sys.argv[1:])
    try:
        module = read_module(source.read_text())
        if not module.kernels:
            raise PtxError("it has no kernel")
        output.write_text(translate_module(module))
    except PtxError as error:
        print(f"{source}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
