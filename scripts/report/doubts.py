"""Reasons to doubt a file's numbers: a reader should not have to find them out."""

import math
import statistics

from report import picture, units
from report.benchmark import DIFFERENCE
from report.significance import MINIMUM_REPETITIONS
from report.spread import WIDE

ABOVE_LIMIT = 1.10  # a call that beats its limit by more than this shows that one of the two was measured badly
OTHERS = 0.05  # of the CPU time of a run, used by other programs
STEAL = 0.02  # of the CPU time, given to other machines by the hypervisor
CALIBRATION = 0.05  # by which a fixed loop may differ between a run's start and its end: of a GPU, the limits
SHARE_OF_ROWS = 0.05  # that may contradict others in a file that is fit to be published


def contradictions(results):
    """{row name: sentences}: rows that cannot be as measured if the others of the same run are."""
    found = {}

    def note(row, sentence):
        found.setdefault(row.name, []).append(sentence)

    def differs(ratio):
        return not 1 / (1 + DIFFERENCE) < ratio < 1 + DIFFERENCE

    by_work = {tuple(sorted(row.keys.items())): row for row in results.rows.values()}

    def other(row, key, value):
        return by_work.get(tuple(sorted({**row.keys, key: value}.items())))

    for row in results.rows.values():
        # A peer's calls may take so long that the limit beside them finds nothing as it left it: theirs is the best one.
        is_peer = row.keys.get("lib") == "peer"
        if not is_peer and row.best_limit is not None and row.limit > (1 + DIFFERENCE) * row.best_limit:
            note(row, f"the limit beside it took {row.limit / row.best_limit:.2f} times as long as the best that this run"
                      " measured for the same bytes")  # fmt: skip
        if row.kind == "limit" and row.keys["type"] == "f64" and row.cache == "cold":
            floats = other(row, "type", "f32")
            if floats is not None:
                ratio = row.time.median / (2 * floats.time.median)
                if differs(ratio):
                    note(row, f"it takes {ratio:.2f} times as long a byte as for floats")
        if row.keys.get("bits") == "8":
            wide = other(row, "bits", "16")
            if wide is not None and row.time.median > (1 + DIFFERENCE) * wide.time.median:
                note(row, f"16 bit took {row.time.median / wide.time.median:.2f} times less time, and does more")
        if row.keys.get("mode") == "init":
            update = other(row, "mode", "update")
            if update is not None:
                ratio = update.time.median / row.time.median
                if differs(ratio):
                    note(row, f"UPDATE took {ratio:.2f} times as long, and does the same")
    return found


def unfit(results):
    """Why a file is not fit to be published, in sentences; none where it is."""
    found = contradictions(results)
    main = [row.name for row in picture.main_rows(results) if row.name in found]
    reasons = [f"{name}: {'; '.join(found[name])}." for name in main]
    if len(found) > SHARE_OF_ROWS * len(results.rows):
        reasons.append(f"{len(found)} of {len(results.rows)} rows contradict others of the same run.")
    return reasons + beside_contradictions(results)


def _of_the_cpu(results):
    """Times as long a fixed loop took on the CPU at the end of the run as at its start. None where the file does not
    tell."""
    start, end = (results.run.get(f"calibration_{when}_ns") for when in ("start", "end"))
    return end / start if start and end else None


def _of_the_gpu(results):
    """The same of a GPU: of the limits from memory or those from the cache, whichever changed more."""
    ratios = {}
    for row in results.select(kind="limit"):
        if third := len(row.times) // 3:
            ratio = statistics.median(row.times[-third:]) / statistics.median(row.times[:third])
            ratios.setdefault(row.cache, []).append(ratio)
    return max(map(statistics.median, ratios.values()), key=lambda ratio: abs(math.log(ratio)), default=None)


def _has_changed(ratio):
    return ratio is not None and not 1 / (1 + CALIBRATION) < ratio < 1 + CALIBRATION


def of_the_run(results):
    """Sentences about what happened on the machine during the run, as far as the file tells."""
    found, run = [], results.run
    if run.get("steal_share", 0) > STEAL:
        found.append(f"The hypervisor gave {units.percent(run['steal_share'])} of the CPU time to other machines.")
    if run.get("others_share", 0) > OTHERS:
        found.append(f"Other programs used {units.percent(run['others_share'])} of the CPU time during the run.")
    if results.is_gpu and _has_changed(ratio := _of_the_gpu(results)):
        found.append(f"The limits took {ratio:.2f} times as long in the last rounds as in the first: the speed of the GPU"
                     " changed.")  # fmt: skip
    if not results.is_gpu and _has_changed(ratio := _of_the_cpu(results)):
        found.append(f"A fixed loop took {ratio:.2f} times as long at the end of the run as at its start: the speed"
                     " of the CPU changed.")  # fmt: skip
    return found


def doubts(results):
    """Sentences about one measured file; none is a good sign. All but single rows' contradictions, and what concerns the
    CPU's part of a GPU's calls alone, make it unfit."""
    found = contradictions(results)
    told = []
    if found:
        name, sentences = next(iter(found.items()))
        told.append(
            f"{len(found)} of {len(results.rows)} rows contradict others of the same run by more than"
            f" {100 * DIFFERENCE:.0f} %, each marked below ({name}: {sentences[0]})."
        )
    if results.is_gpu and _has_changed(ratio := _of_the_cpu(results)):
        told.append(f"A fixed loop on the CPU took {ratio:.2f} times as long at the end of the run as at its start: the times"
                    " until a call returns are doubtful.")  # fmt: skip
    return told + beside_contradictions(results)


def beside_contradictions(results):
    found = []
    rows = [row for row in results.rows.values() if row.kind == "quantize" and row.lib == "ours"]
    above = [row for row in rows if row.has("best_limit_ratio") and row.spread("best_limit_ratio").median > ABOVE_LIMIT]
    if above:
        worst = max(above, key=lambda row: row.spread("best_limit_ratio").median)
        found.append(
            f"{len(above)} of {len(rows)} rows are more than {100 * (ABOVE_LIMIT - 1):.0f} % faster than their own"
            f" limit, which cannot be ({worst.name}: {units.percent(worst.spread('best_limit_ratio').median)}): the machine"
            " was busy, or the limit is not one."
        )
    shown = picture.main_rows(results)
    wide = [row for row in shown if row.time.is_wide]
    if wide:
        found.append(
            f"In {len(wide)} of the {len(shown)} rows of the overview the slowest repetition took over {WIDE} times as"
            " long as the fastest."
        )
    few = [row for row in rows if len(row.times) < MINIMUM_REPETITIONS]
    if few:
        found.append(f"{len(few)} of {len(rows)} rows have fewer than {MINIMUM_REPETITIONS} repetitions.")
    load, cpus = results.fact("load_avg"), results.fact("num_cpus")
    is_told_of_the_run = results.run.get("others_share") is not None  # which the load before it says nothing of
    if load and cpus and load[0] > 0.5 * cpus and not is_told_of_the_run:
        found.append(
            f"When the run began, the load was {load[0]:.1f} on {cpus} CPUs: other programs were running, or had just ended."
        )
    found += of_the_run(results)
    if results.fact("project_revision") is None:
        found.append("The revision of the benchmark program is not known.")
    if results.errors:
        found.append(f"{len(results.errors)} rows failed; they are listed below.")
    return found
