"""The instructions that the translator knows, and their C++. What is not in the tables is an error that names it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable

from ptx_module import PtxError

TYPES = {"pred": "bool", "f16": "uint16_t", "f32": "float", "f64": "double"}
for bits in (8, 16, 32, 64):
    TYPES.update({f"u{bits}": f"uint{bits}_t", f"b{bits}": f"uint{bits}_t", f"s{bits}": f"int{bits}_t"})
TWICE = {"u16": "u32", "s16": "s32", "u32": "u64", "s32": "s64"}
SPECIAL_REGISTERS = {"%tid.x": "thread.index", "%ntid.x": "thread.threads", "%ctaid.x": "thread.block_index",
                     "%nctaid.x": "thread.blocks"}


class Names:
    """What operands can name: registers with their types, and variables by C++ expressions of their addresses."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self.addresses = addresses
        self.registers: dict[str, str] = {}

    def read(self, operand: str, wanted: str) -> str:
        """C++ for the operand as a value of the wanted type."""
        if operand in self.registers:
            held = self.registers[operand]
            if wanted == "pred":
                return register(operand)
            if (held[0] == "f") != (wanted in ("f32", "f64")):
                return f"bits_as<{TYPES[wanted]}>({register(operand)})"
            return f"({TYPES[wanted]}){register(operand)}"
        if wanted == "pred" and operand in ("0", "1", "-1"):
            return "false" if operand == "0" else "true"
        if operand in SPECIAL_REGISTERS:
            return f"({TYPES[wanted]}){SPECIAL_REGISTERS[operand]}"
        if operand in self.addresses:
            return f"({TYPES[wanted]}){self.addresses[operand]}"
        if re.fullmatch(r"-?\d+|-?0x[0-9a-fA-F]+", operand):
            return f"({TYPES[wanted]}){int(operand, 0) % 2**64}ull"
        if wanted in ("f32", "f64") and re.fullmatch(r"0[fFdD][0-9a-fA-F]+", operand):
            return f"bits_as<{TYPES[wanted]}>({'uint32_t' if wanted == 'f32' else 'uint64_t'}(0x{operand[2:]}))"
        raise PtxError(f"operand {operand!r}")

    def write(self, destination: str, kind: str, value: str) -> str:
        """C++ that assigns a value of the type `kind` to a register, which may be wider."""
        held = self.registers.get(destination)
        if held is None:
            raise PtxError(f"register {destination!r}")
        if (held[0] == "f") != (kind in ("f32", "f64")):
            return f"{register(destination)} = bits_as<{TYPES[held]}>(({TYPES[kind]})({value}));"
        return f"{register(destination)} = ({TYPES[kind]})({value});"

    def address(self, operand: str) -> str:
        """C++ for what stands between brackets."""
        base, _, offset = operand.strip("[] ").partition("+")
        return f"{self.read(base.strip(), 'u64')} + {int(offset or 0) % 2**64}ull"


def register(operand: str) -> str:
    return operand.lstrip("%")


@dataclass
class Operand:
    """In an expression of a table {1} is read as the instruction's type, {1:u32} as that, {1:twice} twice as wide."""

    names: Names
    text: str
    kind: str

    def __format__(self, wanted: str) -> str:
        kind = TWICE.get(self.kind, "") if wanted == "twice" else wanted or self.kind
        if wanted == "twice":  # the operand has the narrow type first, which extends its sign
            return f"({TYPES[kind]}){self.names.read(self.text, self.kind)}"
        return self.names.read(self.text, kind)


@dataclass
class Instruction:
    text: str
    parts: list[str]
    operands: list[str]
    names: Names

    @property
    def kind(self) -> str:
        return self.parts[-1]

    def unknown(self) -> PtxError:
        return PtxError(f"unknown instruction: {self.text}")


UNSIGNED = ("u16", "u32", "u64")
SIGNED = ("s16", "s32", "s64")
BITS = ("b16", "b32", "b64")
INTEGERS = UNSIGNED + SIGNED
PREDICATE = ("pred",)


@dataclass
class Expression:
    """An instruction that sets its first operand; `result` is the type of the value where that is not its own."""

    kinds: tuple[str, ...]
    cpp: str
    result: str = ""


EXPRESSIONS = {
    "add": Expression(INTEGERS, "{1} + {2}"),
    "sub": Expression(INTEGERS, "{1} - {2}"),
    "mul.lo": Expression(INTEGERS, "{1:u64} * {2:u64}"),
    "mul.hi": Expression(("u32", "s32"), "({1:twice} * {2:twice}) >> 32"),
    "mul.wide": Expression(tuple(TWICE), "{1:twice} * {2:twice}", "twice"),
    "mad.lo": Expression(INTEGERS, "{1:u64} * {2:u64} + {3:u64}"),
    "mad.wide": Expression(("u32",), "{1:twice} * {2:twice} + {3:u64}", "twice"),
    "div": Expression(INTEGERS, "divided({1}, {2})"),
    "rem": Expression(INTEGERS, "remaining({1}, {2})"),
    "neg": Expression(SIGNED, "0 - {1:u64}"),
    "abs": Expression(SIGNED, "absolute({1})"),
    "min": Expression(INTEGERS, "least({1}, {2})"),
    "max": Expression(INTEGERS, "greatest({1}, {2})"),
    "and": Expression(BITS + PREDICATE, "{1} & {2}"),
    "or": Expression(BITS + PREDICATE, "{1} | {2}"),
    "xor": Expression(BITS + PREDICATE, "{1} ^ {2}"),
    "not": Expression(BITS, "~{1}"),
    "shl": Expression(BITS, "shifted_left({1}, {2:u32})"),
    "shr": Expression(BITS + INTEGERS, "shifted_right({1}, {2:u32})"),
    "shf.l.wrap": Expression(("b32",), "funnel_shifted_left({1}, {2}, {3})"),
    "shf.r.wrap": Expression(("b32",), "funnel_shifted_right({1}, {2}, {3})"),
    "bfe": Expression(("u32",), "extracted({1}, {2}, {3})"),
    "bfi": Expression(("b32",), "inserted({1}, {2}, {3:u32}, {4:u32})"),
    "prmt": Expression(("b32",), "permuted({1}, {2}, {3})"),
    "lop3": Expression(("b32",), "logic({1}, {2}, {3}, {4:u32})"),
    "popc": Expression(("b32",), "__builtin_popcount({1})"),
    "clz": Expression(("b32",), "leading_zeros({1})"),
    "mov": Expression(BITS + INTEGERS + PREDICATE + ("f32", "f64"), "{1}"),
    "selp": Expression(BITS + INTEGERS + ("f32", "f64"), "{3:pred} ? {1} : {2}"),
    "cvta.to.global": Expression(("u64",), "{1}"),
    "cvta.global": Expression(("u64",), "{1}"),
}
for name, operator in {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}.items():
    both = BITS if name in ("eq", "ne") else ()
    EXPRESSIONS[f"setp.{name}"] = Expression(both + INTEGERS, f"{{1}} {operator} {{2}}", "pred")
for name in ("lo", "ls", "hi", "hs"):  # unsigned comparisons, by PTX's other names for them
    meaning = {"lo": "<", "ls": "<=", "hi": ">", "hs": ">="}[name]
    EXPRESSIONS[f"setp.{name}"] = Expression(UNSIGNED, f"{{1}} {meaning} {{2}}", "pred")
EXPRESSIONS["not.pred"] = Expression(PREDICATE, "!{1}")


def expression(rule: Expression, instruction: Instruction) -> str:
    names, kind = instruction.names, instruction.kind
    if kind not in rule.kinds:
        raise instruction.unknown()
    value = rule.cpp.format(*(Operand(names, text, kind) for text in instruction.operands))
    result = TWICE[kind] if rule.result == "twice" else rule.result or kind
    return names.write(instruction.operands[0], result, value)


def members(operand: str) -> list[str]:
    return [text.strip() for text in operand.strip("{} ").split(",")]


def move(instruction: Instruction) -> str:
    """mov, also of a register's parts to and from a list of registers."""
    names, kind, (to, source) = instruction.names, instruction.kind, instruction.operands
    width = int(kind[1:]) // len(members(to if to.startswith("{") else source)) if kind != "pred" else 0
    if source.startswith("{"):
        parts = (f"({TYPES[kind]}){names.read(part, f'u{width}')} << {i * width}"
                 for i, part in enumerate(members(source)))
        return names.write(to, kind, " | ".join(parts))
    if to.startswith("{"):
        value = names.read(source, f"u{kind[1:]}")
        writes = (names.write(part, f"u{width}", f"parts >> {i * width}")
                  for i, part in enumerate(members(to)) if part != "_")
        return f"{{ const auto parts = {value}; {' '.join(writes)} }}"
    return expression(EXPRESSIONS["mov"], instruction)


INTEGER_CONVERSION = re.compile(r"cvt\.([us](?:8|16|32|64))\.([us](?:8|16|32|64))$")
HALF_CONVERSIONS = {"cvt.f32.f16": ("f32", "from_half({})", "u16"), "cvt.rn.f16.f32": ("u16", "to_half({})", "f32")}


def convert(instruction: Instruction) -> str:
    names, (to, source) = instruction.names, instruction.operands
    name = ".".join(instruction.parts)
    if name in HALF_CONVERSIONS:
        kind, cpp, read_as = HALF_CONVERSIONS[name]
        return names.write(to, kind, cpp.format(names.read(source, read_as)))
    match = INTEGER_CONVERSION.match(name)
    if not match:
        raise instruction.unknown()
    return names.write(to, match.group(1), names.read(source, match.group(2)))


SPACES = ("global", "shared", "local", "param", "const")
WITHOUT_EFFECT_HERE = ("volatile", "nc", "relaxed", "gpu", "sys", "cta")


def access(instruction: Instruction) -> tuple[str, str, int]:
    """Space, C++ type and number of elements of a load or store."""
    space, count = "", 1
    for part in instruction.parts[1:-1]:
        if part in SPACES:
            space = part
        elif part in ("v2", "v4"):
            count = int(part[1])
        elif part not in WITHOUT_EFFECT_HERE:
            raise instruction.unknown()
    if space in ("", "const"):  # a generic address: cvta.shared and cvta.local, which make others, are not known here
        space = "global"
    kind = TYPES[instruction.kind]
    return space, (kind if count == 1 else f"Vector<{kind}, {count}>"), count


def load(instruction: Instruction) -> str:
    names, (to, source) = instruction.names, instruction.operands
    space, cpp_type, count = access(instruction)
    value = f"thread.load_{space}<{cpp_type}>({names.address(source)})"
    if count == 1:
        return names.write(to, instruction.kind, value)
    stores = (names.write(part, instruction.kind, f"loaded[{i}]") for i, part in enumerate(members(to)) if part != "_")
    return f"{{ const auto loaded = {value}; {' '.join(stores)} }}"


def store(instruction: Instruction) -> str:
    names, (to, source) = instruction.names, instruction.operands
    space, cpp_type, count = access(instruction)
    if space == "param":
        raise instruction.unknown()
    values = [names.read(part, instruction.kind) for part in members(source)]
    value = values[0] if count == 1 else "{" + ", ".join(values) + "}"
    return f"thread.store_{space}<{cpp_type}>({names.address(to)}, {value});"


def atomic(instruction: Instruction) -> str:
    names, (to, address, *others) = instruction.names, instruction.operands
    space, operation = instruction.parts[-3], instruction.parts[-2]
    if space != "global" or operation not in ("cas", "exch", "inc", "add", "max", "min"):
        raise instruction.unknown()
    values = ", ".join(names.read(text, instruction.kind) for text in others)
    call = f"thread.atomic_{operation}<{TYPES[instruction.kind]}>({names.address(address)}, {values})"
    return names.write(to, instruction.kind, call)


def branch(instruction: Instruction) -> str:
    return f"goto {label(instruction.operands[0])};"


def label(name: str) -> str:
    return name.replace("$", "_")


def barrier(instruction: Instruction) -> str:
    if instruction.operands not in (["0"], ["0x0"]):
        raise instruction.unknown()
    return "thread.barrier(__LINE__);"


HANDLERS: dict[str, Callable[[Instruction], str]] = {
    "mov": move, "cvt": convert, "ld": load, "st": store, "atom": atomic, "bra": branch, "bra.uni": branch,
    "bar.sync": barrier, "barrier.sync": barrier, "ret": lambda _: "return;",
}
FENCES = ("membar.gl", "membar.cta", "membar.sys", "fence.acq_rel.gpu", "fence.sc.gpu", "fence.acq_rel.sys",
          "fence.sc.sys")
HANDLERS.update({name: lambda _: "thread.fence();" for name in FENCES})


def translate(instruction: Instruction) -> str:
    whole = ".".join(instruction.parts)
    without_type = ".".join(instruction.parts[:-1])
    if handler := HANDLERS.get(whole) or HANDLERS.get(instruction.parts[0]):
        return handler(instruction)
    if rule := EXPRESSIONS.get(whole) or EXPRESSIONS.get(without_type):
        return expression(rule, instruction)
    raise instruction.unknown()
