"""What a recorded pass is: operations and the values between them, as plain data."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .callers import Stack


@dataclass
class Value:
    """A tensor at one time: an operation that writes to a tensor makes a new value of it."""

    index: int
    shape: tuple[int, ...]
    dtype: str
    producer: int | None  # the operation's index; None for the network's inputs and constants
    is_input: bool = False
    # The tensor was still alive after the pass, though it is no output: a hook, an attribute or a closure keeps it.
    kept: bool = False


@dataclass
class Operation:
    """A call of a function, or of a module that computes what its class in torch.nn does.

    `place` is the module's path, or that of the calling module with the function's name, and from its second call there
    on a number: `neck.cat`, `neck.cat_1`. It names the quantizers. `name` is unique in the record: where a place is
    called again (its module is called several times in a pass) it ends in `:1`, `:2`, ...

    `inputs` are the values it reads, in the order of the arguments, `roles` their arguments' names, and `positions`
    their places among all tensors of the call; parameters and buffers of the model are not among them but in
    `parameters`: argument's name to full name. `outputs` are the values it returns, and those that it wrote to.
    `attributes` depend on the kind: see gfpq.torch.operations. `sized_by_data`: the shape of what it returns depends on
    the numbers that it reads. `random`: it takes numbers from PyTorch's generator. `largest`: of a function whose inputs NNIE
    quantizes, the largest magnitude in each.
    """

    index: int
    name: str
    place: str
    call: int
    kind: str | None
    function: str  # "conv2d"; the module's class; "aten::add" for what compiled code calls
    module: str | None  # the module's path; None for a function
    caller: str  # the calling module's path, and which of its calls
    caller_call: int
    site: str  # file:line of the model's code
    code: Stack  # the calls that lead here from the calling module's `forward`
    inputs: tuple[int, ...]
    roles: tuple[str, ...]
    positions: tuple[int, ...]
    outputs: tuple[int, ...]
    parameters: dict[str, str]
    attributes: dict[str, Any]
    sized_by_data: bool = False
    random: bool = False
    largest: tuple[float, ...] = ()

    @property
    def layer(self) -> str | None:
        """The path of the module: of the one called, or of the one whose `weight` a function was given."""
        if self.module is not None:
            return self.module
        return self.parameters["weight"].rpartition(".")[0] if "weight" in self.parameters else None

    @property
    def passes_through(self) -> bool:
        """It returned its very input: Identity, Dropout in evaluation, `contiguous` of a contiguous tensor."""
        return bool(self.outputs) and set(self.outputs) <= set(self.inputs)


@dataclass
class Module:
    """A module of the model. `aliases` are the other paths under which the same module hangs in the model."""

    name: str
    type: str
    kind: str | None
    aliases: tuple[str, ...] = ()
    calls: int = 0  # in the pass


@dataclass
class Record:
    """A network's operations in one pass, as plain data: it holds no tensor and no module, and can be pickled.

    `values` and `operations` are in the order of time, and refer to each other by index. `tied` has the groups of
    parameters and buffers that share memory, each by its names. `starts` tells of each call of a module that calls
    others or functions, (path, number of the call), how many operations there were before it.
    """

    operations: list[Operation] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)
    modules: dict[str, Module] = field(default_factory=dict)
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    tied: list[tuple[str, ...]] = field(default_factory=list)
    starts: dict[tuple[str, int], int] = field(default_factory=dict)

    def of_module(self, name: str) -> list[Operation]:
        """The calls of one layer, in their order: as a module, or as a function that is given its weight."""
        return [operation for operation in self.operations if operation.layer == name]

    def readers(self, value: int) -> list[Operation]:
        """The operations that read a value."""
        return [operation for operation in self.operations if value in operation.inputs]

    def producer(self, value: int) -> Operation | None:
        """The operation that made a value; None for an input of the network or a constant."""
        index = self.values[value].producer
        return None if index is None else self.operations[index]

    def start_of(self, operation: Operation) -> int:
        """How many operations there were before the call of the module that the operation is in."""
        return self.starts.get((operation.caller, operation.caller_call), 0)

    @property
    def data(self) -> set[int]:
        """The values that depend on the network's inputs, not on its parameters and constants alone."""
        data = set(self.inputs)
        for operation in self.operations:
            if data.intersection(operation.inputs):
                data.update(operation.outputs)
        return data

    def users(self, parameter: str) -> list[Operation]:
        """The operations that read a parameter or buffer, under any of its names."""
        names = set(next((group for group in self.tied if parameter in group), (parameter,)))
        return [operation for operation in self.operations if names & set(operation.parameters.values())]

    @property
    def shared(self) -> list[str]:
        """The layers that are called more than once in the pass, in the order of their first calls."""
        counts = Counter(operation.layer for operation in self.operations if operation.layer and operation.kind)
        return [name for name, count in counts.items() if count > 1]

    @property
    def never_called(self) -> list[str]:
        """Modules without modules inside that were not called, and whose parameters no function was given."""
        used = {name.rpartition(".")[0] for operation in self.operations for name in operation.parameters.values()}
        parents = {name.rpartition(".")[0] for name in self.modules if name}
        return [name for name, module in self.modules.items() if not module.calls and name not in used | parents]

    def table(self) -> list[tuple[str, ...]]:
        """One row an operation: name, kind, inputs, outputs, shape, site. The first row is the heading."""
        rows: list[tuple[str, ...]] = [("operation", "kind", "reads", "makes", "shape", "called from")]
        for operation in self.operations:
            shapes = ", ".join("x".join(map(str, self.values[value].shape)) or "()" for value in operation.outputs)
            reads, makes = (" ".join(f"#{value}" for value in side) for side in (operation.inputs, operation.outputs))
            kind = operation.kind or f"({operation.function})"
            rows.append((operation.name, kind, reads, makes, shapes, operation.site))
        return rows

    def __str__(self) -> str:
        return aligned(self.table())


def aligned(rows: list[tuple[str, ...]]) -> str:
    """Rows of a table as lines of text with aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
