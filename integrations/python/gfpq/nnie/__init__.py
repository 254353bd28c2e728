"""The way to the chip's compiler: files for HiSilicon's nnie_mapper, its rules, and what it dumps.

    import gfpq.nnie
    gfpq.nnie.check("model.prototxt")                          # the mapper's rules, before training too
    exported = gfpq.torch.export(model, "deployed", nnie=gfpq.nnie.Options(mean=127.5, scale=1 / 128, order="RGB"))
    print(gfpq.nnie.compare("deployed", "mapper_quant", "picture.png"))   # the mapper's numbers against the export's

Takes protobuf; all but `check` of a prototxt takes PyTorch. All that is known of the mapper, and how sure it is, stands
in gfpq.nnie.facts. Nothing here was tried with the mapper or on a board.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .check import Finding, Findings, check
from .mapper import Options

if TYPE_CHECKING:
    from pathlib import Path

    from .compared import DumpComparison

__all__ = ["Finding", "Findings", "Options", "check", "compare"]


def compare(deployed: str | Path, mapper_quant: str | Path, picture: str | Path) -> DumpComparison:
    """See gfpq.nnie.departures.compare. (It takes PyTorch, and is imported where it is called.)"""
    from .departures import compare as run

    return run(deployed, mapper_quant, picture)
