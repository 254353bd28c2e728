"""The quantization parameter of one tensor."""

from __future__ import annotations

import ctypes
import struct
from decimal import Decimal, localcontext
from enum import IntEnum

from . import library
from .errors import BadParametersError, NotInitializedError
from .widths import DEFAULT_BITS, WIDTHS, width_of


class Mode(IntEnum):
    """Where a call takes delta from."""

    INIT = 0  # the data; what the Param held does not matter
    UPDATE = 1  # the larger of the Param's and the data's: the wider range
    APPLY = 2  # the Param, which stays as it is


class Param:
    """The quantization parameter of one tensor: the integer delta, for one bit width.

    With it the tensor's numbers become +2^((delta+k)/S) for k = 0 ... K, -2^((delta+k)/S) for k = 1 ... K, or +0.
    A new Param holds nothing; a call with Mode.INIT or Mode.UPDATE writes to it. `bits` is the width that it was made
    for: its 16 bytes do not tell, and a delta means another range for the other width.

    A Param may be pickled and copied. Two are equal where bits and the 16 bytes are. Calls of two threads at once must
    not share one.
    """

    __slots__ = ("_bits", "_reference", "_struct")

    def __init__(self, bits: int = DEFAULT_BITS) -> None:
        width_of(bits)
        self._bits = bits
        self._struct = library.ParamStruct()
        self._reference = ctypes.byref(self._struct)

    @classmethod
    def from_delta(cls, delta: int, bits: int = DEFAULT_BITS) -> Param:
        """The Param that holds this delta. Raises BadParametersError where it lies beyond the width's range."""
        limit = width_of(bits).delta_limit
        if not -limit <= delta <= limit:
            raise BadParametersError(f"delta {delta} lies outside -{limit} to {limit}, the range for {bits} bit")
        return cls.from_bytes(_encode(delta), bits)

    @classmethod
    def from_bytes(cls, block: bytes, bits: int = DEFAULT_BITS) -> Param:
        """The Param of 16 bytes: valid ones, or 16 zeros for one that holds nothing.

        Raises BadParametersError for any others, and for a delta beyond the width's range.
        """
        param = cls(bits)
        param._load(bytes(block))
        return param

    def _load(self, block: bytes) -> None:
        if len(block) != library.BLOCK_LENGTH:
            raise BadParametersError(f"a parameter block has {library.BLOCK_LENGTH} bytes, not {len(block)}")
        if any(block):
            (delta,) = struct.unpack_from("<i", block, 4)
            limit = WIDTHS[self._bits].delta_limit
            if block != _encode(delta):
                raise BadParametersError(f"the parameter block {block.hex()} is damaged: its words disagree")
            if not -limit <= delta <= limit:
                raise BadParametersError(
                    f"the parameter block's delta {delta} lies outside -{limit} to {limit}, the range for "
                    f"{self._bits} bit; was the block made for the other bit width?"
                )
        self._struct.buf[:] = block

    @property
    def bits(self) -> int:
        """The bit width."""
        return self._bits

    @property
    def initialized(self) -> bool:
        """Whether it holds a delta."""
        return any(self._struct.buf)

    @property
    def delta(self) -> int:
        """The exponent of the smallest positive value, in units of 1/S octave. Raises NotInitializedError."""
        if not self.initialized:
            raise NotInitializedError("this Param holds no delta yet: pass it to a call with Mode.INIT first")
        return int(struct.unpack_from("<i", bytes(self), 4)[0])

    @property
    def largest(self) -> float:
        """The largest value, 2^((delta+K)/S), also called the clip value. The range is -largest ... largest."""
        return power_of_two(self.delta + WIDTHS[self._bits].largest_code, WIDTHS[self._bits].steps)

    @property
    def smallest(self) -> float:
        """The smallest positive value, 2^(delta/S). (The smallest negative one is a step larger.)"""
        return power_of_two(self.delta, WIDTHS[self._bits].steps)

    def merge(self, other: Param) -> Param:
        """A new Param with the wider of the two ranges. One that holds nothing adds nothing.

        Raises ValueError where the bit widths differ.
        """
        if other.bits != self.bits:
            raise ValueError(f"a Param for {self.bits} bit and one for {other.bits} bit have no common range")
        wider = max((self, other), key=lambda param: param.delta if param.initialized else -(1 << 31))
        return Param.from_bytes(bytes(wider), self.bits)

    def __bytes__(self) -> bytes:
        return bytes(self._struct.buf)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Param):
            return NotImplemented
        return self.bits == other.bits and bytes(self) == bytes(other)

    __hash__ = None  # type: ignore[assignment]  # its content changes

    def __reduce__(self) -> tuple[object, ...]:
        return Param.from_bytes, (bytes(self), self.bits)

    def __repr__(self) -> str:
        if not self.initialized:
            return f"Param(bits={self.bits}, holds nothing yet)"
        return f"Param(bits={self.bits}, delta={self.delta}, {self.smallest:.6g} ... {self.largest:.6g})"


def power_of_two(exponent: int, steps: int) -> float:
    """2^(exponent/steps), correctly rounded."""
    if exponent % steps == 0:
        return 2.0 ** (exponent // steps)
    with localcontext() as context:
        context.prec = 50
        return float(Decimal(2) ** (Decimal(exponent) / steps))


def _encode(delta: int) -> bytes:
    """The block that the library writes: delta, and three words of check bits around it."""
    word = 0xFFFFFFFF
    x = ~delta & word
    check = (x << 3 | x << 11 | x << 21 | x << 27) & word
    return struct.pack("<4I", check, delta & word, check ^ 0xA5A5A5A5, check ^ 0x5A5A5A5A)
