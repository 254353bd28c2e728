"""What is told of the repetitions of a measurement: their median, the interval that holds the true one."""

from __future__ import annotations

import dataclasses
import math
import statistics

COVERAGE = 0.95  # that an interval of the median is to have, where there are enough repetitions
WIDE = 1.5  # largest / smallest repetition of numbers that are not to be relied on


def order_statistics(number):
    """(how many to leave out at each end of so many sorted values, coverage): the narrowest interval of order statistics
    that holds the median of what they are samples of with at least COVERAGE, whatever the distribution; all of them
    where they are too few for that. The number of samples below the median is binomial."""
    coverage = 1 - 2 / 2**number
    for left_out in range((number - 1) // 2):
        narrower = coverage - 2 * math.comb(number, left_out + 1) / 2**number
        if narrower < COVERAGE:
            return left_out, coverage
        coverage = narrower
    return (number - 1) // 2, coverage


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median of the repetitions, the interval that holds the true one, and the smallest and largest of them."""

    median: float
    low: float
    high: float
    repetitions: int
    smallest: float
    largest: float

    @classmethod
    def of(cls, values):
        ordered = sorted(values)
        left_out, _ = order_statistics(len(ordered))
        ends = ordered[left_out], ordered[-1 - left_out], len(ordered), ordered[0], ordered[-1]
        return cls(statistics.median(ordered), *ends)

    @classmethod
    def exactly(cls, value):
        """A value without a spread of its own."""
        return cls.of([value])

    def scaled(self, factor):
        values = (value * factor for value in (self.median, self.low, self.high, self.smallest, self.largest))
        median, low, high, smallest, largest = values
        return Spread(median, low, high, self.repetitions, smallest, largest)

    @property
    def is_wide(self):
        return self.largest > WIDE * self.smallest


@dataclasses.dataclass(frozen=True)
class Factor:
    """Times as fast as another library: the median, or, where repetitions are too far apart to tell it, the lower end of
    its interval."""

    value: float
    is_certain: bool
