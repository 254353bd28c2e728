"""Two result files against each other: which rows became faster or slower."""

import dataclasses
import sys

from report import pages, significance
from report.fields import InputError


@dataclasses.dataclass
class Options:
    alpha: float = significance.ALPHA
    minimum_effect: float = significance.MINIMUM_EFFECT
    minimum_repetitions: int = significance.MINIMUM_REPETITIONS


def is_ours(row):
    return row.kind == "quantize" and row.lib == "ours"


def is_not_ours(row):
    return not is_ours(row)


def check_machines(old, new, force):
    """True where the machines are the same, False where they differ and the caller insists."""
    if old.machine is not None and old.machine == new.machine:
        return True
    if not force:
        raise InputError(
            f"{new.file}: field 'context.{'gpu.name' if new.context.value['device'] == 'gpu' else 'cpu_model'}':"
            f" {new.machine or 'unknown'!r} is not known to be the machine of {old.file}, {old.machine or 'unknown'!r}."
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
    }


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
