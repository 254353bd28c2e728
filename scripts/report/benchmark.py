"""Result files of the benchmarks: reading, checking, choosing rows. bench/SCHEMA.md says what the fields mean."""

from __future__ import annotations

import dataclasses
import os
import statistics

from report.fields import Field, label_apart, load_each, told_apart
from report.spread import Factor, Spread

SCHEMA = "gfpq-bench/1"
TYPE_BYTES = {"f32": 4, "f64": 8}
LIMITS = {"apply": "scale", "init": "max+scale", "update": "max+scale", "job": "copy"}
PASSES = {"apply": 2, "init": 3, "update": 3, "job": 2, "scale": 2, "copy": 2, "max": 1, "max+scale": 3}
REQUIRED_SEGMENTS = {
    "quantize": ("lib", "type", "bits", "mode", "count", "threads", "cache"),
    "limit": ("op", "type", "count", "threads", "cache"),
}
ALLOWED_VALUES = {"lib": ("ours", "peer", "vendor"), "type": tuple(TYPE_BYTES), "bits": ("8", "16")}
DIFFERENCE = 0.15  # by which measurements of one run may differ that should not
VENDORS = ("1.1.5", 139977, "Oct 11 2019 10:58:56")  # what HI_GFPQ_GetInfo of HiSilicon's library returns
COUNTERS = (
    "gbytes_per_second",
    "guide_gib_per_second",
    "ns_per_element",
    "limit_ratio",
    "limit_time",
    "peer_ratio",
    "peer_time",
    "call_time",
    "end_to_end_time",
)


@dataclasses.dataclass(eq=False)
class Row:
    """One row name with all its repetitions; times in ns for one call."""

    name: str
    kind: str
    keys: dict
    results: Results
    times: list = dataclasses.field(default_factory=list)
    counters: dict = dataclasses.field(default_factory=dict)
    label: str = ""
    best_limit: float | None = None  # ns: the best limit that the run measured for the same bytes

    def __getattr__(self, key):
        """row.bits, row.mode, ...: the segments of the name; one that is left out is 'unstated'."""
        if key.startswith("_"):
            raise AttributeError(key)
        return self.keys.get(key, "unstated")

    @property
    def count(self):
        return int(self.keys["count"])

    @property
    def tensor_bytes(self):
        return self.count * TYPE_BYTES[self.keys["type"]]

    @property
    def time(self):
        return Spread.of(self.times)

    def has(self, counter):
        return counter in self.counters

    def spread(self, counter):
        return Spread.of(self.counters[counter])

    @property
    def peer_factor(self):
        """A Factor: times as fast as the peer. None where there is no peer, or one repetition only."""
        if not self.has("peer_ratio"):
            return None
        spread = self.spread("peer_ratio")
        if spread.repetitions == 1:
            return None
        return Factor(spread.low, False) if spread.is_wide else Factor(spread.median, True)

    @property
    def limit_times(self):
        """Durations in units of the limit measured in turn with them, one a repetition: a drift of the machine's speed
        cancels out."""
        return [1 / ratio for ratio in self.counters.get("limit_ratio", [])]

    @property
    def limit_shares(self):
        """Median shares of the limit: of the best of the run, then, where it differs, of the one beside the calls."""
        if not self.has("best_limit_ratio"):
            return []
        counters = ["best_limit_ratio"] + (["limit_ratio"] if self.limit > (1 + DIFFERENCE) * self.best_limit else [])
        return [self.spread(counter).median for counter in counters]

    @property
    def limit_work(self):
        """What the limit of this row is the limit of: rows that are equal in it move the same bytes."""
        work = LIMITS.get(self.keys["mode"]) if self.kind == "quantize" else self.keys["op"]
        threads = self.results.fact("threads_all") if self.threads == "own" else self.threads
        return work, self.tensor_bytes, str(threads), self.cache

    @property
    def limit(self):
        """Median time in ns of the limit measured beside this row, or of the limit that the row itself is."""
        if self.kind == "limit":
            return self.time.median
        ratios = self.counters.get("limit_ratio")
        return statistics.median(ratio * time for ratio, time in zip(ratios, self.times)) if ratios else None


@dataclasses.dataclass(frozen=True)
class Other:
    """What bench/peers.py found: this library or something else that users have, by the same clock; times in ns."""

    name: str
    bits: int
    threads: int
    count: int
    time: Spread
    other_codes: dict  # share of the numbers that get another code than GFPQ gives, by data set

    @classmethod
    def read(cls, entry):
        times = [_positive(time) for time in entry["times_ns"]]
        if not times:
            raise entry["times_ns"].wrong("is empty")
        shares = {name: share.number() for name, share in entry["other_codes"].items()}
        counts = (entry[key].count() for key in ("bits", "threads", "count"))
        return cls(entry["name"].text(), *counts, Spread.of(times), shares)


@dataclasses.dataclass(eq=False)
class Results:
    """One file: one run of one program on one machine, or figures quoted from somebody else."""

    file: str
    context: Field
    rows: dict = dataclasses.field(default_factory=dict)
    failed: dict = dataclasses.field(default_factory=dict)  # by name: rows without times, `label` says why
    label: str = ""
    run: dict = dataclasses.field(default_factory=dict)  # what was found at the end; empty where nothing was
    others: list = dataclasses.field(default_factory=list)
    without_others: str = ""  # why there are none

    @property
    def quoted(self):
        return self.context.value["quoted"]

    @property
    def title(self):
        return self.context.value["title"]

    @property
    def date(self):
        return self.context.value["date"]

    @property
    def short_file(self):
        return os.path.basename(self.file)

    def fact(self, key, default=None):
        """A value of the context, None where it is missing or not known."""
        value = self.context.value.get(key)
        return default if value in (None, "unknown", "") else value

    @property
    def errors(self):
        """[(row name, message)]"""
        return [(row.name, row.label) for row in self.failed.values()]

    @property
    def peer_name(self):
        """What a page calls the library that ours is compared with; None where there is none."""
        about = self.fact("peer") or {}
        is_vendors = tuple(about.get(key) for key in ("version", "revision", "build_time")) == VENDORS
        return f"the vendor's {about['version']}" if is_vendors else self.library("peer")

    def library(self, which="library"):
        """'libgfpq.so.1.2.0 (version 1.2.0)', None where there is none."""
        about = self.fact(which)
        return f"{about['file']} (version {about['version']})" if about else None

    @property
    def is_gpu(self):
        return self.context.value["device"] == "gpu"

    @property
    def machine(self):
        """The model's name; None where it is not known."""
        return self.gpu_fact("name") if self.is_gpu else self.fact("cpu_model")

    def gpu_fact(self, key):
        """A value of the context's `gpu`, None where it is missing or not known."""
        value = (self.fact("gpu") or {}).get(key)
        return None if value in ("unknown", "") else value

    def select(self, rows=None, **wanted):
        """Rows by kind and segments, in file order: select(kind='limit', op='scale', threads='1'); of those measured, or
        of `rows`."""
        return [
            row
            for row in (self.rows if rows is None else rows).values()
            if all(str(getattr(row, key)) == str(value) for key, value in wanted.items())
        ]


def parse_name(field):
    """'kind/key:value/...' -> (kind, {key: value})."""
    kind, *segments = field.text().split("/")
    if kind not in REQUIRED_SEGMENTS:
        raise field.wrong(f"should begin with one of {', '.join(REQUIRED_SEGMENTS)}, is {field.value!r}")
    keys = {}
    for segment in segments:
        key, colon, value = segment.partition(":")
        if not (key and colon and value) or key in keys:
            raise field.wrong(f"the segment {segment!r} is not one new key:value")
        keys[key] = value
    for key in REQUIRED_SEGMENTS[kind]:
        if key not in keys:
            raise field.wrong(f"has no segment {key!r}: {field.value!r}")
    for key, allowed in ALLOWED_VALUES.items():
        if key in keys and keys[key] not in allowed:
            raise field.wrong(f"{key} should be one of {', '.join(allowed)}, is {keys[key]!r}")
    if not keys["count"].isdecimal() or len(keys["count"]) > 10 or not 0 < int(keys["count"]) < 2**32:
        raise field.wrong(f"count should be a whole number above zero and below 2^32, is {keys['count'][:60]!r}")
    return kind, keys


def _positive(field):
    if field.number() <= 0:
        raise field.wrong(f"should be above zero, is {field.value}")
    return float(field.value)


def _check_context(context):
    context["schema"].one_of((SCHEMA,))
    quoted = context["quoted"].boolean()
    context["device"].one_of(("cpu", "gpu"))
    for key in ("date", "title") + (("source",) if quoted else ()):
        context[key].text()
    if quoted:
        return
    for key in ("project_version", "project_revision", "compiler", "compiler_flags", "cpu_model", "architecture"):
        context[key].text()
    if context["device"].value == "cpu":
        _positive(context["threads_all"])
    else:
        context["gpu"]["name"].text()
        _positive(context["gpu"]["l2_bytes"])
    for key in ("cache_l1d_bytes", "cache_l2_bytes", "cache_l3_bytes"):
        if context.has(key):
            context[key].count()
    if context.has("environment"):
        for _, variable in context["environment"].items():
            variable.text()
    for which in ("library", "peer"):
        if which == "library" or context.has(which):
            context[which]["file"].text()
            context[which]["version"].text()


def _check_rate(entry, row, time):
    """The rate has to follow from the time and the schema's byte accounting: a factor of two would mislead silently."""
    work = row.keys.get("mode" if row.kind == "quantize" else "op")
    if not entry.has("gbytes_per_second") or work not in PASSES:
        return
    expected = PASSES[work] * row.tensor_bytes / time
    stated = entry["gbytes_per_second"]
    if abs(stated.number() - expected) > 0.02 * expected:
        raise stated.wrong(f"is {stated.value:.6g}, but {PASSES[work]} * count * size / time is {expected:.6g} GB/s")


def _take_best_limits(results):
    """Adds the counter `best_limit_ratio`, whose limit is the best that the run measured for the same bytes, not the one
    that happened to be measured beside the row: a machine that was slow at both would be read as one whose limit is
    reached."""
    best = {}
    for row in results.rows.values():
        if row.limit is not None:
            best[row.limit_work] = min(row.limit, best.get(row.limit_work, row.limit))
    for row in results.rows.values():
        if row.has("limit_ratio"):
            row.best_limit = best[row.limit_work]
            row.counters["best_limit_ratio"] = [row.best_limit / time for time in row.times]


def load(file):
    """Read and check one file; InputError says what is wrong with it."""
    top = Field.load(file)
    context = top["context"]
    _check_context(context)
    results = Results(str(file), context, label=context["title"].text())
    if top.has("run"):
        results.run = {key: field.number() for key, field in top["run"].items()}
    if top.has("peers"):
        peers = top["peers"]
        results.without_others = peers.optional_text("skipped")
        results.others = [Other.read(entry) for entry in peers["rows"]] if peers.has("rows") else []
    for entry in top["benchmarks"]:
        if entry.optional_text("run_type", "iteration") != "iteration":
            continue  # aggregates: everything here is computed from the repetitions
        name = entry["run_name"].text() if entry.has("run_name") else entry["name"].text()
        kind, keys = parse_name(entry["run_name" if entry.has("run_name") else "name"])
        if entry.has("error_occurred") and entry["error_occurred"].boolean():
            message = entry.optional_text("error_message", "no message")
            results.failed.setdefault(name, Row(name, kind, keys, results, label=message))
            continue
        row = results.rows.setdefault(name, Row(name, kind, keys, results))
        entry["time_unit"].one_of(("ns",))
        time = _positive(entry["real_time"])
        row.times.append(time)
        row.label = entry.optional_text("label", row.label)
        for counter in COUNTERS:
            if entry.has(counter):
                row.counters.setdefault(counter, []).append(_positive(entry[counter]))
        _check_rate(entry, row, time)
    for name in results.failed:
        results.rows.pop(name, None)  # one wrong repetition: the others are not to be relied on
    for row in results.rows.values():
        for counter, values in row.counters.items():
            if len(values) != len(row.times):
                raise top["benchmarks"].wrong(f"{row.name}: only some repetitions have {counter!r}")
    if not results.rows and not results.failed:
        raise top["benchmarks"].wrong("holds no measured row")
    _take_best_limits(results)
    return results


def load_all(files, refused=None):
    """Every file, each with a label of its own; see load_each()."""
    everything = load_each(load, files, refused)
    paths = told_apart([results.file for results in everything])
    label_apart(
        everything,
        (
            lambda r: r.title,
            lambda r: f"{r.title}, {(r.fact('library') or {}).get('file', r.date)}",
            lambda r: f"{r.title} ({r.short_file})",
            lambda r: f"{r.title} ({paths[r.file]})",
        ),
    )
    return everything
