"""Where a recorded pass calls functions whose inputs NNIE quantizes, and how such a call is known again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from torch import nn

from . import origins
from .call_inputs import Use
from .callers import Stack
from .operations import QUANTIZED_FUNCTIONS
from .recorded import Operation, Record
from .running import assigned_forward
from .signatures import signatures

Line = tuple[str, Stack]  # function, code: see CallSite
Alike = tuple[str, Stack, tuple[str, ...]]  # function, code, origins
Key = tuple[str, Stack, tuple[str, ...], int]  # function, code, origins, passes
# The functions that can be of these kinds.
NAMES = frozenset(
    ["cat", "add", "sub", "rsub", "mul", "maximum", "max", "mean", "amax", "interpolate", "upsample"]
    + [f"{kind}_pool{n}d" for kind in ("max", "avg", "adaptive_max", "adaptive_avg") for n in (1, 2, 3)]
)


@dataclass(frozen=True)
class CallSite:
    """A place in a module's code that calls such a function."""

    name: str  # the record's place: "neck.cat_1"
    kind: str
    module: str  # the calling module's path
    function: str  # "cat"
    code: Stack  # the places in the code that lead to it
    origins: tuple[str, ...]  # in a loop: the layers that its input was computed from; see gfpq.torch.origins
    passes: int  # how often such a call came before, in one call of the module
    positions: tuple[int, ...]  # of the tensors that get a quantizer, among all tensors of the call
    tensors: int  # how many these are
    site: str  # file:line
    signature: int  # see gfpq.torch.signatures
    largest: tuple[float, ...] = field(default=(), compare=False)  # magnitudes in the inputs, in the recorded pass

    @property
    def key(self) -> Key:
        return self.function, self.code, self.origins, self.passes

    @property
    def place(self) -> str:
        """The name in the calling module."""
        return self.name[len(self.module) :].lstrip(".")

    @cached_property
    def use(self) -> Use:
        """What its call takes."""
        keys = ((position, self.quantizer_key(number)) for number, position in enumerate(self.positions))
        return Use(self.name, self.tensors, tuple(keys))

    def quantizer_key(self, number: int) -> str:
        """The name of an input's quantizer in the calling module."""
        return f"{self.place}:{number}"


@dataclass
class CallSites:
    """What of a recorded pass can be quantized, and for other calls of these kinds the reason why not, by place."""

    found: list[CallSite] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    tables: dict[str, CallTable] = field(default_factory=dict)  # of the calling modules

    @property
    def alike(self) -> list[list[CallSite]]:
        """Groups of calls that come from one place in the code, and from the same layers: only their order tells them
        apart.
        """
        groups: dict[Any, list[CallSite]] = {}
        for site in self.found:
            groups.setdefault((site.module, *site.key[:3]), []).append(site)
        return [group for group in groups.values() if len(group) > 1]


@dataclass
class CallTable:
    """What a calling module knows of its calls; without tensors."""

    module: str
    sites: dict[Key, CallSite] = field(default_factory=dict)
    floating: set[Key] = field(default_factory=set)  # calls that the pass had, and that stay in float
    passed: list[set[Key]] = field(default_factory=list)  # the sites that each of its calls came by
    methods: set[str] = field(default_factory=set)  # functions between its `forward` and the sites
    counts: dict[Alike, set[int]] = field(default_factory=dict)  # how many such calls came in a call of it
    loops: dict[Line, bool] = field(default_factory=dict)  # what comes more than once: do all inputs' origins count?
    repeated: frozenset[str] = frozenset()  # layers that are called more than once in one call of it

    def known_by(self, line: Line, found: list[origins.Origin], start: int) -> tuple[str, ...]:
        """`start`: when the call of the module began."""
        return origins.names(found, start, self.repeated, self.loops[line]) if line in self.loops else ()


def call_sites(record: Record, model: nn.Module, layers: AbstractSet[str] = frozenset()) -> CallSites:
    """The calls of functions in a recorded pass whose inputs NNIE quantizes. `layers`: the layers that it quantizes.

    These are Concat, Eltwise, Upsample and Pooling (a mean over the spatial axes too) of feature maps, which have 4
    axes, and of vectors, with 2 axes, the first of them that of the network's input.
    """
    sites, passes, data = CallSites(), Counter[Any](), record.data
    batches = {record.values[value].shape[:1] for value in record.inputs}
    by_place: dict[str, CallSite] = {}
    recorded_origins = origins.RecordedOrigins(record, layers)
    found_origins = {
        operation.index: recorded_origins.of(operation)
        for operation in record.operations
        if operation.module is None and operation.function in NAMES
    }
    for caller in dict.fromkeys(record.operations[index].caller for index in found_origins):
        calls = record.modules[caller].calls
        repeated = frozenset(name for name in record.modules.keys() & layers if record.modules[name].calls > calls)
        sites.tables[caller] = CallTable(caller, repeated=repeated)
    _find_loops(record, sites.tables, found_origins)
    numbers = signatures(record, sites.tables)
    for operation in record.operations:
        if operation.module is not None or operation.function not in NAMES:
            if operation.module is None and operation.kind in QUANTIZED_FUNCTIONS:
                sites.reasons.setdefault(operation.place, "it is called from compiled code")
            continue
        table = sites.tables[operation.caller]
        start = record.start_of(operation)
        known_by = table.known_by((operation.function, operation.code), found_origins[operation.index], start)
        line = operation.caller, operation.caller_call, operation.function, operation.code, known_by
        site = CallSite(
            operation.place, str(operation.kind), operation.caller, operation.function, operation.code, known_by,
            passes[line], operation.positions, len(operation.positions) + len(operation.parameters), operation.site,
            numbers[operation.place], operation.largest,
        )  # fmt: skip
        passes[line] += 1
        table.passed += [set() for _ in range(record.modules[operation.caller].calls - len(table.passed))]
        if operation.kind in (*QUANTIZED_FUNCTIONS, "Scale", "Bias"):
            reason = _reason_against(record, model, operation, batches)
            if not data.intersection(operation.inputs):
                reason = "its tensors do not depend on the network's inputs"
            if by_place.setdefault(operation.place, site) != site:
                reason = "its calls in the recorded pass come from different places in the code"
            if reason is not None:
                sites.reasons.setdefault(operation.place, reason)
            table.passed[operation.caller_call].add(site.key)
        table.floating.add(site.key)
    for place, site in by_place.items():
        if place not in sites.reasons:
            table = sites.tables[site.module]
            table.sites[site.key] = site
            table.methods.update(place.function for place in site.code[:-1])
            table.floating.discard(site.key)
            sites.found.append(site)
    for (caller, _, *line), count in passes.items():
        sites.tables[caller].counts.setdefault((line[0], line[1], line[2]), set()).add(count)
    for table in sites.tables.values():
        table.passed = [keys & set(table.sites) for keys in table.passed]
    return sites


def _find_loops(record: Record, tables: dict[str, CallTable], found: dict[int, list[origins.Origin]]) -> None:
    """Which lines are in loops, or come more than once otherwise, and whether the newest input tells their calls apart.
    """
    lines, alike = Counter[Any](), Counter[Any]()
    for index, inputs in found.items():
        operation = record.operations[index]
        line = operation.caller, operation.caller_call, operation.function, operation.code
        lines[line] += 1
        names = origins.names(inputs, record.start_of(operation), tables[operation.caller].repeated, False)
        alike[(*line, names)] += 1
    for (caller, _, function, code), count in lines.items():
        if count > 1 or any(place.in_loop for place in code):
            tables[caller].loops.setdefault((function, code), False)
    for (caller, _, function, code, _), count in alike.items():
        if count > 1:
            tables[caller].loops[function, code] = True


def _reason_against(record: Record, model: nn.Module, operation: Operation, batches: set[Any]) -> str | None:
    inputs = [record.values[value] for value in operation.inputs]
    if operation.kind in ("Scale", "Bias"):
        return f"its tensors have different shapes: a {operation.kind} to NNIE"
    if "out" in operation.roles:
        return "it writes to a given tensor (out=)"
    if not inputs or not all(value.dtype.startswith(("float", "bfloat")) for value in inputs):
        return "it has no tensors of floating-point numbers, or others among them"
    if assigned_forward(model.get_submodule(operation.caller)):
        return f"the forward of {operation.caller or 'the model'} was replaced by assignment"
    for value in inputs:
        if len(value.shape) != 4 and not (len(value.shape) == 2 and value.shape[:1] in batches):
            return f"{'x'.join(map(str, value.shape)) or 'a number'}: neither feature maps nor a vector for each input"
    if operation.kind == "Concat" and operation.attributes["axis"] in (0, -len(inputs[0].shape)):
        return "it joins along the axis of the batch"
    return None
