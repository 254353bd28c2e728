"""How the figures look: Okabe and Ito's colours, which colour-blind readers can tell apart, hatches, markers."""

import base64
import contextlib
import io
import re
import warnings

from matplotlib import font_manager, rcParams
from matplotlib.figure import Figure

INK, SOFT, LINE = "#1c2430", "#57606e", "#d5dae1"
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo", "|||", "+++")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)), "-")

# Those with Chinese letters that systems bring along, in the order of preference.
CHINESE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
    "Droid Sans Fallback", "PingFang SC", "Microsoft YaHei", "SimHei",
)  # fmt: skip


def families(installed):
    """The fonts that letters are looked for in."""
    return ["DejaVu Sans", *[name for name in CHINESE_FONTS if name in installed][:1]]


rcParams.update(
    {
        "font.family": families({font.name for font in font_manager.fontManager.ttflist}),
        "text.parse_math": False,  # titles are anybody's text
        "font.size": 10,
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.edgecolor": SOFT,
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": LINE,
        "grid.linewidth": 0.7,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "hatch.linewidth": 0.8,
        "legend.frameon": False,
        "legend.fontsize": 9.5,
        "savefig.bbox": "tight",
        "savefig.pad_inches": 0.12,
        "svg.hashsalt": "gfpq",
        "svg.fonttype": "none",  # small, and text that can be searched; the font is wide, so others fit too
    }
)


def bar_style(index):
    """Fill, hatch and edge of the series with this number."""
    return {
        "facecolor": COLOURS[index % len(COLOURS)],
        "hatch": HATCHES[index % len(HATCHES)],
        "edgecolor": "white",
        "linewidth": 0,
    }


def line_style(index):
    return {
        "color": COLOURS[index % len(COLOURS)],
        "marker": MARKERS[index % len(MARKERS)],
        "linestyle": DASHES[index % len(DASHES)],
        "linewidth": 1.8,
        "markersize": 5.5,
    }


def limit_line(index):
    """What the machine can do: thin and black, beside the coloured line with the same number."""
    return {
        "color": INK,
        "linestyle": ("-", "--")[index],
        "linewidth": 1.0,
        "marker": ("", ".")[index],
        "markersize": 4,
    }


def quoted_bar_style():
    """Bars of somebody else's figures are hollow."""
    return {"facecolor": "#eceef1", "hatch": "////", "edgecolor": SOFT, "linewidth": 1.0}


LIMIT_TICK = {"color": INK, "linewidth": 2.2, "solid_capstyle": "butt", "zorder": 4}
ON_GRID = {"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85}  # behind text that lies on grid lines
WHISKER = {"ecolor": INK, "elinewidth": 1.1, "capsize": 3, "capthick": 1.1}


def subplots(rows, columns, size, **options):
    """(figure, array of axes). Not by pyplot, which keeps every figure until it is closed."""
    figure = Figure(figsize=size, constrained_layout=True)
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def as_svg(figure):
    """The figure as the bytes of an SVG file, the same for the same figure."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


@contextlib.contextmanager
def missing_letters():
    """Gives a set; at the end it holds the letters that no font had when figures were drawn."""
    letters = set()
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", message="Glyph ")
        yield letters
    for warning in caught:
        glyph = re.match(r"Glyph (\d+)", str(warning.message))
        if glyph:
            letters.add(chr(int(glyph.group(1))))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def about_missing(letters):
    shown = " ".join(letter if letter.isprintable() else f"U+{ord(letter):04X}" for letter in sorted(letters)[:10])
    return (
        f"no font of {', '.join(rcParams['font.family'])} has {shown}: they are boxes in the figures;"
        " for Chinese install Debian's fonts-noto-cjk"
    )


def as_data_uri(svg):
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")
