"""Puts the benchmark report together: figures, tables, provenance; one page, one Markdown file, the pictures."""

import pathlib
import shutil

from report import conformance, curves, doubts, machines, overviews, pages, picture, style, units
from report.picture import Picture

MOST_ROWS = 2000  # that a page lists one by one
MOST_MACHINES = 8  # that figures show side by side; a page of more has the table and the dot plot
BUILDERS = (
    overviews.throughput,
    overviews.limit_share,
    curves.against_size,
    curves.call_time,
    curves.thread_scaling,
    overviews.targets,
    overviews.peers,
    overviews.guide_rate,
)
FACTS = (
    (
        "Benchmark program",
        lambda r: joined(r.fact("project_version"), f"revision {r.fact('project_revision', 'unknown')}"),
    ),
    ("Library", lambda r: library_text(r, "library")),
    ("Compared with", lambda r: library_text(r, "peer")),
    ("CPU", lambda r: joined(r.fact("cpu_model"), r.fact("architecture"))),
    (
        "CPU's family, model, stepping",
        lambda r: joined(r.fact("cpu_family"), r.fact("cpu_model_number"), r.fact("cpu_stepping")),
    ),
    ("Hypervisor", lambda r: r.fact("hypervisor")),
    ("GPU", lambda r: joined(r.gpu_fact("name"), prefixed("compute capability ", r.gpu_fact("compute_capability")))),
    ("Code that the GPU runs", lambda r: r.gpu_fact("code")),
    (
        "Driver and toolkit",
        lambda r: joined(
            prefixed("driver ", r.gpu_fact("driver")),
            prefixed("for CUDA ", r.gpu_fact("driver_cuda")),
            prefixed("built with CUDA ", r.gpu_fact("toolkit_cuda")),
        ),
    ),
    (
        "GPU's memory",
        lambda r: joined(
            size_text(r.gpu_fact("memory_bytes")),
            prefixed("", r.gpu_fact("memory_bus_bits"), " bits wide"),
            prefixed("peak ", number_text(r.gpu_fact("peak_gbytes_per_second")), " GB/s"),
            {True: "ECC on", False: "ECC off"}.get(r.gpu_fact("ecc")),
        ),
    ),
    ("GPU's L2 cache", lambda r: size_text(r.gpu_fact("l2_bytes"))),
    (
        "GPU's clocks at the start",
        lambda r: joined(
            prefixed("multiprocessors ", r.gpu_fact("sm_clock_mhz"), " MHz"),
            prefixed("at most ", r.gpu_fact("sm_clock_max_mhz"), " MHz"),
            prefixed("memory ", r.gpu_fact("memory_clock_mhz"), " MHz"),
            prefixed("at most ", r.gpu_fact("memory_clock_max_mhz"), " MHz"),
            prefixed("power limit ", r.gpu_fact("power_limit_watts"), " W"),
        ),
    ),
    (
        "Cores",
        lambda r: joined(
            prefixed("", r.fact("physical_cores"), " physical"), prefixed("", r.fact("logical_cpus"), " logical CPUs")
        ),
    ),
    ("All threads means", lambda r: r.fact("threads_all")),
    (
        "Caches, one of each",
        lambda r: joined(*(prefixed(f"{name} ", size_text(r.fact(key))) for key, name in curves.CACHES)),
    ),
    ("NUMA nodes", lambda r: r.fact("numa_nodes")),
    ("Memory", lambda r: size_text(r.fact("memory_bytes"))),
    ("System", lambda r: joined(r.fact("os"), r.fact("kernel"))),
    ("Frequency governor", lambda r: r.fact("frequency_governor")),
    ("Huge pages", lambda r: r.fact("huge_pages")),
    ("Compiler", lambda r: r.fact("compiler")),
    ("Compiler flags", lambda r: r.fact("compiler_flags")),
    ("Load when it began", lambda r: joined(*(f"{load:.1f}" for load in r.fact("load_avg") or []))),
    ("CPU time used by other programs", lambda r: share_text(r.run.get("others_share"))),
    ("CPU time given to other machines", lambda r: share_text(r.run.get("steal_share"))),
    ("Environment", lambda r: joined(*(f"{name}={text}" for name, text in r.fact("environment", {}).items()))),
    ("Date", lambda r: pages.day(r.date)),
    ("Suite", lambda r: r.fact("suite")),
    ("Repetitions of a row", lambda r: repetitions_text(r)),
    ("Result file", lambda r: r.short_file),
)

OF_GPUS = ("GPU", "Code that the GPU runs", "Driver and toolkit", "GPU's memory", "GPU's L2 cache", "GPU's clocks at the start")
OURS_AMONG_OTHERS = "this library"  # as bench/peers.py calls it


def joined(*parts):
    return ", ".join(str(part) for part in parts if part is not None) or None


def prefixed(before, value, after=""):
    return None if value is None else f"{before}{value}{after}"


def size_text(size):
    return units.human_bytes(size) if size else None


def number_text(value):
    return units.plain_number(value) if value else None


def share_text(share):
    return None if share is None else f"{100 * share:.1f} %"


def share_or_none(share):
    """Of numbers with another code: a share that is not zero does not become '0 %'."""
    return "none" if share == 0 else units.percent(share)


def library_text(results, which):
    about = results.fact(which)
    if not about:
        return None
    built = prefixed("revision ", about.get("revision")), prefixed("built ", about.get("build_time"))
    return joined(results.library(which), *built, prefixed("targets ", " ".join(about.get("targets") or []) or None))


def repetitions_text(results):
    numbers = sorted({len(row.times) for row in results.rows.values()})
    return " to ".join(str(n) for n in dict.fromkeys((numbers[0], numbers[-1]))) if numbers else None


def untold(fact, results):
    """What stands for a fact that the file does not tell."""
    if fact == "Compared with":
        return "nothing"
    return "none" if fact in OF_GPUS and not results.is_gpu else "unknown"


def provenance(everything):
    """[(fact, [text for each measured file])], without the facts that no file tells."""
    files = picture.measured(everything)
    table = [(name, [fact(results) for results in files]) for name, fact in FACTS]
    return [
        (name, [untold(name, results) if cell is None else str(cell) for results, cell in zip(files, cells)])
        for name, cells in table
        if any(cells)
    ]


def main_table(everything):
    """The rows behind the overviews, machine by machine."""

    def order(row):
        return (row.mode != "apply", row.mode, overviews.BITS.index(row.bits), overviews.thread_order(row))

    return [(results, sorted(picture.main_rows(results), key=order)) for results in picture.measured(everything)]


def others_table(results):
    """[(other, times as long as this library with the same width and threads)], None where repetitions are too few or
    too far apart to tell."""

    def is_certain(other):
        return other.time.repetitions > 1 and not other.time.is_wide

    ours = {(o.bits, o.threads): o for o in results.others if o.name == OURS_AMONG_OTHERS and is_certain(o)}
    table = []
    for other in results.others:
        own = ours.get((other.bits, other.threads))
        table.append((other, other.time.median / own.time.median if own and is_certain(other) else None))
    return table


def draw(everything):
    """Every figure that the files have the data for, and the others with the reason why not."""
    if len(picture.measured(everything)) > MOST_MACHINES:
        reason = f"they are drawn for up to {MOST_MACHINES} machines; the tables have all"
        return [], [picture.Missing("Figures of single machines", reason)]
    drawn = [item for build in BUILDERS for item in build(everything)]
    pictures = [item for item in drawn if isinstance(item, Picture)]
    for item in pictures:
        item.svg = style.as_svg(item.figure)
    return pictures, [item for item in drawn if not isinstance(item, Picture)]


def contents(values):
    """[(id, name)] of the sections that the page has."""
    sections = (
        ("machines", "The machines", values["overview"]),
        ("sizes", "From cache to memory", values["sizes"]),
        ("doubts", "What speaks against these numbers", any(sentences for _, sentences in values["doubts"])),
        ("conformance", "Is it right?", values["runs"]),
        ("archs", "Which GPUs do the kernels compile for?", values["archs"]),
        ("figures", "Figures", True),
        ("numbers", "The numbers", True),
        ("others", "Beside what else users have", values["others"]),
        ("how", "How it was measured", True),
        ("sources", "Where the figures come from", True),
        ("rows", "Every row, as CSV and JSON", True),
    )
    return [(identity, name) for identity, name, is_there in sections if is_there]


def page_values(everything, title, runs, pictures=(), missing=(), architectures=None):
    """What the templates of the report are filled with."""
    overview = machines.overview(everything)
    sizes = machines.from_cache_to_memory(overview)
    return {
        "title": title,
        "everything": everything,
        "quoted": [results for results in everything if results.quoted],
        "pictures": pictures,
        "has_figures": bool(pictures or missing),
        "missing": missing,
        "overview": overview,
        "scale": machines.scale_of(overview),
        "changed": {machine.results: machines.has_changed_since(machine.revision) for machine in overview},
        "seen": machines.seen,
        "limit_rate": overviews.limit_rate,
        "sizes": sizes,
        "all_sizes": machines.SIZES,
        "layers": machines.about_layers(sizes),
        "percent": units.percent,
        "percents": units.percents,
        "factor": units.factor,
        "all_ranked": all(machine.is_ranked for machine in overview),
        "data_names": list(machines.data_names(everything).values()),
        "row_count": sum(len(results.rows) for results in everything),
        "most_rows": MOST_ROWS,
        "tensor": picture.tensor_text(picture.measured(everything)),
        "doubts": [(results, doubts.doubts(results)) for results in picture.measured(everything)],
        "contradictions": {results: doubts.contradictions(results) for results in picture.measured(everything)},
        "about_spread": picture.about_spread("The numbers", "in brackets is"),
        "tables": main_table(everything),
        "others": [(r, others_table(r)) for r in picture.measured(everything) if r.others or r.without_others],
        "share_text": share_or_none,
        "provenance": provenance(everything),
        "gpu_details": OF_GPUS[1:],  # the first tells that there is no GPU
        "machines": picture.measured(everything),
        "runs": list(runs),
        "archs": architectures,
        "outcomes": conformance.OUTCOMES,
        "thread_text": overviews.thread_text,
        "number": units.plain_number,
        "size_text": units.human_bytes,
        "data_uri": style.as_data_uri,
    }


def write(everything, folder, title, conformance_runs=(), architectures=None):
    """index.html, its data (rows.csv, data/), report.md beside the SVG files, archs.html; returns (pictures, missing)."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pictures, missing = draw(everything)
    values = page_values(everything, title, conformance_runs, pictures, missing, architectures)
    for item in pictures:
        (folder / f"{item.name}.svg").write_bytes(item.svg)
    (folder / "rows.csv").write_text(machines.as_csv(everything), encoding="utf-8")
    (folder / "data").mkdir(exist_ok=True)
    for file, name in machines.data_names(everything).items():
        shutil.copyfile(file, folder / "data" / name)
    files = {"index.html": "report.html.j2", "report.md": "report.md.j2"}
    if architectures:
        files["archs.html"] = "archs.html.j2"
    values["contents"] = contents(values)
    for name, template in files.items():
        (folder / name).write_text(pages.render(template, **values), encoding="utf-8")
    return pictures, missing


def write_tables(everything, file, title, conformance_runs=()):
    """The tables alone, as one Markdown file."""
    values = page_values(everything, title, conformance_runs)
    pathlib.Path(file).write_text(pages.render("report.md.j2", **values), encoding="utf-8")
