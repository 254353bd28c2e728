"""Pictures: a network's input, and those of a page."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LibraryNotFoundError
from ..files import FileError, naming
from .mapper import Normalization
from .network import Shape, text_of

Array = NDArray[Any]


def load(file: Path, shape: Shape, norm: Normalization) -> Array:
    """Reads a picture's bytes [channels, rows, columns], in the network's order of channels; or, for a network that
    takes none, a tensor from a .npy or a text file of numbers.

    A .npy of bytes [rows, columns, 3] is a picture too, RGB. Raises FileError, also where the size is not the
    network's: the mapper's way of resizing is not told.
    """
    with naming(file):
        if file.suffix == ".npy":
            array = np.load(file)
        elif norm.picture:
            array = _decoded(file, shape[1])
        else:
            array = np.array([float(word) for word in file.read_text().replace(",", " ").split()], "f4")
        if not norm.picture:
            if array.size != int(np.prod(shape)):
                raise FileError(file, f"holds {array.size} numbers, and the network takes {text_of(shape)}")
            return array.reshape(shape[1:]).astype("f4")
        if array.dtype != np.uint8:
            raise FileError(file, f"holds {array.dtype}, and a picture is uint8")
        array = array[..., None] if array.ndim == 2 else array
        if (array.shape[2], *array.shape[:2]) != tuple(shape[1:]):
            wanted = text_of((*shape[2:], shape[1]))
            raise FileError(file, f"is {text_of(array.shape)}, and the network takes {wanted}: resize it first, and "
                                  "list the resized one in image_list")  # fmt: skip
        return (array[..., ::-1] if norm.order == "BGR" else array).transpose(2, 0, 1)


def png_of(grey: Array) -> bytes:
    """A grey picture [rows, columns] as a PNG file. Raises LibraryNotFoundError."""
    try:
        from PIL import Image
    except ImportError:
        return bytes(_opencv().imencode(".png", grey)[1])
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "png")
    return file.getvalue()


def _decoded(file: Path, channels: int) -> Array:
    """A picture as RGB, or grey."""
    try:
        from PIL import Image
    except ImportError:
        return _decoded_by_opencv(file, channels)
    with Image.open(file) as picture:
        return np.asarray(picture.convert("L" if channels == 1 else "RGB"))


def _decoded_by_opencv(file: Path, channels: int) -> Array:
    cv2 = _opencv()
    picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE if channels == 1 else cv2.IMREAD_COLOR)
    if picture is None:
        raise FileError(file, "no picture that can be read")
    return np.asarray(picture if channels == 1 else picture[..., ::-1])


def _opencv() -> Any:
    try:
        import cv2
    except ImportError:
        raise LibraryNotFoundError("pictures are read and written with PIL or OpenCV: install Debian's python3-pil, or "
                                   "`pip install pillow`; pictures to be read may also be .npy files") from None
    return cv2
