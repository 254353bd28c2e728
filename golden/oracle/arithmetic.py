"""The arithmetic of GFPQ, exactly: the project's second definition of it, independent of the C++ one.

There is no floating point here. A float or double is its bit pattern, and every question about a real number 2^(n/d)
or d*log2(m) is put to integers, which answer exactly, so that correct rounding needs no error analysis:

    floor(d * log2(m))   = number of bits of m^d, less one
    floor(2^(n/d + p))   = the d-th root of 2^(n + d*p), rounded down; d is a power of two: square roots of square roots
"""

import struct
from dataclasses import dataclass
from functools import cache
from math import isqrt


@dataclass(frozen=True)
class Width:
    """A bit width: the representable magnitudes are 2^((delta + k) / steps), k = 0 ... top."""

    bits: int
    steps: int  # S, steps per octave
    top: int  # K, the largest code
    limit: int  # R: delta lies in [-limit, limit]


@dataclass(frozen=True)
class Format:
    """A binary floating-point format. A number is its bit pattern; magnitudes are ordered as their patterns are."""

    name: str
    size: int  # bits
    precision: int  # bits of the significand, with the hidden one
    pattern_code: str  # struct's letter for the pattern
    number_code: str  # struct's letter for the number

    @property
    def sign(self):
        return 1 << (self.size - 1)

    @property
    def bias(self):
        return (1 << (self.size - self.precision - 1)) - 1

    @property
    def smallest_normal(self):
        return 1 << (self.precision - 1)

    @property
    def infinity(self):
        return self.sign - self.smallest_normal

    def pattern(self, number):
        """The bit pattern of the number nearest to a Python float."""
        return struct.unpack(f"<{self.pattern_code}", struct.pack(f"<{self.number_code}", number))[0]

    def number(self, pattern):
        return struct.unpack(f"<{self.number_code}", struct.pack(f"<{self.pattern_code}", pattern))[0]

    def hex(self, pattern):
        return f"{pattern:0{self.size // 4}x}"

    def integers(self, magnitude):
        """(m, q) with magnitude = m * 2^q; magnitude is positive and finite, denormals too."""
        exponent, fraction = divmod(magnitude, self.smallest_normal)
        significand = fraction + self.smallest_normal if exponent else fraction
        return significand, max(exponent, 1) - self.bias - (self.precision - 1)


WIDTHS = {
    8: Width(8, steps=16, top=127, limit=511),
    16: Width(16, steps=128, top=1407, limit=4095),
}
FORMATS = {
    "f32": Format("f32", 32, 24, "I", "f"),
    "f64": Format("f64", 64, 53, "Q", "d"),
}


# --- exact logarithms and powers --------------------------------------------------------------------------------------


@cache
def log2_floor(factor, magnitude, fmt):
    """floor(factor * log2(magnitude))."""
    m, q = fmt.integers(magnitude)
    return (m**factor).bit_length() - 1 + factor * q


@cache
def log2_ceil(factor, magnitude, fmt):
    """ceil(factor * log2(magnitude))."""
    m, q = fmt.integers(magnitude)
    return (m**factor - 1).bit_length() + factor * q


@cache
def root_floor(n, d, p):
    """floor(2^(n/d + p)), d a power of two."""
    root = 1 << (n + d * p)
    while d > 1:
        root, d = isqrt(root), d // 2
    return root


def power_floor(n, d, fmt):
    """The largest number <= 2^(n/d)."""
    octave, step = divmod(n, d)
    return assemble(octave, root_floor(step, d, fmt.precision - 1), fmt)


def power_ceil(n, d, fmt):
    """The smallest number >= 2^(n/d)."""
    return power_floor(n, d, fmt) + (0 if n % d == 0 else 1)


def power_nearest(n, d, fmt):
    """The number nearest to 2^(n/d). There is no tie: 2^(n/d) is a power of two or irrational."""
    octave, step = divmod(n, d)
    return assemble(octave, (root_floor(step, d, fmt.precision) + 1) >> 1, fmt)


def assemble(octave, significand, fmt):
    # Added, not or-ed: the significand's leading bit is the one that the exponent field lacks here.
    return (octave + fmt.bias - 1) * fmt.smallest_normal + significand


# --- GFPQ -------------------------------------------------------------------------------------------------------------


def ladder_value(e, width, fmt):
    """2^(e/S), correctly rounded."""
    return power_nearest(e, width.steps, fmt)


def nearest_exponent(magnitude, width, fmt):
    """The integer nearest to S*log2(magnitude). There is no tie: 2^((2e-1)/2S) is irrational."""
    return (log2_floor(2 * width.steps, magnitude, fmt) + 1) // 2


def quantize(x, delta, width, fmt):
    """Quantizes and dequantizes one number."""
    sign, magnitude = x & fmt.sign, x & ~fmt.sign
    low, high = delta + (1 if sign else 0), delta + width.top
    if magnitude == 0 or magnitude > fmt.infinity:  # zero or NaN
        return 0
    if magnitude == fmt.infinity:
        return sign | ladder_value(high, width, fmt)
    if log2_ceil(width.steps, magnitude, fmt) <= low - width.steps:  # |x| <= 2^(low/S) / 2
        return 0
    e = nearest_exponent(magnitude, width, fmt)
    return sign | ladder_value(min(max(e, low), high), width, fmt)


def maximum(data, fmt):
    """The largest magnitude, NaN left out; 0 where there is none."""
    magnitudes = (x & ~fmt.sign for x in data)
    return max((m for m in magnitudes if m <= fmt.infinity), default=0)


def delta_from_maximum(m, width, fmt):
    if m == fmt.infinity:
        return width.limit
    delta = log2_floor(width.steps, m or fmt.pattern(1e-6), fmt) - width.top
    return min(max(delta, -width.limit), width.limit)


def delta_used(mode, stored, m, width, fmt):
    """The delta of one call on data whose maximum is m."""
    if mode == "apply":
        return stored
    from_data = delta_from_maximum(m, width, fmt)
    return max(stored, from_data) if mode == "update" else from_data


def parameter_block(delta):
    """The 16 bytes that carry delta."""
    x = ~delta
    w0 = (x << 3 | x << 11 | x << 21 | x << 27) & 0xFFFFFFFF
    return struct.pack("<IiII", w0, delta, w0 ^ 0xA5A5A5A5, w0 ^ 0x5A5A5A5A)
