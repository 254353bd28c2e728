"""Reading and writing the command line's files. What goes wrong with one is a FileError that names it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from . import parameters
from .errors import BadParametersError
from .library import BLOCK_LENGTH
from .param import Param
from .parameters import Row
from .widths import WIDTHS


class FileError(OSError):
    """A file that can't be read, written or used. The text is one line."""

    def __init__(self, path: Path, reason: object) -> None:
        super().__init__(f"{path}: {' '.join(str(reason).split())}")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turns any error but a FileError into one for this file."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileError(path, error.strerror or error) from error
    except Exception as error:
        raise FileError(path, error or type(error).__name__) from error


def load_array(path: Path) -> NDArray[Any]:
    """A .npy file's array of real numbers, mapped into memory for reading."""
    with naming(path):
        try:
            array: NDArray[Any] = np.lib.format.open_memmap(path, mode="r")
        except OSError:
            raise
        except Exception as error:  # whatever the reader raises for foreign content
            raise FileError(path, f"not a .npy file that can be read: {error}") from error
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise FileError(path, f"numbers of type {array.dtype} are not real, or wider than float64")
    return array


def load_rows(path: Path) -> list[tuple[Row, Param]]:
    """The rows of a file like parameters.json, each with its Param."""
    with naming(path):
        return parameters.load(path)


def load_block(path: Path) -> bytes:
    """The 16 bytes of a Param, alone or behind the mode, as in a GFPQ_PARAM_ST."""
    with naming(path):
        content = path.read_bytes()
        return content[4:] if len(content) == BLOCK_LENGTH + 4 else content


def block_param(path: Path, bits: int) -> Param:
    """The Param in a file of 16 bytes, taken as one for this width."""
    block = load_block(path)
    with naming(path):
        return Param.from_bytes(block, bits)


def block_params(path: Path) -> list[Param]:
    """The Params that a file of 16 bytes may stand for: one for each width whose range its delta lies in."""
    block, found = load_block(path), []
    for bits in WIDTHS:
        try:
            found.append(Param.from_bytes(block, bits))
        except BadParametersError as error:
            reason = error
    if not found:
        raise FileError(path, reason)
    return found


def check_outputs(outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Refuses to write over what the call reads, or twice to one file."""
    for i, output in enumerate(outputs):
        for other in (*inputs, *outputs[:i]):
            with naming(output):
                if output.resolve() == other.resolve() or (output.exists() and other.exists() and
                                                           output.samefile(other)):
                    raise FileError(output, f"the same file as {other}")


@contextmanager
def replacing(paths: Sequence[Path]) -> Iterator[list[BinaryIO]]:
    """Opens a file beside each path. Where all is written they take the paths' places, else they are removed."""
    with ExitStack() as stack:
        files: list[BinaryIO] = []
        moves = []
        for path in paths:
            with naming(path):
                target = path.resolve()  # the file itself, not a link to it
                if target.exists() and not target.is_file():
                    raise FileError(path, "not a regular file")
                beside = target.with_name(f".{target.name}.{os.getpid()}.tmp")
                files.append(stack.enter_context(beside.open("xb")))
                stack.callback(beside.unlink, missing_ok=True)
                if target.exists():
                    shutil.copymode(target, beside)
                moves.append((path, beside, target))
        yield files
        for (path, _, _), file in zip(moves, files):
            with naming(path):
                file.close()
        for path, beside, target in moves:
            with naming(path):
                beside.replace(target)


def write(contents: Mapping[Path, bytes]) -> None:
    """Writes files, all of them or none."""
    with replacing(list(contents)) as opened:
        for (path, content), file in zip(contents.items(), opened):
            with naming(path):
                file.write(content)


def write_header(file: BinaryIO, like: NDArray[Any], dtype: np.dtype[Any]) -> None:
    """Starts a .npy file for an array of another type with this one's shape and order of axes."""
    np.lib.format.write_array_header_1_0(file, {
        "descr": np.lib.format.dtype_to_descr(dtype),
        "fortran_order": not like.flags.c_contiguous and like.flags.f_contiguous,
        "shape": like.shape,
    })  # fmt: skip


def write_array(file: BinaryIO, part: NDArray[Any]) -> None:
    """Appends numbers to a .npy file."""
    file.write(part.tobytes())
