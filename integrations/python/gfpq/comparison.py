"""How far the layers of a quantized network are from those of the float one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .widths import WIDTHS

LOW_SIMILARITY = 0.98  # the guide's: below it a layer is to be looked at


@dataclass
class Layer:
    """A layer's output, quantized against float: cosine similarity, and signal to quantization noise in dB."""

    name: str
    kind: str
    cosine: float
    sqnr: float

    @property
    def low(self) -> bool:
        """Whether the guide has one look at this layer."""
        return not self.cosine >= LOW_SIMILARITY


class Comparison(list[Layer]):
    """One Layer each, in the order of the network; prints as a table."""

    @property
    def low(self) -> list[Layer]:
        """The layers whose similarity is low. The first of them is the one to look at."""
        return [layer for layer in self if layer.low]

    def __str__(self) -> str:
        return "\n".join([self.table, *self.advice])

    @property
    def table(self) -> str:
        """A line a layer, without the advice, which is for Python."""
        width = max([len("layer"), *(len(layer.name) for layer in self)])
        lines = [f"{'layer':{width}}  {'kind':13}  cosine    SQNR dB"]
        for layer in self:
            mark = f"  below {LOW_SIMILARITY}" if layer.low else ""
            lines.append(f"{layer.name:{width}}  {layer.kind:13}  {layer.cosine:.6f}  {layer.sqnr:7.2f}{mark}")
        return "\n".join(lines)

    @property
    def advice(self) -> list[str]:
        """What to do next where layers are low, the guide's three steps; nothing where none is."""
        if not self.low:
            return []
        name = self.low[0].name
        return [
            f"Next, with {name}, the first below {LOW_SIMILARITY} (layers behind it inherit its error):",
            "1. Compare with data_only=True, then weights_only=True: which of them costs the similarity?",
            "2. Data: calibrate with batches of the real scene, or another range (\"percentile\", \"moving maximum\").",
            "   Weights, or both: fine-tune with a small learning rate, or give it more bits: "
            f"layer_bits={{{name!r}: {max(WIDTHS)}}}.",
            "3. In fine-tuning leave BatchNorm frozen (prepare does), or train folded: prepare(..., fold=True).",
        ]

    def plot(self, file: str | Path | None = None, axes: Any = None) -> Any:
        """Draws the similarities as points, low ones as red crosses, into `axes` or a new figure.

        Saves it where `file` is given. Returns the axes. Takes matplotlib.
        """
        if axes is None:
            from matplotlib.figure import Figure

            axes = Figure(figsize=(7, 1.2 + 0.3 * len(self)), layout="constrained").subplots()
        places = range(len(self))
        # Points, not bars: what matters lies near 1, and a bar must begin at 0.
        for low, colour, marker in ((False, "C0", "o"), (True, "C3", "X")):
            chosen = [(layer.cosine, place) for place, layer in zip(places, self) if layer.low == low]
            axes.plot([x for x, _ in chosen], [y for _, y in chosen], marker, color=colour, markersize=8)
        axes.grid(axis="y", alpha=0.4)
        axes.set_yticks(places, [layer.name for layer in self])
        axes.invert_yaxis()
        lowest = min([LOW_SIMILARITY, *(layer.cosine for layer in self)])
        margin = 0.2 * (1 - lowest)
        axes.set_xlim(lowest - margin, 1 + margin)
        axes.axvline(LOW_SIMILARITY, color="black", linestyle=":", linewidth=1)
        axes.set_xlabel("cosine similarity to the float layer's output")
        if file is not None:
            axes.figure.savefig(file)
        return axes
