"""What every figure has in common: its caption with sources, and the rows it is made of."""

import dataclasses

from report.pages import day
from report.spread import COVERAGE, order_statistics
from report.units import human_bytes

GUIDE_COUNT = 13107200  # the vendor's guide measures this many floats: 50 MiB
TYPE, DATA = "f32", "guide"
ACCOUNTING = {
    "apply": "APPLY reads the tensor once and writes it once",
    "init": "INIT reads it twice and writes it once",
    "update": "UPDATE reads it twice and writes it once",
    "job": "UPDATE by a job reads it once and writes it once",
}


@dataclasses.dataclass
class Picture:
    """A drawn figure. `value_axes` lists (axes, 'x' or 'y') of the axes that show sizes and so must start at zero.

    `text` says what is shown; the caption adds how the spread is drawn and which files it is made of.
    """

    name: str
    title: str
    text: str
    figure: object
    value_axes: list
    sources: list
    svg: bytes = b""

    @property
    def alt(self):
        """What is seen: the values of bars, the ends and the peaks of lines."""
        return f"{self.title}. " + " ".join(seen(axes) for axes in self.figure.axes)

    @property
    def caption(self):
        return f"{self.text} {about_spread('Bars and points', 'whiskers')} {source_line(self.sources)}"


@dataclasses.dataclass
class Missing:
    """A figure that the given files do not have the data for."""

    title: str
    reason: str


def seen(axes):
    """The bars' labels and values, or where each line begins, peaks and ends."""
    told = []
    if axes.patches:
        labels = [tick.get_text().replace("\n", " ") for tick in axes.get_yticklabels()]
        told = [*filter(None, labels), *(text.get_text() for text in axes.texts)]
    else:
        for line in axes.lines:
            heights = list(line.get_ydata())
            if len(heights) >= 2 and not str(line.get_label()).startswith("_"):
                told.append(f"{line.get_label()} from {heights[0]:.3g} over {max(heights):.3g} to {heights[-1]:.3g}")
        for container in axes.containers:
            heights = list(container.lines[0].get_ydata())
            told.append(f"{container.get_label()} from {heights[0]:.3g} over {max(heights):.3g} to {heights[-1]:.3g}")
    title = axes.get_title(loc="left").replace("\n", " ")
    return f"{title}: {'; '.join(told)}."


def about_spread(medians, intervals):
    """What is shown of the repetitions, and by which words: 'Bars', 'whiskers'."""
    few, coverage = next((n, order_statistics(n)[1]) for n in range(9, 0, -1) if order_statistics(n)[1] < COVERAGE)
    return (
        f"{medians} are medians of the repetitions, {intervals} the interval that holds the true median with at least"
        f" {100 * COVERAGE:.0f} % (order statistics; of {few} repetitions or fewer all of them, {100 * coverage:.4g} % or less)."
    )


def source_line(sources):
    """'Source: a.json (AMD EPYC 9575F, 2026-11-23 10:00, libgfpq.so.1.2.0 (version 1.2.0), revision 523e40b)'."""
    told = []
    for results in {r.file: r for r in sources}.values():
        if results.quoted:
            told.append(f"{results.short_file} (quoted: {results.context.value['source'].rstrip('.')})")
            continue
        revision = results.fact("project_revision", "unknown")
        told.append(
            f"{results.short_file} ({results.title}, {day(results.date)}, {results.library()}, benchmark revision"
            f" {revision})"
        )
    return ("Source: " if len(told) == 1 else "Sources: ") + "; ".join(told) + "."


def main_count(results):
    """The tensor size that stands for a file in the overviews: the guide's, or the largest there is."""
    wanted = dict(kind="quantize", lib="ours", type=TYPE, data=DATA)
    counts = {row.count for row in results.select({**results.rows, **results.failed}, **wanted)}
    return GUIDE_COUNT if GUIDE_COUNT in counts else max(counts, default=None)


def best_target(results):
    """The instruction set that the library itself would choose, among those that were measured or failed."""
    everything = {**results.rows, **results.failed}
    measured = {row.target for row in results.select(everything, kind="quantize", lib="ours")}
    listed = (results.fact("library") or {}).get("targets") or []
    return next((target for target in listed if target in measured), next(iter(sorted(measured)), None))


def thread_use(row):
    """'one', 'all' or None: a library that chooses by itself counts as using all."""
    if row.threads == "1":
        return "one"
    return "all" if row.threads in ("own", str(row.results.fact("threads_all"))) else None


def main_rows(results, rows=None, **wanted):
    """Rows of our library on the main tensor size, with the instruction set that it would choose itself; of those
    measured, or of `rows`."""
    wanted = {"cache": "cold", **wanted}
    return results.select(
        rows,
        kind="quantize",
        lib="ours",
        type=TYPE,
        data=DATA,
        count=main_count(results),
        target=best_target(results),
        **wanted,
    )


def measured(everything):
    return [results for results in everything if not results.quoted]


def tensor_text(results):
    """'13,107,200 floats (50 MiB)' or, where files differ, all their sizes."""
    counts = sorted({main_count(r) for r in results if main_count(r)})
    return " or ".join(f"{count:,} floats ({human_bytes(4 * count)})" for count in counts)
