"""What of a model is no layer of a Caffe network, and why."""

from __future__ import annotations

from dataclasses import dataclass


class Refusal(Exception):  # noqa: N818
    """An operation that Caffe's layers can't compute: why, and what to use instead."""

    def __init__(self, reason: str, instead: str) -> None:
        super().__init__(reason)
        self.reason, self.instead = reason, instead


@dataclass(frozen=True)
class Problem:
    """An operation that is no layer of a Caffe network: its name in the record, the line of the model's code."""

    operation: str
    kind: str
    site: str
    reason: str
    instead: str

    def __str__(self) -> str:
        return f"{self.operation} ({self.kind}, {self.site}): {self.reason}. Instead: {self.instead}"
