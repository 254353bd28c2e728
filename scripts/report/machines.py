"""What the page begins with: all machines in one table and on one scale, and their speed from cache to memory."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import os
import pathlib
import subprocess

from report import doubts, picture, units
from report.benchmark import Results, Row
from report.curves import CACHES
from report.overviews import BITS, limit_rate, thread_text
from report.spread import Spread

SIZES = tuple(4096 * 4**power for power in range(8))  # bytes of a tensor, 4 KiB to 64 MiB
LAYER = 256 << 10  # bytes: as many of the tensors between a network's layers are
LIBRARY_SOURCES = ("include", "src", "kernels")
CSV_COUNTERS = ("gbytes_per_second", "limit_ratio", "best_limit_ratio")  # as bench/SCHEMA.md explains them


@dataclasses.dataclass
class Machine:
    results: Results
    rows: dict[str, Row]  # by bits, APPLY on the guide's tensor from memory, with the fastest number of threads
    failed: set[str]  # widths of which such a row failed; `rows` has none of them, whatever other threads did
    contradictions: dict[str, list[str]]  # by row name
    has_doubts: bool

    @property
    def label(self):
        return self.results.label

    @property
    def target(self):
        return picture.best_target(self.results)

    @property
    def is_ranked(self):
        """A library that failed anywhere is not among the fastest, however fast it was."""
        return not any(row.keys.get("lib") == "ours" for row in self.results.failed.values())

    @property
    def doubts(self):
        """'73 of 169 rows' contradict others, 'of the run' where something else speaks against it, or 'none'."""
        if self.contradictions:
            return f"{len(self.contradictions)} of {len(self.results.rows)} rows"
        return "of the run" if self.has_doubts else "none"

    @property
    def threads(self):
        """'2 threads', 'GPU', or both numbers where they differ."""
        return " / ".join(dict.fromkeys(thread_text(row) for row in self.rows.values())) or "no row is right"

    def peak_share(self, row):
        """Share of the memory's rated peak, which only GPUs tell."""
        peak = self.results.gpu_fact("peak_gbytes_per_second") if self.results.is_gpu else None
        return row.spread("gbytes_per_second").median / peak if peak else None

    @property
    def revision(self):
        return self.results.fact("project_revision", "unknown")


def overview(everything):
    """Machines that were measured, the fastest at 16 bit first; at the end those that are not ranked."""
    machines = []
    for results in picture.measured(everything):
        failed = {row.bits for row in picture.main_rows(results, results.failed, mode="apply")}
        rows = {}
        for bits in BITS:
            found = [row for row in picture.main_rows(results, mode="apply", bits=bits) if row.has("gbytes_per_second")]
            if found and bits not in failed:
                rows[bits] = min(found, key=lambda row: row.time.median)
        if rows or failed:
            contradictions = doubts.contradictions(results)
            machines.append(Machine(results, rows, failed, contradictions, bool(doubts.doubts(results))))

    def order(machine):
        rows = [machine.rows.get(bits) for bits in BITS]
        return not machine.is_ranked, [row.time.median / row.count if row else math.inf for row in rows]

    return sorted(machines, key=order)


@dataclasses.dataclass
class Scale:
    """A logarithmic axis, in percent of its length."""

    low: float
    high: float

    def at(self, value):
        return round(100 * math.log(value / self.low) / math.log(self.high / self.low), 2)

    @property
    def ticks(self):
        steps = (1, 2, 5) if self.high / self.low < 300 else (1,)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        values = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [value for value in values if self.low <= value <= self.high]


def scale_of(machines):
    """Of the dot plot: GB/s from the slowest to the fastest."""
    values = []
    for machine in machines:
        for row in machine.rows.values():
            spread = row.spread("gbytes_per_second")
            values += [spread.low, spread.high, limit_rate(row) or spread.median]
    return Scale(min(values) / 1.2, max(values) * 1.2) if values else None


def seen(machine):
    """What a reader sees in a line of the dot plot."""
    told = []
    for bits in BITS:
        if bits in machine.rows:
            row = machine.rows[bits]
            limit = limit_rate(row)
            rate = units.plain_number(row.spread("gbytes_per_second").median)
            told.append(f"{bits} bit at {rate}" + (f" of {units.plain_number(limit)}" if limit else "") + " GB/s")
        elif bits in machine.failed:
            told.append(f"{bits} bit failed")
    return f"{machine.label}: " + ", ".join(told)


def level(results, size):
    """'L2': the smallest cache that holds so many bytes."""
    if results.is_gpu:
        return "L2" if size <= results.gpu_fact("l2_bytes") else ""
    return next((name for key, name in CACHES if (results.fact(key) or 0) >= size), "")


@dataclasses.dataclass
class Cell:
    rate: Spread
    share: float | None
    level: str


def from_cache_to_memory(machines):
    """[(machine, bits, [cell or None for each of SIZES, and from memory])], on one thread of a CPU."""
    table = []
    for machine in machines:
        results = machine.results
        for bits in BITS:
            rows = results.select(
                kind="quantize", lib="ours", type=picture.TYPE, data=picture.DATA, mode="apply", bits=bits,
                target=picture.best_target(results), threads="own" if results.is_gpu else "1",
            )  # fmt: skip
            of_size = {row.tensor_bytes: row for row in rows if row.cache == "warm"}
            cold = {row.count: row for row in rows if row.cache == "cold"}.get(picture.main_count(results))
            found = [of_size.get(size) for size in SIZES]
            if any(found):
                table.append((machine, bits, [cell(results, row) for row in [*found, cold]]))
    return table


def cell(results, row):
    if row is None or not row.has("gbytes_per_second"):
        return None
    share = row.spread("best_limit_ratio").median if row.has("best_limit_ratio") else None
    where = level(results, row.tensor_bytes) if row.cache == "warm" else ""
    return Cell(row.spread("gbytes_per_second"), share, where or "memory")


def about_layers(table):
    """A sentence about tensors of the size of a layer's; nothing where none was measured."""
    column = SIZES.index(LAYER)
    told = []
    for bits in BITS:
        cells = [cells[column] for _, row_bits, cells in table if row_bits == bits and cells[column]]
        shares = sorted(c.share for c in cells if c.share is not None)
        if shares:
            rates = sorted(c.rate.median for c in cells)
            told.append(f"{bits} bit at {span(rates, units.plain_number)} GB/s, {span(shares, units.percent)} of the limit")
    return f"At {units.human_bytes(LAYER)}, as many tensors between layers are: {'; '.join(told)}." if told else ""


def span(values, text):
    first, last = text(values[0]), text(values[-1])
    return first if first == last else f"{first} to {last}"


def as_csv(everything):
    """Every row of every file."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ("file", "title", "row", "repetitions", "ns_median", "ns_low", "ns_high", *CSV_COUNTERS, "peer_ratio",
         "peer_ratio_at_least", "doubt")
    )  # fmt: skip
    for results in everything:
        found = {} if results.quoted else doubts.contradictions(results)
        for row in results.rows.values():
            counters = [f"{row.spread(name).median:.6g}" if row.has(name) else "" for name in CSV_COUNTERS]
            factor = row.peer_factor
            factors = [f"{factor.value:.6g}" if factor and factor.is_certain == certain else "" for certain in (True, False)]
            times = (f"{time:.6g}" for time in (row.time.median, row.time.low, row.time.high))
            doubt = "; ".join(found.get(row.name, ()))
            named = (results.short_file, results.title, row.name, len(row.times))
            writer.writerow((*named, *times, *counters, *factors, doubt))
        for name, message in results.errors:
            writer.writerow((results.short_file, results.title, name, 0, *[""] * 8, f"failed: {message}"))
    return stream.getvalue()


def data_names(everything):
    """{file: what its copy beside the page is called}, all different."""
    names = {}
    for results in everything:
        stem, extension = os.path.splitext(results.short_file)
        name, number = results.short_file, 2
        while name in names.values():
            name, number = f"{stem}-{number}{extension}", number + 1
        names[results.file] = name
    return names


def has_changed_since(revision):
    """Whether the library's sources are others now than at this revision; None where git does not know it."""
    project = pathlib.Path(__file__).resolve().parents[2]
    try:
        done = subprocess.run(
            ["git", "-C", str(project), "diff", "--quiet", revision.removesuffix("+"), "--", *LIBRARY_SOURCES],
            capture_output=True, check=False, timeout=20,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {0: False, 1: True}.get(done.returncode)
