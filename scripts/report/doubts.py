"""What speaks against a file's numbers: a reader should not have to find out."""

from report import picture, style
from report.significance import MINIMUM_REPETITIONS

ABOVE_LIMIT = 1.10  # a call that beats its limit by more than this shows that one of the two was measured badly
WIDE = 1.5  # largest / smallest repetition


def doubts(results):
    """Sentences about one measured file; none is a good sign."""
    found = []
    rows = [row for row in results.rows.values() if row.kind == "quantize" and row.lib == "ours"]
    above = [row for row in rows if row.has("limit_ratio") and row.spread("limit_ratio").median > ABOVE_LIMIT]
    if above:
        worst = max(above, key=lambda row: row.spread("limit_ratio").median)
        found.append(
            f"{len(above)} of {len(rows)} rows are more than {100 * (ABOVE_LIMIT - 1):.0f} % faster than their own"
            f" limit, which cannot be ({worst.name}: {style.percent(worst.spread('limit_ratio').median)}): the machine"
            " was busy, or the limit is not one."
        )
    shown = picture.main_rows(results)
    wide = [row for row in shown if row.time.high > WIDE * row.time.low]
    if wide:
        found.append(
            f"In {len(wide)} of the {len(shown)} rows of the overview the slowest repetition took over {WIDE} times as"
            " long as the fastest."
        )
    few = [row for row in rows if len(row.times) < MINIMUM_REPETITIONS]
    if few:
        found.append(f"{len(few)} of {len(rows)} rows have fewer than {MINIMUM_REPETITIONS} repetitions.")
    load, cpus = results.fact("load_avg"), results.fact("num_cpus")
    if load and cpus and load[0] > 0.5 * cpus:
        found.append(f"When the run began, the load was {load[0]:.1f} on {cpus} CPUs: other programs were running.")
    if results.fact("project_revision") is None:
        found.append("The revision of the benchmark program is not known.")
    if results.errors:
        found.append(f"{len(results.errors)} rows failed; they are listed below.")
    return found
