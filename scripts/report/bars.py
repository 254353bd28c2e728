"""Drawing horizontal bars in groups, on one scale from zero."""

import dataclasses
import textwrap

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from report import style, units

WIDTH = 9.6  # inches
BAR, GAP = 0.29, 0.2  # inches of height for a bar, and between groups
LEGEND, TITLE_AND_LABEL = 0.36, 0.78  # inches of height
LABEL_COLUMNS = 26


@dataclasses.dataclass
class Bar:
    series: int
    spread: object
    limit: float = None  # a tick at this value
    note: str = ""
    quoted: bool = False


@dataclasses.dataclass
class Group:
    label: str
    bars: list


def draw(axes, groups, text_of):
    """First group on top; every bar carries its value."""
    position, ticks, last = 0.0, [], 0.0
    for group in groups:
        first = position
        for bar in group.bars:
            look = style.quoted_bar_style() if bar.quoted else style.bar_style(bar.series)
            axes.barh(position, bar.spread.median, height=0.86, **look)
            if bar.spread.repetitions > 1:
                error = [[bar.spread.median - bar.spread.low], [bar.spread.high - bar.spread.median]]
                axes.errorbar(bar.spread.median, position, xerr=error, fmt="none", **style.WHISKER)
            if bar.limit is not None:
                axes.plot([bar.limit] * 2, [position - 0.46, position + 0.46], **style.LIMIT_TICK)
            text = text_of(bar.spread.median) + (f" of {text_of(bar.limit)}" if bar.limit is not None else "")
            end = max(bar.spread.high, bar.limit or 0)
            text += f"  {bar.note}" if bar.note else ""
            beside = {"xytext": (6, 0), "textcoords": "offset points", "va": "center", "fontsize": 9}
            axes.annotate(text, (end, position), bbox=style.ON_GRID, **beside)
            last = position
            position += 1
        ticks.append(((first + last) / 2, "\n".join(textwrap.wrap(group.label, LABEL_COLUMNS))))
        position += GAP / BAR
    axes.set_yticks([tick for tick, _ in ticks], [label for _, label in ticks])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_ylim(last + 0.75, -0.75)


def height_of(groups):
    return max(0.75, sum(len(group.bars) * BAR + GAP for group in groups))


def largest(groups):
    return max(max(bar.spread.high, bar.limit or 0) for group in groups for bar in group.bars)


def panels(groups_of, axis_label, columns=2, legend=(), top=0.0, room=1.24, text_of=units.plain_number, mark=None):
    """{panel title: groups} as a grid filled row by row; returns (figure, axes). `mark` draws a line at that value."""
    titles = list(groups_of)
    columns = min(columns, len(titles))
    lines = [titles[i : i + columns] for i in range(0, len(titles), columns)]
    heights = [max(height_of(groups_of[title]) for title in line) for line in lines]
    height = sum(heights) + TITLE_AND_LABEL * len(lines) + (LEGEND if legend else 0)
    figure, grid = style.subplots(len(lines), columns, (WIDTH, height), gridspec_kw={"height_ratios": heights})
    end = max([largest(groups) for groups in groups_of.values()] + [top]) * room
    used = []
    for line, row in zip(lines, grid):
        for column, axes in enumerate(row):
            if column >= len(line):
                axes.remove()
                continue
            groups = groups_of[line[column]]
            draw(axes, groups, text_of)
            if column and [g.label for g in groups] == [g.label for g in groups_of[line[0]]]:
                axes.set_yticklabels([])
            if mark is not None:
                axes.axvline(mark, color=style.INK, linewidth=1.2, linestyle="--", zorder=0.5)
            axes.set_title(wrapped(line[column], columns))
            axes.set_xlim(0, end)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
            axes.set_xlabel(axis_label)
            used.append(axes)
    lay_out(figure, legend, height)
    return figure, used


def wrapped(title, columns):
    """A panel's title, in as many lines as its width asks for."""
    return "\n".join(textwrap.wrap(title, 92 // columns))


def lay_out(figure, handles, height):
    """Air between the panels, and the legend in one line above them, in room that is kept free for it."""
    figure.get_layout_engine().set(h_pad=0.09, w_pad=0.06, rect=(0, 0, 1, 1 - (LEGEND if handles else 0) / height))
    if handles:
        figure.legend(
            handles=list(handles), loc="upper left", ncol=len(handles), bbox_to_anchor=(0.005, 1), borderaxespad=0.1
        )


def legend(labels, limit=False, quoted=False, first=0):
    """Handles for the series with these labels, in this order, from the series `first` on."""
    handles = [Patch(**style.bar_style(index), label=label) for index, label in enumerate(labels, first)]
    if limit:
        tick = {"marker": "|", "markersize": 13, "markeredgewidth": 2.2, "color": style.INK}
        handles.append(Line2D([], [], linestyle="none", label="limit", **tick))
    if quoted:
        handles.append(Patch(**style.quoted_bar_style(), label="quoted, not measured here"))
    return handles
