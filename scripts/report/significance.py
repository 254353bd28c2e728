"""Tells whether one set of timings is faster than another, or that it cannot be told."""

import dataclasses
import statistics

ALPHA = 0.05  # chance that any row at all of a comparison without differences is called faster or slower
MINIMUM_EFFECT = 0.03  # of the median: smaller differences are of no interest, however certain
MINIMUM_REPETITIONS = 9

FASTER, SLOWER, CANNOT_TELL = "faster", "slower", "cannot tell"


@dataclasses.dataclass
class Comparison:
    """The same row twice. `old` and `new` hold a value for each repetition, smaller is faster; `old_second` and
    `new_second` hold the same in another unit, or nothing. `p` is corrected for the number of rows."""

    name: str
    old: list
    new: list
    old_second: list = None
    new_second: list = None
    verdict: str = CANNOT_TELL
    why: str = ""
    p: float = None

    @property
    def old_median(self):
        return statistics.median(self.old)

    @property
    def new_median(self):
        return statistics.median(self.new)

    @property
    def ratio(self):
        return self.new_median / self.old_median

    @property
    def second_ratio(self):
        """None where there is no second unit."""
        if not self.old_second or not self.new_second:
            return None
        return statistics.median(self.new_second) / statistics.median(self.old_second)

    @property
    def ratios(self):
        return [self.ratio] + ([] if self.second_ratio is None else [self.second_ratio])

    def uncorrected_p(self):
        """Of two units the less certain one counts: both have to show the difference."""
        p = rank_test(self.old, self.new)
        return p if self.second_ratio is None else max(p, rank_test(self.old_second, self.new_second))


def rank_test(old, new):
    """Two-sided p of the Mann-Whitney U test; exact unless values are tied."""
    from scipy.stats import mannwhitneyu  # large, and for comparisons alone

    tied = len(set(old) | set(new)) < len(old) + len(new)
    return float(mannwhitneyu(old, new, alternative="two-sided", method="asymptotic" if tied else "exact").pvalue)


def holm(p_values):
    """The p values corrected for their number (Holm-Bonferroni), in the order given."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def judge(row, alpha, minimum_effect):
    """(verdict, why not) of a row whose p is known."""
    if all(ratio >= 1 + minimum_effect for ratio in row.ratios) and row.p < alpha:
        return SLOWER, ""
    if all(ratio <= 1 - minimum_effect for ratio in row.ratios) and row.p < alpha:
        return FASTER, ""
    if min(row.ratios) < 1 - minimum_effect and max(row.ratios) > 1 + minimum_effect:
        return CANNOT_TELL, "the machine's own speed changed too, and more"
    if any(abs(ratio - 1) < minimum_effect for ratio in row.ratios):
        return CANNOT_TELL, f"below {100 * minimum_effect:.3g} % of the median"
    return CANNOT_TELL, f"could be chance, p = {row.p:.2g}"


def compare(
    old,
    new,
    alpha=ALPHA,
    minimum_effect=MINIMUM_EFFECT,
    minimum_repetitions=MINIMUM_REPETITIONS,
    old_second=None,
    new_second=None,
):
    """One Comparison for each name in both; `old` and `new` map a name to its durations, one a repetition, and
    `old_second` and `new_second` to the same durations in another unit, where there is one."""
    old_second, new_second = old_second or {}, new_second or {}
    rows = [
        Comparison(name, list(old[name]), list(new[name]), old_second.get(name), new_second.get(name))
        for name in old
        if name in new
    ]
    enough = [row for row in rows if min(len(row.old), len(row.new)) >= minimum_repetitions]
    for row, p in zip(enough, holm([row.uncorrected_p() for row in enough])):
        row.p = p
        row.verdict, row.why = judge(row, alpha, minimum_effect)
    for row in rows:
        if row.p is None:
            row.why = f"too few repetitions: {len(row.old)} and {len(row.new)}, {minimum_repetitions} needed"
    return rows
