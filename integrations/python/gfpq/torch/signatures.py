"""What a call of a function computes and from what, as a number: the same call has the same one in another recording.

It stands for the expression that leads from the layers before to the call: the functions, their operands in order, the
numbers that data are multiplied by or that are added, and the layers' paths seen from the calling module. The size of
the data does not matter, nor does what is before these layers, nor where a model hangs in another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

from .recorded import Operation, Record


def signatures(record: Record, callers: Iterable[str]) -> dict[str, int]:
    """A number of 32 bits for each place in these modules that calls a function: of its first call."""
    found: dict[str, int] = {}
    for caller in callers:
        for operation, text in _expressions(record, caller):
            if operation.module is None and operation.caller == caller:
                digest = hashlib.sha256(text.encode()).digest()
                found.setdefault(operation.place, int.from_bytes(digest[:4], "big"))
    return found


def _expressions(record: Record, caller: str) -> Iterator[tuple[Operation, str]]:
    """Each operation and the text of its expression, as seen from a module."""
    texts = {value.index: "constant" for value in record.values if value.producer is None}
    texts.update((value, f"input {number}") for number, value in enumerate(record.inputs))
    for operation in record.operations:
        name = operation.module and _relative(operation.module, caller)
        text = name or f"{operation.function}{_index(operation)}{_numbers(operation)}"
        if operation.module is None or record.modules[operation.module].calls > 1:
            inputs = [f"{role}={texts[value]}" for role, value in zip(operation.roles, operation.inputs)]
            parameters = [f"{role}={_relative(path, caller)}" for role, path in operation.parameters.items()]
            text += f"({', '.join([*inputs, *([] if name else parameters)])})"
        yield operation, text
        short = hashlib.sha256(text.encode()).hexdigest()  # a network's whole text would grow without bound
        for number, value in enumerate(operation.outputs):
            if value not in operation.inputs:
                texts[value] = f"{short}[{number}]"


def _relative(path: str, module: str) -> str:
    """A path as seen from a module: ^ is the module that it is in."""
    own, there = (name.split(".") if name else [] for name in (module, path))
    common = next((i for i, (a, b) in enumerate(zip(own, there)) if a != b), min(len(own), len(there)))
    return ".".join(["^"] * (len(own) - common) + there[common:]) or "."


def _index(operation: Operation) -> str:
    """What of a tensor is taken, along the axes of the batch and the channels: along others it may be a size."""
    index = operation.attributes.get("index") if operation.function == "getitem" else None
    return "" if index is None else str(index[:2] if isinstance(index, tuple) else index)


def _numbers(operation: Operation) -> str:
    """What data are multiplied by, and what is added to them."""
    a = operation.attributes
    return f"*{float(a['scale'])}+{float(a['shift'])}" if operation.kind == "Power" else ""
