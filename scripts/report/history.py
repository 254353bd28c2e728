"""One machine over revisions: what became faster or slower, and what cannot be told."""

from __future__ import annotations

import dataclasses

from report import compare, pages, picture, significance
from report.benchmark import Results, Row
from report.fields import InputError

SHOWN_BITS = ("16", "8")


@dataclasses.dataclass
class Step:
    """A run, and how it differs from the one before."""

    results: Results
    rows: dict[str, Row]  # by bits: the same work in every step, APPLY from memory
    verdicts: dict[str, str]  # of these rows; empty in the first step
    totals: dict[str, int] | None  # of all rows of the library under test; None in the first step


def shown_rows(results):
    """By bits, on the fewest threads that were measured: the number that runs of one machine have in common."""
    rows = {}
    for row in sorted(picture.main_rows(results, mode="apply"), key=lambda row: (not row.threads.isdecimal(), row.threads)):
        rows.setdefault(row.bits, row)
    return {bits: rows[bits] for bits in SHOWN_BITS if bits in rows}


def steps(runs):
    """A Step for each run, the oldest first; InputError where they are not all of one machine."""
    runs = sorted(runs, key=lambda results: results.date)
    found = []
    for index, results in enumerate(runs):
        rows = shown_rows(results)
        if index == 0:
            found.append(Step(results, rows, {}, None))
            continue
        values = compare.compare(runs[index - 1], results)
        of_name = {row.name: row.verdict for row in values["groups"][0][1]}
        verdicts = {bits: of_name.get(row.name, "not in both") for bits, row in rows.items()}
        found.append(Step(results, rows, verdicts, values["totals"]))
    return found


def groups(everything):
    """Lists of runs that can be compared: of one machine, with the same instruction set and title."""
    found = []
    for results in picture.measured(everything):
        for group in found:
            first = group[0]
            same = (first.title, picture.best_target(first)) == (results.title, picture.best_target(results))
            if same and compare.difference(first, results) is None:
                group.append(results)
                break
        else:
            found.append([results])
    return found


def run(everything, stream):
    """Print the history of the runs."""
    if any(results.quoted for results in everything):
        raise InputError("--history: quoted figures have no history")
    found = steps(everything)
    stream.write(pages.render("history.txt.j2", steps=found, cannot_tell=significance.CANNOT_TELL))
