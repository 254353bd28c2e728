"""The comparison with the mapper's dumps as one HTML page."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from . import pictures

if TYPE_CHECKING:
    from .compared import Compared, DumpComparison

Array = NDArray[Any]
_CHANNELS = 4  # shown of a tensor
_HEIGHT = 96  # of a shown picture, in pixels
_STYLE = """body { font: 14px sans-serif; margin: 2em } table { border-collapse: collapse }
td, th { border: 1px solid #999; padding: 2px 8px; text-align: left } .departs { background: #fdd }
img { image-rendering: pixelated; margin: 2px; border: 1px solid #999 } h2 { font-size: 16px }"""


def page_of(comparison: DumpComparison) -> str:
    """A page with the first departure, the table, and pictures of the maps: ours, the mapper's, their difference."""
    heading, *rows = comparison.table()
    lines = ["<!DOCTYPE html>", '<html lang="en"><head><meta charset="utf-8">', "<title>nnie_mapper's dumps</title>",
             f"<style>{_STYLE}</style></head><body>", f"<h1>{html.escape(comparison.first_line)}</h1>", "<table>",
             _row("th", heading, "")]  # fmt: skip
    for row, compared in zip(rows, comparison.tensors):
        lines.append(_row("td", row, "departs" if compared.cause else ""))
    lines.append("</table>")
    lines += [f"<p>{html.escape(remark)}</p>" for remark in comparison.remarks]
    for compared in comparison.tensors:
        if compared.ours.ndim == 4 and compared.tensor != "weight" and min(compared.ours.shape[2:]) > 1:
            lines += _maps(compared)
    return "\n".join([*lines, "</body></html>", ""])


def _row(cell: str, values: tuple[str, ...], kind: str) -> str:
    cells = "".join(f"<{cell}>{html.escape(value)}</{cell}>" for value in values)
    return f'<tr class="{kind}">{cells}</tr>' if kind else f"<tr>{cells}</tr>"


def _maps(compared: Compared) -> list[str]:
    title = f"{compared.layer} {compared.tensor}" + (f": {compared.cause}" if compared.cause else "")
    lines = [f"<h2>{html.escape(title)}</h2>"]
    for number in range(min(_CHANNELS, compared.ours.shape[1])):
        ours, theirs = compared.ours[0, number], compared.theirs[0, number]
        limits = float(ours.min()), float(ours.max())
        error = np.abs(theirs - ours)
        shown = [("ours", ours, limits), ("the mapper's", theirs, limits),
                 ("difference", error, (0.0, limits[1] - limits[0]))]
        images = [f'<img height="{_HEIGHT}" alt="{name}" title="{name}, channel {number}" src="data:image/png;base64,'
                  f'{base64.b64encode(pictures.png_of(_grey(x, *bounds))).decode()}">' for name, x, bounds in shown]  # fmt: skip
        lines.append(f"<div>{''.join(images)}</div>")
    return lines


def _grey(x: Array, low: float, high: float) -> Array:
    """A map as a grey picture's bytes."""
    return np.clip((x - low) / ((high - low) or 1.0) * 255, 0, 255).astype("u1")
