"""Two result files against each other: which rows became faster or slower."""

import dataclasses
import sys

from report import pages, significance
from report.fields import InputError
from report.spread import Spread


@dataclasses.dataclass
class Options:
    alpha: float = significance.ALPHA
    minimum_effect: float = significance.MINIMUM_EFFECT
    minimum_repetitions: int = significance.MINIMUM_REPETITIONS


def is_ours(row):
    return row.kind == "quantize" and row.lib == "ours"


def is_not_ours(row):
    return not is_ours(row)


# What has to be the same before two durations can be compared.
CPU_FACTS = (
    "cpu_model", "architecture", "physical_cores", "logical_cpus", "threads_all", "cache_l1d_bytes", "cache_l2_bytes",
    "cache_l3_bytes", "numa_nodes",
)  # fmt: skip
GPU_FACTS = ("name", "compute_capability", "multiprocessors", "memory_bytes", "l2_bytes", "power_limit_watts")


def difference(old, new):
    """(field, old value, new value) of the first fact that tells two machines apart, or None. A model that is not known
    may be any."""
    if old.context.value == new.context.value and all(
        name in new.rows and row.times == new.rows[name].times for name, row in old.rows.items()
    ):
        return None  # a run and itself
    facts = [("device", *(results.context.value["device"] for results in (old, new)))]
    if new.is_gpu:
        facts += [(f"gpu.{key}", old.gpu_fact(key), new.gpu_fact(key)) for key in GPU_FACTS]
    else:
        facts += [(key, old.fact(key), new.fact(key)) for key in CPU_FACTS]
    models = ("cpu_model", "gpu.name")
    return next((fact for fact in facts if fact[1] != fact[2] or (fact[0] in models and fact[1] is None)), None)


def check_machines(old, new, force):
    """True where the machines are the same, False where they differ and the caller insists."""
    found = difference(old, new)
    if found is None:
        return True
    field, before, after = ("unknown" if value is None else value for value in found)
    if not force:
        raise InputError(
            f"{new.file}: field 'context.{field}': {after!r} is not known to be the machine of {old.file}, {before!r}."
            " Durations of different machines say nothing about the code;"
            " --force compares them in units of each machine's own limit"
        )
    return False


def durations(results, wanted):
    """{row name: its times in ns}"""
    return {row.name: row.times for row in results.rows.values() if wanted(row)}


def in_limits(results, wanted):
    """{row name: its times in units of the limit measured beside it}, of the rows that have one."""
    return {row.name: row.limit_times for row in results.rows.values() if wanted(row) and row.has("limit_ratio")}


def compare(old, new, force=False, options=Options()):
    """The values of the template compare.txt.j2.

    Repetitions of one run share the mood of the machine, so a second run of the same program differs by more than they
    do. A row is therefore called faster or slower only where its time says so, and its time in units of the limit too,
    which was measured in turn with it. Ours decide; limits and peers are shown, since they tell of the machine.
    """
    same_machine = check_machines(old, new, force)
    numbers = (options.alpha, options.minimum_effect, options.minimum_repetitions)
    if same_machine:
        second = (in_limits(old, is_ours), in_limits(new, is_ours))
        ours = significance.compare(durations(old, is_ours), durations(new, is_ours), *numbers, *second)
        others = significance.compare(durations(old, is_not_ours), durations(new, is_not_ours), *numbers)
    else:
        ours, others = significance.compare(in_limits(old, is_ours), in_limits(new, is_ours), *numbers), []
    if not ours:
        raise InputError(f"{old.file} and {new.file}: field 'benchmarks': no row of the library under test is in both")
    return {
        "old": old,
        "new": new,
        "same_machine": same_machine,
        "options": options,
        "groups": [
            group
            for group in (("library under test", ours), ("limits and peers: the machine, not our code", others))
            if group[1]
        ],
        "only_old": [name for name, row in old.rows.items() if is_ours(row) and name not in new.rows],
        "errors": new.errors,
        "totals": totals(ours),
        "apart": sum(are_apart(row) for row in ours),
    }


def are_apart(row):
    """Whether the intervals of the two medians have nothing in common."""
    old, new = Spread.of(row.old), Spread.of(row.new)
    return old.high < new.low or new.high < old.low


def totals(rows):
    return {
        verdict: sum(row.verdict == verdict for row in rows)
        for verdict in (significance.FASTER, significance.SLOWER, significance.CANNOT_TELL)
    }


def run(old, new, force=False, options=Options(), stream=None):
    """Print the table; the exit status: 1 where a row of ours is slower or failed in the new file, else 0."""
    values = compare(old, new, force, options)
    (stream or sys.stdout).write(pages.render("compare.txt.j2", **values))
    return 1 if values["totals"][significance.SLOWER] or values["errors"] else 0
