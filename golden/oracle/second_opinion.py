"""The generated tables against mpmath: the oracle has integers and roots, mpmath has floating point and logarithms.

mpmath computes with 400 bits, and no two different numbers of these tables are closer than about 2^-120 of each other,
relative to their size, so every comparison below is decided.
"""

import csv
from collections import Counter

import mpmath

from oracle.arithmetic import FORMATS, WIDTHS

PRECISION = 400  # bits


def real(pattern, fmt):
    """The exact value of a bit pattern."""
    sign, magnitude = pattern & fmt.sign, pattern & ~fmt.sign
    m, q = fmt.integers(magnitude)
    return mpmath.ldexp(-m if sign else m, q)


def is_nearest(pattern, exact, fmt):
    error = abs(real(pattern, fmt) - exact)
    return all(error < abs(real(neighbour, fmt) - exact) for neighbour in (pattern - 1, pattern + 1))


def ladder_claims(row, width, fmt):
    e = int(row["exponent"])
    value, below, above = (row[f"{fmt.name}_{column}"] for column in ("value", "below", "above"))
    yield "values", is_nearest(int(value, 16), mpmath.power(2, mpmath.mpf(e) / width.steps), fmt)
    if below:
        threshold = mpmath.power(2, mpmath.mpf(2 * e - 1) / (2 * width.steps))
        yield "thresholds", int(above, 16) == int(below, 16) + 1 and (
            real(int(below, 16), fmt) < threshold < real(int(above, 16), fmt))


def delta_claims(row, width, fmt):
    delta = int(row["delta"])
    smallest = int(row[f"{fmt.name}_smallest_max"], 16)
    if delta > -width.limit:
        step = mpmath.power(2, mpmath.mpf(delta + width.top) / width.steps)
        yield "smallest maxima", real(smallest - 1, fmt) < step <= real(smallest, fmt)
    for sign, low in (("positive", delta), ("negative", delta + 1)):
        zero, kept = (abs(real(int(row[f"{fmt.name}_{sign}_{column}"], 16), fmt)) for column in ("zero", "kept"))
        yield "zero borders", zero <= mpmath.power(2, mpmath.mpf(low) / width.steps) / 2 < kept


def verify(folder):
    """How many claims of each kind hold. Raises ArithmeticError at the first that does not."""
    counts = Counter()
    with mpmath.workprec(PRECISION):
        for width in WIDTHS.values():
            for table, claims in (("ladder", ladder_claims), ("deltas", delta_claims)):
                with open(folder / f"{table}_{width.bits}.csv", newline="", encoding="ascii") as file:
                    for row in csv.DictReader(file):
                        for fmt in FORMATS.values():
                            for kind, holds in claims(row, width, fmt):
                                if not holds:
                                    raise ArithmeticError(f"{file.name}: {kind} of {fmt.name} in {row}")
                                counts[kind] += 1
    return counts
