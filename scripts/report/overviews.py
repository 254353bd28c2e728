"""The figures made of bars: machines, share of the limit, instruction sets, peers, the guide's own rate."""

from report import bars, picture, units
from report.bars import Bar, Group
from report.picture import Missing, Picture
from report.units import MODES

SHOWN_MODES = ("apply", "init")
THREADS = {"one": "1 thread", "all": "all threads"}
RATE = "GB/s read and written (10⁹ bytes/s)"
BITS = ("16", "8")  # in this order and in these colours everywhere: 16 bit blue, 8 bit orange
BIT_LABELS = ("16 bit", "8 bit")


def by_machine(files, counter, bar_of, uses=tuple(THREADS)):
    """{panel title: groups}, a panel for each mode and number of threads, a group for each machine; and the sources."""
    panels, sources = {}, []
    for mode in SHOWN_MODES:
        for use in uses:
            groups = []
            for results in files:
                rows = [r for r in picture.main_rows(results, mode=mode) if picture.thread_use(r) == use]
                chosen = [row for bits in BITS for row in rows if row.bits == bits and row.has(counter)]
                drawn = [bar_of(BITS.index(row.bits), row) for row in unique(chosen)]
                if drawn:
                    groups.append(Group(results.label, drawn))
                    sources.append(results)
            if groups:
                panels[f"{MODES[mode]}, {use_text(use, files)}"] = groups
    return panels, sources


def use_text(use, files):
    """What the rows of `picture.thread_use` have in common."""
    if use == "all" and any(results.is_gpu for results in files):
        return "GPU" if all(results.is_gpu for results in files) else "GPU or all threads"
    return THREADS[use]


def unique(rows):
    """One row for each bit width: with a stated number of threads rather than 'own'."""
    kept = {}
    for row in sorted(rows, key=lambda row: row.threads == "own"):
        kept.setdefault(row.bits, row)
    return [kept[bits] for bits in BITS if bits in kept]


def limit_rate(row):
    """GB/s of this row's limit: the same bytes in the best limit's time."""
    if not row.has("best_limit_ratio"):
        return None
    return row.spread("gbytes_per_second").median / row.spread("best_limit_ratio").median


def throughput(everything):
    """CPUs, and GPUs with the CPUs beside them: on the GPUs' scale nothing could be told of the CPUs."""
    title = "Throughput by machine"
    files = picture.measured(everything)
    cpus = [results for results in files if not results.is_gpu]
    drawn = [_throughput("throughput_by_machine", title, cpus, tuple(THREADS))]
    if len(cpus) < len(files):
        title = "Throughput of GPUs, and CPUs beside them" if cpus else "Throughput of GPUs"
        drawn.append(_throughput("gpu_throughput_by_machine", title, files, ("all",)))
    drawn = [item for item in drawn if item]
    return drawn or [
        Missing(title, "no file has a cold run of our library on the guide's data with one or all threads")
    ]


def _throughput(name, title, files, uses):
    panels, sources = by_machine(
        files,
        "gbytes_per_second",
        lambda series, row: Bar(series, row.spread("gbytes_per_second"), limit_rate(row)),
        uses,
    )
    if not panels:
        return None
    figure, axes = bars.panels(panels, RATE, legend=bars.legend(BIT_LABELS, limit=True))
    text = (
        f"Our library, float, {picture.tensor_text(sources)} in place, from memory (cold). Bytes counted:"
        f" {picture.ACCOUNTING['apply']}; {picture.ACCOUNTING['init']}. The black tick is the limit: a loop that only"
        " scales the same tensor (for INIT: that finds its maximum and then scales it), the best of the run;"
        " “20 of 25” means 20 GB/s where the limit is 25."
    )
    return Picture(name, title, text, figure, [(a, "x") for a in axes], sources)


def limit_share(everything):
    title = "Share of the limit by machine"
    panels, sources = by_machine(
        picture.measured(everything),
        "best_limit_ratio",
        lambda series, row: Bar(series, row.spread("best_limit_ratio").scaled(100)),
    )
    if not panels:
        return [Missing(title, "no file has limits beside a cold run of our library on the guide's data")]
    figure, axes = bars.panels(
        panels,
        "% of the limit (time of the limit / time of the call)",
        legend=bars.legend(BIT_LABELS),
        top=100,
        mark=100,
        text_of=lambda value: units.percent(value / 100),
    )
    text = (
        f"100 % (dashed) is as fast as the machine can be with the same tensor, {picture.tensor_text(sources)} in"
        " place, from memory (cold): for APPLY a loop that only scales it, for INIT one that finds its maximum and"
        " then scales it. A little above 100 % is noise of the two measurements, much above it means that one of them"
        " was disturbed."
    )
    return [Picture("limit_share_by_machine", title, text, figure, [(a, "x") for a in axes], sources)]


def targets(everything):
    title = "Instruction sets side by side"
    panels, sources = {}, []
    for results in picture.measured(everything):
        rows = results.select(
            kind="quantize", lib="ours", type=picture.TYPE, data=picture.DATA, count=picture.main_count(results),
            cache="cold", mode="apply", threads="1",
        )  # fmt: skip
        measured = [r for r in rows if r.has("gbytes_per_second")]
        names = list(dict.fromkeys(row.target for row in measured))
        listed = (results.fact("library") or {}).get("targets") or []
        names.sort(key=lambda name: listed.index(name) if name in listed else len(listed))
        if len(names) < 2:
            continue
        limit = max((limit_rate(row) for row in measured if row.has("best_limit_ratio")), default=None)
        panels[results.label] = [
            Group(name, [
                Bar(BITS.index(row.bits), row.spread("gbytes_per_second"), limit)
                for bits in BITS for row in measured if row.target == name and row.bits == bits
            ])
            for name in names
        ]  # fmt: skip
        sources.append(results)
    if not panels:
        return [Missing(title, "no file has our library with two or more instruction sets on the same work")]
    figure, axes = bars.panels(
        panels, RATE, columns=2, legend=bars.legend(BIT_LABELS, limit=True)
    )
    text = (
        f"Our library on one thread, float, APPLY, {picture.tensor_text(sources)} in place, from memory (cold);"
        f" {picture.ACCOUNTING['apply']}. The library picks the fastest by itself; the others were forced."
    )
    return [Picture("instruction_sets", title, text, figure, [(a, "x") for a in axes], sources)]


def peers(everything):
    """Time of one call, ours against the peer's, with the factor between them; a figure for each file with a peer."""
    title = "Ours against a peer"
    pictures = []
    for results in picture.measured(everything):
        rows = [row for row in picture.main_rows(results) if row.has("peer_ratio") and picture.thread_use(row)]
        if not rows:
            continue
        groups = []
        for mode in MODES:
            for row in sorted((r for r in rows if r.mode == mode), key=lambda r: (BITS.index(r.bits), thread_order(r))):
                note = f"({units.factor(row.peer_factor)} × as fast)" if row.peer_factor else "(one repetition)"
                peer_time = row.spread("peer_time").scaled(1e-6)
                label = f"{row.bits} bit, {MODES[mode]}" + ("" if results.is_gpu else f", {thread_text(row)}")
                groups.append(Group(label, [Bar(0, row.time.scaled(1e-6), note=note), Bar(1, peer_time)]))
        ours, other = results.library(), results.peer_name or "the peer"
        figure, axes = bars.panels(
            {f"{picture.tensor_text([results])}, from memory": groups},
            "ms for one call (shorter is faster)",
            legend=bars.legend([f"ours: {ours}", f"peer: {other}"]),
            room=1.12,
            text_of=lambda value: f"{units.plain_number(value)} ms",
        )
        text = (
            f"Time of one call, float, {picture.tensor_text([results])}, from memory (cold). Both libraries work on the"
            " same tensors in the same process, within each repetition first ours and then the peer; the"
            " factor is the median of the factors of the repetitions; where they are too far apart to tell it, the lower"
            " end of its interval (“at least”)."
        )
        if not results.is_gpu:
            text += f" The threads named are those that ours may use; the peer uses {thread_claim(results)}."
        pictures.append(
            Picture(f"peer_{len(pictures) + 1}", f"{title}: {results.label}", text, figure, [(axes[0], "x")], [results])
        )
    return pictures or [Missing(title, "no file was measured together with a second library")]


def thread_order(row):
    return int(row.threads) if row.threads.isdecimal() else 1 << 30


def thread_text(row):
    if row.results.is_gpu:
        return "GPU"
    if row.threads == "own":
        return "its own choice of threads"
    return "1 thread" if row.threads == "1" else f"{row.threads} threads"


def thread_claim(results):
    is_set = (results.fact("peer") or {}).get("threads") == "set"
    return "the same number of threads as ours" if is_set else "as many threads as it chooses itself"


def guide_rate(everything):
    """The only figures that the guide prints, beside ours in the guide's own way of counting."""
    title = "Beside the vendor's figures of 2019"
    groups, sources = [], []
    quoted = [r for r in everything if r.quoted]
    for results in quoted:
        for system in dict.fromkeys(row.system for row in results.select(kind="quantize")):
            rows = results.select(kind="quantize", system=system, bits="8", count=picture.GUIDE_COUNT)
            rates = [row.spread("guide_gib_per_second") for row in rows if row.has("guide_gib_per_second")]
            drawn = [Bar(0, rate, quoted=True, note="quoted") for rate in rates]
            if drawn:
                name = results.label + ("" if system == "unstated" else f", {system.capitalize()}")
                groups.append(Group(name, drawn))
                sources.append(results)
    if not groups:
        return [Missing(title, "no file with quoted figures was given")]
    measured = 0
    for results in picture.measured(everything):
        rows = [r for r in picture.main_rows(results, mode="init", bits="8") if r.has("guide_gib_per_second")]
        rows = [row for row in rows if row.count == picture.GUIDE_COUNT]
        drawn = [
            Bar(BITS.index("8"), row.spread("guide_gib_per_second"), note=thread_text(row))
            for row in sorted(rows, key=thread_order)
        ]
        if drawn:
            measured += 1
            groups.append(Group(results.label, drawn))
            sources.append(results)
    if not measured:
        return [
            Missing(title, f"no measured file has the guide's work, {picture.GUIDE_COUNT:,} floats, 8 bit, INIT, cold")
        ]
    figure, axes = bars.panels(
        {f"8 bit, {picture.GUIDE_COUNT:,} floats; ours: INIT, from memory": groups},
        "GiB/s as the guide counts: tensor size / time, once (2³⁰ bytes/s)",
        legend=bars.legend(["our library, measured"], quoted=True, first=BITS.index("8")),
        room=1.3,
    )
    text = (
        f"{picture.GUIDE_COUNT:,} floats. The hatched bars are quoted, not measured: other machines, another time, and"
        " the guide does not say the mode or the threads; ours are shown in the slowest mode, INIT, from memory"
        " (cold). The guide counts the tensor's bytes once, so these figures must not be compared with the others on"
        " this page."
    )
    return [Picture("guide_rate", title, text, figure, [(axes[0], "x")], sources)]
