"""What `prepare` could not do, or could not know: as data and as a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from torch import nn

from .operations import QUANTIZED_FUNCTIONS
from .pairs import recorded_pairs
from .recorded import Record, aligned

NOT_QUANTIZED, NOT_FOLDED, SHARED, NEVER_CALLED = "not quantized", "not folded", "shared", "never called"
NOT_KNOWN = "not known"
_WITH_WEIGHTS = ("Convolution", "DepthwiseConv", "Deconvolution", "InnerProduct")


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

    def __str__(self) -> str:
        if not self.rows:
            return "nothing to remark"
        return aligned([("name", "kind", "remark", "reason"), *((r.name, r.kind, r.what, r.reason) for r in self.rows)])


def report_of(model: nn.Module, record: Record | None, quantized: Iterable[str], skipped: Iterable[str]) -> Report:
    """The remarks on a float model.

    Args:
        record: of its pass, None where there was none.
        quantized: names of the layers and calls that get quantizers.
        skipped: names that the user left out.
    """
    if record is None:
        reason = "without example_inputs: functions (torch.cat, +, F.interpolate, F.max_pool2d, ...) can't be seen"
        return Report([Remark("(model)", "", NOT_KNOWN, reason)])
    quantized, skipped = set(quantized), set(skipped)
    rows = []
    for operation in record.operations:
        if operation.call or operation.kind not in (*_WITH_WEIGHTS, *QUANTIZED_FUNCTIONS):
            continue
        name = operation.place
        if name in skipped:
            rows.append(Remark(name, operation.kind, NOT_QUANTIZED, "skip"))
        elif name not in quantized:
            rows.append(Remark(name, operation.kind, NOT_QUANTIZED, f"a function, called at {operation.site}"))
    for name, reason in recorded_pairs(model, record).reasons.items():
        rows.append(Remark(name, "BatchNorm", NOT_FOLDED, reason))
    for name in record.shared:
        count = len(record.of_module(name))
        rows.append(Remark(name, record.modules[name].kind or "", SHARED, f"called {count} times: one range for all"))
    for name in record.never_called:
        if record.modules[name].kind:
            kind = str(record.modules[name].kind)
            rows.append(Remark(name, kind, NEVER_CALLED, "in the recorded pass, in evaluation"))
    return Report(rows)
