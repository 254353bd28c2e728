"""The figures made of lines: throughput against size, and against the number of threads."""

import numpy
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter, NullLocator

from report import picture, style, units
from report.bars import LEGEND, TITLE_AND_LABEL, WIDTH, lay_out, wrapped
from report.overviews import BIT_LABELS, BITS, MODES, THREADS, limit_rate, thread_claim, use_text
from report.picture import Missing, Picture
from report.spread import Spread

PANEL = 2.9  # inches of height
RATE = "GB/s read and written\n(10⁹ bytes/s)"
CACHES = (("cache_l1d_bytes", "L1"), ("cache_l2_bytes", "L2"), ("cache_l3_bytes", "L3"))


def sweep(rows):
    """The powers of two among the sizes, so that no two points crowd one place; all, where those are too few."""
    powers = [row for row in rows if row.count & (row.count - 1) == 0]
    return powers if len(powers) >= 2 else rows


def plot(axes, points, look, label):
    """`points` is a list of (x, Spread)."""
    points = sorted(points, key=lambda point: point[0])
    x = [position for position, _ in points]
    spreads = [spread for _, spread in points]
    error = numpy.array([[s.median - s.low for s in spreads], [s.high - s.median for s in spreads]])
    whiskers = {"capsize": 2, "elinewidth": 1.0} if any(s.repetitions > 1 for s in spreads) else {}
    heights = [spread.median for spread in spreads]
    return axes.errorbar(
        x, heights, yerr=error if whiskers else None, label=label, clip_on=False, zorder=3, **look, **whiskers
    )


def finish(figure, lines, height, room=1.0):
    """One scale from zero for the panels of a line, one legend for all."""
    handles = {}
    for line in lines:
        top = max(axes.get_ylim()[1] for axes in line) * room
        for axes in line:
            axes.set_ylim(0, top)
            for handle, label in zip(*axes.get_legend_handles_labels()):
                handles.setdefault(label, handle)
    lay_out(figure, handles.values(), height)
    return [(axes, "y") for line in lines for axes in line]


def size_curves(results, bits, use):
    """[(label, look, points)] for one panel: tensor bytes against GB/s."""
    curves = []
    rows = [
        row
        for row in results.select(kind="quantize", type=picture.TYPE, data=picture.DATA, mode="apply", bits=bits)
        if row.has("gbytes_per_second")
    ]
    ours = [
        r for r in rows if r.lib == "ours" and r.target == picture.best_target(results) and picture.thread_use(r) == use
    ]
    for index, cache in enumerate(("warm", "cold")):
        chosen = sweep([row for row in ours if row.cache == cache])
        curves.append(
            (
                f"ours, {cache}",
                style.line_style(index),
                [(r.tensor_bytes, r.spread("gbytes_per_second")) for r in chosen],
            )
        )
        limits = [(row.tensor_bytes, Spread.exactly(limit_rate(row))) for row in chosen if row.has("best_limit_ratio")]
        curves.append((f"limit, {cache}", style.limit_line(index), limits))
    for index, cache in enumerate(("warm", "cold")):
        chosen = sweep(
            [r for r in rows if r.lib == "peer" and r.cache == cache and picture.thread_use(r) in (use, "all")]
        )
        curves.append(
            (
                f"peer, {cache}",
                style.line_style(4 + index),
                [(r.tensor_bytes, r.spread("gbytes_per_second")) for r in chosen],
            )
        )
    return [curve for curve in curves if len({x for x, _ in curve[2]}) >= 2]


def against_size(everything):
    title = "Throughput against tensor size"
    pictures = []
    for results in picture.measured(everything):
        panels = {
            (use, bits): curves for use in THREADS for bits in BITS if (curves := size_curves(results, bits, use))
            if any(label.startswith("ours") for label, _, _ in curves)
        }  # fmt: skip
        uses = [use for use in THREADS if any(key[0] == use for key in panels)]
        if not uses:
            continue
        height = len(uses) * (PANEL + TITLE_AND_LABEL) + LEGEND
        figure, grid = style.subplots(len(uses), 2, (WIDTH, height))
        lines = []
        for line, use in zip(grid, uses):
            lines.append([])
            for axes, bits, name in zip(line, BITS, BIT_LABELS):
                if (use, bits) not in panels:
                    axes.remove()
                    continue
                for label, look, points in panels[use, bits]:
                    plot(axes, points, look, label)
                axes.set_title(f"{name}, {use_text(use, [results])}")
                size_axis(axes)
                axes.set_ylabel(RATE)
                lines[-1].append(axes)
        value_axes = finish(figure, lines, height, room=1.12)
        for axes, _ in value_axes:
            mark_caches(axes, results)
        text = (
            f"APPLY on floats in place; {picture.ACCOUNTING['apply']}. Warm: the tensor was written just before and"
            " lies in L1 where four copies of it fill at most half of it, else in the next cache that"
            " holds it; cold: it comes from memory. The limit is a loop that only scales"
            " the same tensor, the best of the run. Dotted verticals: the size of "
        )
        text += (
            "the GPU's L2 cache."
            if results.is_gpu
            else "one cache of each level, which each core (L1, L2) or group of cores (L3) has for itself."
        )
        if any(row.lib == "peer" for row in results.select(kind="quantize")):
            uses = "" if results.is_gpu else f", uses {thread_claim(results)}"
            text += f" The peer: {results.peer_name}{uses}."
        name = f"throughput_by_size_{len(pictures) + 1}"
        pictures.append(Picture(name, f"{title}: {results.label}", text, figure, value_axes, [results]))
    return pictures or [Missing(title, "no file has our library on two or more tensor sizes")]


def call_time(everything):
    """How long a call takes, down to a few elements; the only figure whose value axis is logarithmic."""
    title = "Time of a call against tensor size"
    panels, sources = {}, []
    for results in picture.measured(everything):
        lines = []
        for index, (bits, name) in enumerate(zip(BITS, BIT_LABELS)):
            rows = results.select(
                kind="quantize", type=picture.TYPE, data=picture.DATA, mode="apply", bits=bits, cache="warm"
            )
            ours = [
                r
                for r in rows
                if r.lib == "ours" and r.target == picture.best_target(results) and r.threads in ("1", "own")
            ]
            lines.append((f"ours, {name}", style.line_style(index), ours))
            lines.append((f"peer, {name}", style.line_style(index + 4), [r for r in rows if r.lib == "peer"]))
        lines = [
            (label, look, [(r.tensor_bytes, r.time.scaled(1e-3)) for r in sweep(rows)]) for label, look, rows in lines
        ]
        lines = [line for line in lines if len({x for x, _ in line[2]}) >= 2]
        if lines:
            panels[results.label] = lines
            sources.append(results)
    if not panels:
        return [Missing(title, "no file has our library on two or more tensor sizes that are in a cache (warm)")]
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    height = rows * (PANEL + TITLE_AND_LABEL) + LEGEND
    figure, grid = style.subplots(rows, columns, (WIDTH, height))
    used = list(grid.flat)[: len(panels)]
    handles = {}
    for axes in list(grid.flat)[len(panels) :]:
        axes.remove()
    for axes, (label, lines) in zip(used, panels.items()):
        for name, look, points in lines:
            handles.setdefault(name, plot(axes, points, look, name))
        axes.set_title(wrapped(label, columns))
        size_axis(axes)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylabel("µs for one call")
    ends = [end for axes in used for end in axes.get_ylim()]
    for axes in used:
        axes.set_ylim(min(ends), max(ends))
    lay_out(figure, handles.values(), height)
    text = (
        "APPLY on floats that are in a cache where they fit in one (warm); ours on one thread of a CPU, or on a GPU,"
        " where it is the GPU's own time, without what it takes to launch. Both axes are"
        " logarithmic, since the sizes span several powers of ten: equal distances are equal factors, and lengths must"
        " not be compared."
    )
    return [Picture("call_time", title, text, figure, [], sources)]


def size_axis(axes):
    axes.set_xscale("log", base=2)
    low, high = axes.get_xlim()
    first, last = numpy.log2(low), numpy.log2(high)
    step = max(2, round((last - first) / 5))
    axes.set_xticks([2.0**power for power in range(int(numpy.ceil(first)), int(last) + 1) if power % step == 0])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: units.human_bytes(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.tick_params(axis="x", labelsize=8.5)
    axes.set_xlabel("tensor size")


def mark_caches(axes, results):
    low, high = axes.get_xlim()
    caches = {"L2": results.gpu_fact("l2_bytes")} if results.is_gpu else {n: results.fact(key) for key, n in CACHES}
    for name, size in caches.items():
        if size and low < size < high:
            axes.axvline(size, color=style.SOFT, linewidth=1.1, linestyle=":", zorder=0.6)
            axes.annotate(
                f"{name}\n{units.human_bytes(size)}", (size, 1), xycoords=("data", "axes fraction"), xytext=(0, -1),
                textcoords="offset points", ha="center", va="top", fontsize=8, color=style.SOFT, bbox=style.ON_GRID,
            )  # fmt: skip


def thread_scaling(everything):
    title = "Throughput against the number of threads"
    panels = {}
    for results in picture.measured(everything):
        for mode in ("apply", "init"):
            rows = [
                r for r in picture.main_rows(results, mode=mode) if r.threads.isdecimal() and r.has("gbytes_per_second")
            ]
            if len({row.threads for row in rows}) >= 2:
                panels[results, mode] = rows
    if not panels:
        return [Missing(title, "no file has our library with two or more numbers of threads on the same work")]
    lines = -(-len(panels) // 2)
    height = lines * (PANEL + TITLE_AND_LABEL) + LEGEND
    figure, grid = style.subplots(lines, 2, (WIDTH, height))
    for axes in list(grid.flat)[len(panels) :]:
        axes.remove()
    used = list(grid.flat)[: len(panels)]
    for axes, ((results, mode), rows) in zip(used, panels.items()):
        for index, (bits, name) in enumerate(zip(BITS, BIT_LABELS)):
            chosen = [row for row in rows if row.bits == bits]
            plot(axes, [(int(r.threads), r.spread("gbytes_per_second")) for r in chosen], style.line_style(index), name)
        limits = {}
        for row in rows:
            if row.has("best_limit_ratio"):
                limits[int(row.threads)] = max(limits.get(int(row.threads), 0), limit_rate(row))
        if limits:
            plot(axes, [(x, Spread.exactly(rate)) for x, rate in limits.items()], style.limit_line(0), "limit")
        axes.set_title(wrapped(f"{results.label}: {MODES[mode]}", 2))
        axes.set_xlim(0, max(int(r.threads) for r in rows) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel("threads")
        axes.set_ylabel(RATE)
    value_axes = finish(figure, [used[i : i + 2] for i in range(0, len(used), 2)], height)
    sources = [results for results, _ in panels]
    text = (
        f"Our library, float, {picture.tensor_text(sources)} in place, from memory (cold). Bytes counted:"
        f" {picture.ACCOUNTING['apply']}; {picture.ACCOUNTING['init']}. The limit is what the machine can do with the"
        " same bytes and as many threads: once memory is busy, more threads do not help."
    )
    return [Picture("thread_scaling", title, text, figure, value_axes, sources)]
