"""What the mapper and the simulator dump: the files of mapper_quant/, their names and numbers. See gfpq.nnie.facts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import FileError, naming
from ..widths import WIDTHS
from . import facts

Array = NDArray[Any]
ZERO = np.iinfo(np.int32).min  # the exponent that stands for the number 0
_SHAPE = r"_(\d+)_(\d+)_(\d+)"
_FORMS = [  # what a file's name tells: the tensor, and how its numbers are written
    (re.compile(rf"(.+)_(input)(\d+){_SHAPE}{re.escape(facts.INPUT_HEX)}"), "code"),
    (re.compile(rf"(.+)_(input)(\d+){_SHAPE}{re.escape(facts.INPUT_FLOAT)}"), "float"),
    (re.compile(rf"(.+)_(output)(\d+){_SHAPE}{re.escape(facts.OUTPUT_HEX)}"), "linear"),
    (re.compile(rf"(.+?)_(weight)(){re.escape(facts.WEIGHT_HEX[7:])}"), "code"),
    (re.compile(rf"(.+?)_(weight)(){re.escape(facts.WEIGHT_FLOAT[7:])}"), "float"),
    (re.compile(rf"(.+?)_(bias)(){re.escape(facts.BIAS_HEX[5:])}"), "unknown"),
]


@dataclass(frozen=True)
class Dump:
    """A file: of which layer (by `key`), which tensor ("input", "weight", "output", "bias") and which of them."""

    file: Path
    layer: str
    tensor: str
    number: int
    shape: tuple[int, ...]  # channels, rows, columns; empty where the name does not tell
    form: str  # "code", "float", "linear" (20.12), "unknown"


@dataclass
class Codes:
    """Quantized numbers as the chip has them: signs (-1, 1), codes k, and where the number is 0."""

    signs: Array
    codes: Array
    zeros: Array
    bits: int

    def exponents(self, delta: int) -> Array:
        """delta + k, and ZERO for zeros."""
        return np.where(self.zeros, ZERO, delta + self.codes)


def key_of(name: str) -> str:
    """A layer's name as it stands in file names: / becomes _; other signs are taken for _ too."""
    return re.sub(r"\W", "_", name)


def find(folder: Path) -> tuple[list[Dump], list[str]]:
    """The dumps in a folder, and the names of other files. Raises FileError."""
    found, others = [], []
    with naming(folder):
        files = sorted(file for file in folder.iterdir() if file.is_file())
    for file in files:
        for pattern, form in _FORMS:
            match = pattern.fullmatch(file.name)
            if match:
                name, tensor, number, *shape = match.groups()
                found.append(Dump(file, key_of(name), tensor, int(number or 0), tuple(map(int, shape)), form))
                break
        else:
            others.append(file.name)
    return found, others


def read_floats(dump: Dump) -> Array:
    """Dequantized numbers, one a line."""
    with naming(dump.file):
        return np.array([float(word) for word in dump.file.read_text().split()])


def read_linear(dump: Dump) -> Array:
    """Outputs: hexadecimal, 32 bit, two's complement, 20.12."""
    with naming(dump.file):
        digits, words = _read_hex(dump.file)
        if digits != 8:
            raise FileError(dump.file, f"has words of {digits} hexadecimal digits, and outputs have 32 bit")
        return words.astype(np.int32) / facts.OUTPUT_STEPS


def read_codes(dump: Dump) -> Codes:
    """Quantized numbers: 2 hexadecimal digits of 8 bit, 4 of 16."""
    with naming(dump.file):
        digits, words = _read_hex(dump.file)
        bits = 4 * digits
        if bits not in WIDTHS:
            raise FileError(dump.file, f"has words of {digits} hexadecimal digits: 2 for 8 bit, 4 for 16")
        values = words.astype(np.int64)
        sign = _sign_of(values, bits)
        codes = np.where(values < 2 * sign, values & (sign - 1), values)
        if codes.max(initial=0) > WIDTHS[bits].largest_code:
            raise FileError(dump.file, f"has the code {codes.max():#x}, beyond {WIDTHS[bits].largest_code:#x}")
        negative = (values & sign) != 0
        return Codes(np.where(negative, -1, 1), codes, negative & (codes == 0), bits)


def _read_hex(file: Path) -> tuple[int, Array]:
    """How many digits a file's words have, and the words."""
    words = file.read_text().lower().split()
    words = [word[2:] for word in words] if words and words[0].startswith("0x") else words
    digits = {len(word) for word in words}
    if len(digits) != 1 or digits - {2, 4, 8}:
        raise FileError(file, f"has words of {', '.join(map(str, sorted(digits))) or 'no'} hexadecimal digits")
    (width,) = digits
    return width, np.frombuffer(bytes.fromhex("".join(words)), f">u{width // 2}")


def _sign_of(values: Array, bits: int) -> int:
    """The sign's place. In 16 bit it is not told, and taken from the numbers: both can't be in use."""
    if bits == 8:
        return facts.SIGN_8
    top, above = facts.SIGN_16
    return top if (values & top).any() else above


def delta_of(codes: Codes, floats: Array) -> int | None:
    """The delta with which codes stand for these numbers; None where there is none."""
    used = ~codes.zeros & (floats != 0)
    if codes.codes.size != floats.size or not used.any():
        return None
    deltas = np.rint(exponents_of(floats[used], codes.bits) - codes.codes[used]).astype(int)
    values, counts = np.unique(deltas, return_counts=True)
    return int(values[counts.argmax()])


def exponents_of(numbers: Array, bits: int) -> Array:
    """The exponents e of numbers +-2^(e/S), and ZERO for 0."""
    size = np.abs(np.asarray(numbers, "f8"))
    exponents = np.rint(WIDTHS[bits].steps * np.log2(np.where(size == 0, 1, size))).astype(int)
    return np.where(size == 0, ZERO, exponents)
