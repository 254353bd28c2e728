"""What `prepare` could not do, or could not know: as data and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from .operations import QUANTIZED_FUNCTIONS, WITH_WEIGHTS
from .pairs import Pairs
from .recorded import Record, aligned
from .sites import CallSites

NOT_QUANTIZED, NOT_FOLDED, SHARED, NEVER_CALLED = "not quantized", "not folded", "shared", "never called"
NOT_KNOWN, BY_ORDER = "not known", "known by order alone"


@dataclass(frozen=True)
class Remark:
    """One thing to know: of a layer or an operation by its name, what holds for it, and why."""

    name: str
    kind: str
    what: str
    reason: str


@dataclass
class Report:
    """The remarks on a prepared model; prints as a table."""

    rows: list[Remark] = field(default_factory=list)

    def names(self, what: str) -> list[str]:
        """Whom a remark of this sort is about."""
        return [row.name for row in self.rows if row.what == what]

    @property
    def summary(self) -> str:
        """How many remarks there are of each sort, in a line; empty where there is none."""
        counts = Counter(row.what for row in self.rows)
        listed = ", ".join(f"{count} {what}" for what, count in counts.items())
        return f"remarks: {listed} (see report)" if counts else ""

    def __str__(self) -> str:
        if not self.rows:
            return "nothing to remark"
        return aligned([("name", "kind", "remark", "reason"), *((r.name, r.kind, r.what, r.reason) for r in self.rows)])


def report_of(
    record: Record | None, calls: CallSites, pairs: Pairs, quantized: Collection[str], skipped: Collection[str]
) -> Report:
    """The remarks on a float model.

    Args:
        record: of its pass, None where there was none.
        calls, pairs: what was found of functions and BatchNorms.
        quantized: names of the layers and calls that get quantizers.
        skipped: names that the user left out.
    """
    rows = [Remark(name, "BatchNorm", NOT_FOLDED, reason) for name, reason in pairs.reasons.items()]
    if record is None:
        reason = "without example_inputs functions (torch.cat, +, F.interpolate, F.max_pool2d) can't be seen"
        return Report([Remark("(model)", "", NOT_KNOWN, reason), *rows])
    unquantized = {}
    for operation in record.operations:
        name, kind = operation.place, operation.kind
        if name in calls.reasons:
            unquantized[name] = kind or "", calls.reasons[name]
        elif kind is None and operation.parameters and operation.inputs:
            unquantized[name] = "", f"{operation.function} is no layer of NNIE's: its parameters stay in float"
        elif operation.module is None and operation.caller in quantized:
            continue  # a layer with a `forward` of its own, or a parametrized one, quantizes what it calls
        elif kind in (*WITH_WEIGHTS, *QUANTIZED_FUNCTIONS) and name not in quantized:
            why = "skip" if {name, operation.layer} & set(skipped) else f"a function, called at {operation.site}"
            unquantized[name] = kind, why
    rows += [Remark(name, kind, NOT_QUANTIZED, reason) for name, (kind, reason) in unquantized.items()]
    for site in (site for group in calls.alike for site in group if site.name in quantized):
        reason = f"one of several calls at {site.site} on what the same layers made: training is to keep their order"
        rows.append(Remark(site.name, site.kind, BY_ORDER, reason))
    for name in record.shared:
        if name in quantized:
            kind, times = str(record.modules[name].kind), len(record.of_module(name))
            rows.append(Remark(name, kind, SHARED, f"called {times} times: one range for all"))
    for name in record.never_called:
        if name in quantized:
            kind = str(record.modules[name].kind)
            rows.append(Remark(name, kind, NEVER_CALLED, "in the recorded pass, in evaluation"))
    return Report(rows)


def add_unprepared(report: Report, layers: Mapping[str, str], functions: bool) -> None:
    """Adds NNIE's layers that `prepare` did not see; with `functions`, that it may not have seen those either."""
    reason = "outside what gfpq.torch.prepare was called with, or added since"
    if functions:
        report.rows = [row for row in report.rows if row.what != NOT_KNOWN]
    known = {(row.name, row.what) for row in report.rows}
    rows = [Remark(name, kind, NOT_QUANTIZED, reason) for name, kind in layers.items()]
    if functions:
        rows.append(Remark("(model)", "", NOT_KNOWN, "functions outside the prepared parts stay in float"))
    report.rows += [row for row in rows if (row.name, row.what) not in known]
