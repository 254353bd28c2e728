"""What a file of PTX declares: variables, and kernels with their parameters and statements."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

ARRAY = r"\.align (\d+) \.b8\s+([\w$]+)\[(\d+)\]"
MODULE_VARIABLE = re.compile(rf"^\s*(?:\.visible |\.weak )?\.(global|const) {ARRAY}(?: = \{{([^}}]*)\}})?;",
                             re.MULTILINE)
SHARED_VARIABLE = re.compile(rf"\.shared {ARRAY};")
LOCAL_VARIABLE = re.compile(rf"\.local {ARRAY};")
KERNEL = re.compile(r"^(?:\.visible |\.weak )?\.entry ([\w$]+)\s*\(([^)]*)\)([^{;]*)\{\n(.*?)^\}",
                    re.MULTILINE | re.DOTALL)
POINTER = r"(?:\.ptr (?:\.(?:global|shared|local|const) )?(?:\.align \d+ )?)?"
PARAMETER = re.compile(rf"\.param (?:\.align (\d+) )?\.(\w+) {POINTER}([\w$]+)(?:\[(\d+)\])?")
# A label, a brace that opens or closes a scope, or all up to a semicolon; operands that are vectors have braces too.
STATEMENT = re.compile(r"\s*(?:(\$?\w+):|(\{(?=\s*\.reg))|(\})|([^;]*);)", re.DOTALL)
MODULE_DIRECTIVES = (".version", ".target", ".address_size")


class PtxError(Exception):
    """The file has what this tool does not know."""


@dataclass
class Variable:
    name: str
    alignment: int
    size: int
    initial: str = ""


@dataclass
class Parameter:
    name: str
    offset: int
    size: int


@dataclass
class Kernel:
    name: str
    parameters: list[Parameter]
    most_threads: int
    body: str
    shared: list[Variable] = field(default_factory=list)
    local: list[Variable] = field(default_factory=list)

    def statements(self) -> list[tuple[str, str]]:
        """As (kind, text): label, open, close or instruction."""
        found = []
        at = 0
        while at < len(self.body) and self.body[at:].strip():
            match = STATEMENT.match(self.body, at)
            if not match:
                raise PtxError(f"no statement: {self.body[at:at + 80].strip()!r}")
            label, opened, closed, instruction = match.groups()
            if label:
                found.append(("label", label))
            elif opened or closed:
                found.append(("open" if opened else "close", ""))
            elif instruction.strip():
                found.append(("instruction", instruction.strip()))
            at = match.end()
        return found


@dataclass
class Module:
    variables: list[Variable]
    kernels: list[Kernel]


def aligned(offset: int, alignment: int) -> int:
    return (offset + alignment - 1) // alignment * alignment


def place(variables: list[Variable]) -> tuple[dict[str, int], int]:
    """Offsets of variables one after the other, and the bytes of all."""
    offsets, end = {}, 0
    for variable in variables:
        offsets[variable.name] = aligned(end, variable.alignment)
        end = offsets[variable.name] + variable.size
    return offsets, end


def read_parameters(text: str) -> list[Parameter]:
    parameters, end = [], 0
    for alignment, kind, name, count in PARAMETER.findall(text):
        item = int(kind[1:]) // 8
        size = item * int(count or 1)
        offset = aligned(end, int(alignment or item))
        parameters.append(Parameter(name, offset, size))
        end = offset + size
    if len(parameters) != text.count(".param"):
        raise PtxError(f"parameters: {text.strip()!r}")
    return parameters


def read_arrays(pattern: re.Pattern[str], text: str) -> list[Variable]:
    return [Variable(name, int(alignment), int(size)) for alignment, name, size in pattern.findall(text)]


def refuse_other_declarations(text: str) -> None:
    for line in text.splitlines():
        if line.strip() and not line.strip().startswith(MODULE_DIRECTIVES):
            raise PtxError(f"declaration: {line.strip()[:100]!r}")


def read_module(text: str) -> Module:
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)
    outside = KERNEL.sub("", text)
    shared_by_many = read_arrays(SHARED_VARIABLE, outside)
    variables = [Variable(name, int(alignment), int(size), initial or "")
                 for _, alignment, name, size, initial in MODULE_VARIABLE.findall(outside)]
    kernels = []
    for name, parameters, attributes, body in KERNEL.findall(text):
        limit = re.search(r"\.maxntid (\d+)(?:, 1, 1)?\s*$", attributes, re.MULTILINE)
        kernel = Kernel(name, read_parameters(parameters), int(limit.group(1)) if limit else 1024, body)
        kernel.shared = [v for v in shared_by_many if v.name in body] + read_arrays(SHARED_VARIABLE, body)
        kernel.local = read_arrays(LOCAL_VARIABLE, body)
        kernel.body = LOCAL_VARIABLE.sub("", SHARED_VARIABLE.sub("", body))
        kernels.append(kernel)
    refuse_other_declarations(SHARED_VARIABLE.sub("", MODULE_VARIABLE.sub("", outside)))
    return Module(variables, kernels)
