"""What can go wrong: one exception for each status of the library, all of them a `GfpqError`."""

from __future__ import annotations


class GfpqError(RuntimeError):
    """An error of the library, or of this package's use of it.

    `status` is the library's code (a negative int, as in gfpq.hpp), or None where the library was not the one to fail.
    """

    status: int | None = None


class GenericError(GfpqError):
    """GFPQ_ERR_GENERIC, 0xFFFF0000; also what a code that gfpq.hpp does not list becomes."""


class BadFormatError(GfpqError, ValueError):
    """GFPQ_ERR_BAD_FORMAT, 0xFFFF0005: there is no such bit width."""


class BadParametersError(GfpqError, ValueError):
    """GFPQ_ERR_BAD_PARAMETERS, 0xFFFF0006: no data, an unknown mode, or a Param that holds nothing valid."""


class OutOfMemoryError(GfpqError, MemoryError):
    """GFPQ_ERR_OUT_OF_MEMORY, 0xFFFF000C."""


class ShortBufferError(GfpqError):
    """GFPQ_ERR_SHORT_BUFFER, 0xFFFF0010."""


class NotSupportedError(GfpqError, NotImplementedError):
    """GFPQ_ERR_NOT_SUPPORT, 0xFFFF0011: this library, machine or GPU cannot do it."""


class LibraryNotFoundError(GfpqError, ImportError):
    """There is no shared library that can be loaded, and the text says where it was looked for; or no protobuf."""


class NotInitializedError(GfpqError):
    """A tensor is to be quantized with a Param that no data was seen for yet."""


_BY_STATUS: dict[int, type[GfpqError]] = {
    0xFFFF0000: GenericError,
    0xFFFF0005: BadFormatError,
    0xFFFF0006: BadParametersError,
    0xFFFF000C: OutOfMemoryError,
    0xFFFF0010: ShortBufferError,
    0xFFFF0011: NotSupportedError,
}


def error_of(status: int, message: str | None = None) -> GfpqError:
    """The exception for a status other than 0, with the library's message as its text where there is one."""
    code = status & 0xFFFFFFFF
    kind = _BY_STATUS.get(code, GenericError)
    error = kind(message or f"the library returned 0x{code:08X} ({kind.__name__})")
    error.status = status
    return error


def some(names: list[str]) -> str:
    """The first names, for a message."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
