"""The page of all committed results: one table to filter and to sort, and each machine's history by revision."""

from __future__ import annotations

import pathlib

from report import benchmark, doubts, history, machines, pages, picture, units


def write(files, page, refused):
    """The page, as a file beside the result files; the number of measured runs."""
    everything = benchmark.load_all(files, refused)
    measured = picture.measured(everything)
    entries = machines.overview(everything)
    folder = pathlib.Path(page).resolve().parent
    values = {
        "entries": entries,
        "unfit": {results: doubts.unfit(results) for results in measured},
        "quoted": [results for results in everything if results.quoted],
        "histories": [history.steps(group) for group in history.groups(everything) if len(group) > 1],
        "links": {r: pathlib.Path(r.file).resolve().relative_to(folder).as_posix() for r in everything},
        "number": units.plain_number,
        "percents": units.percents,
        "factor": units.factor,
    }
    pathlib.Path(page).write_text(pages.render("results.html.j2", **values), encoding="utf-8")
    return len(entries)
