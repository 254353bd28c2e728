"""The digests in generated/digest.csv: one hash each of what a mixed workload leaves behind. README.md defines it."""

import hashlib
import struct

from .arithmetic import FORMATS, WIDTHS, delta_used, maximum, parameter_block, quantize

CHAINS = 16
MODES = ("init", "apply", "update", "apply", "update", "null")
SHORT, LONG = 400, 1 << 21
PERIOD = 4099
MASK = (1 << 64) - 1


def split_mix_64():
    """Sebastiano Vigna's SplitMix64, from state 0."""
    state = 0
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        yield z ^ z >> 31


def number(draw, octave, fmt):
    kind, negative, down, mantissa = draw & 127, draw >> 7 & 1, draw >> 8 & 15, draw >> (65 - fmt.precision)
    if kind == 0:
        magnitude = 0
    elif kind == 1:
        magnitude = fmt.infinity + mantissa | 1  # NaN
    elif kind == 2:
        magnitude = mantissa  # denormal
    else:
        magnitude = (fmt.bias + octave - down) * fmt.smallest_normal + mantissa
    return (fmt.sign if negative else 0) + magnitude


def workload_digest(width, fmt):
    draws = split_mix_64()
    digest = hashlib.sha256()
    for chain in range(CHAINS):
        stored = None
        for mode in MODES:
            octave = next(draws) % 80 - 36
            length = next(draws) % SHORT + (LONG if chain == CHAINS - 1 and mode == "init" else 0)
            next(draws)  # the offset: it changes no result
            data = [number(next(draws), octave, fmt) for _ in range(min(length, PERIOD))]
            delta = delta_used(mode, stored, maximum(data, fmt), width, fmt)
            results = [quantize(x, delta, width, fmt) for x in data]
            output = struct.pack(f"<{len(results)}{fmt.pattern_code}", *results)
            digest.update((output * (length // PERIOD + 1))[: length * fmt.size // 8])
            if mode != "null":
                stored = delta
                digest.update(parameter_block(delta))
    return digest.hexdigest()


def digest_rows():
    yield ["bits", "dtype", "sha256"]
    for width in WIDTHS.values():
        for fmt in FORMATS.values():
            yield [width.bits, fmt.name, workload_digest(width, fmt)]
