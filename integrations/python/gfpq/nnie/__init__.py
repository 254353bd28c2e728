"""The way to the chip's compiler: files for HiSilicon's nnie_mapper, its rules, and what it dumps.

    import gfpq.nnie
    gfpq.nnie.check("model.prototxt")                          # the mapper's rules, before training too
    exported = gfpq.torch.export(model, "deployed", nnie=gfpq.nnie.Options(mean=127.5, scale=1 / 128, order="RGB"))
    gfpq.nnie.compare("deployed", "mapper_quant", "picture.png")   # the mapper's numbers against the exported network's

Takes protobuf; all but `check` of a prototxt takes PyTorch. All that is known of the mapper, and how sure it is, stands
in gfpq.nnie.facts. Nothing here was tried with the mapper or on a board.
"""

from __future__ import annotations

from .check import Finding, Findings, check
from .mapper import Options

__all__ = ["Finding", "Findings", "Options", "check"]
