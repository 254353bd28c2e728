"""The files that nnie_mapper takes beside the network: mapper.cfg, the list of pictures, the means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import FileError, naming
from . import facts, proto
from .network import Shape, text_of

Array = NDArray[Any]
MODEL, WEIGHTS, CONFIG, IMAGES = "model.prototxt", "model.caffemodel", "mapper.cfg", "image_list.txt"
MEANS, MEAN_PICTURE = "mean.txt", "mean.binaryproto"
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp")


@dataclass
class Options:
    """What an export for nnie_mapper has to be told.

    The network's input is (picture - mean) * scale, in this order, with the picture's bytes 0 to 255. So for
    torchvision's Normalize of pictures / 255, mean is 255 * its mean, and scale 1 / (255 * its std).

    Attributes:
        mean: one number, or one a channel in the network's order; or the file of a mean picture, Caffe's .binaryproto,
            in the network's size and order of channels. None: nothing is subtracted.
        scale: one number; one a channel only where they are equal. None: nothing is multiplied.
        order: "RGB" or "BGR", that of the channels as the network was trained; needed for three channels.
        pictures: a folder, or files, of 20 to 50 pictures of the real scene.
        tensors: for networks that take no picture, what takes the pictures' place: [n, ...], a sample each.
        cut: names of operations (as gfpq.torch.record names them) whose outputs become the network's; what comes after
            them runs on the CPU.
        depthwise: make depthwise convolutions layers of the type DepthwiseConv, else Convolutions with groups, which
            Caffe itself has.
    """

    mean: float | Sequence[float] | str | Path | None = None
    scale: float | Sequence[float] | None = None
    order: str | None = None
    pictures: str | Path | Sequence[str | Path] | None = None
    tensors: Any = None
    cut: str | Sequence[str] = ()
    depthwise: bool = False


@dataclass
class Normalization:
    """What the mapper does with a picture's bytes: first the means are subtracted, then the scale is multiplied."""

    mean: tuple[float, ...] = ()  # one a channel; empty: none
    scale: float | None = None
    order: str = ""  # RGB, BGR; empty for one channel
    picture: bool = True
    mean_picture: Array | None = None  # [channels, rows, columns]; instead of `mean`

    @property
    def means(self) -> Array:
        """What is subtracted, [channels, rows, columns] or [channels or 1, 1, 1]."""
        if self.mean_picture is not None:
            return self.mean_picture
        return np.asarray(self.mean or (0.0,), "f4").reshape(-1, 1, 1)

    @property
    def norm_type(self) -> int:
        if self.mean_picture is not None:
            return facts.NORM_MEAN_PICTURE if self.scale is None else facts.NORM_MEAN_PICTURE_AND_SCALE
        if self.mean:
            return facts.NORM_CHANNEL_MEANS if self.scale is None else facts.NORM_MEANS_AND_SCALE
        return facts.NORM_NONE if self.scale is None else facts.NORM_SCALE

    def apply(self, picture: Any) -> Any:
        """From a picture's bytes [3, rows, columns], in the network's order of channels, to the network's input."""
        x = np.asarray(picture, "f4")
        if self.mean or self.mean_picture is not None:
            x = x - self.means
        return (x if self.scale is None else x * np.float32(self.scale))[None]


def normalization_of(options: Options, shape: Shape) -> Normalization:
    """The normalization that a user states, for a network's input. Raises ValueError for what the mapper can't do."""
    channels = shape[1] if len(shape) == 4 else 0
    picture = channels in (1, 3) and options.tensors is None
    if not picture and (options.mean is not None or options.scale is not None or options.order or options.pictures):
        raise ValueError(f"the network's input is {'x'.join(map(str, shape))}, no picture: give tensors=, and neither "
                         "mean, scale, order nor pictures")  # fmt: skip
    if options.order not in (None, "RGB", "BGR"):
        raise ValueError(f'order is {options.order!r}: "RGB" or "BGR", as the network was trained')
    if picture and channels == 3 and options.order is None:
        raise ValueError('the network takes pictures of three channels: give order="RGB" (as PIL and torchvision read '
                         'them) or order="BGR" (as OpenCV reads them)')  # fmt: skip
    if options.order and channels != 3:
        raise ValueError("a picture of one channel has no order of channels")
    mean_picture = None
    if isinstance(options.mean, (str, Path)):
        mean_picture = read_mean_picture(Path(options.mean), shape)
        mean: tuple[float, ...] = ()
    else:
        mean = () if options.mean is None else tuple(float(m) for m in np.ravel(options.mean))
    mean = mean * channels if len(mean) == 1 else mean
    if mean and len(mean) != channels:
        raise ValueError(f"{len(mean)} means for {channels} channels")
    scales = {float(s) for s in np.ravel(options.scale)} if options.scale is not None else set()
    if not np.isfinite(mean).all():
        raise ValueError(f"mean is {options.mean}: give finite numbers, in bytes (0 to 255)")
    if not all(0 < s < np.inf for s in scales):
        raise ValueError(f"scale is {options.scale}: give a finite number above 0, such as 1 / (255 * std)")
    if len(scales) > 1:
        raise ValueError(
            f"the mapper has one scale for all channels, and there are {sorted(scales)}: before gfpq.torch.prepare "
            "multiply the first convolution's weight by them (weight *= tensor(scales).view(1, -1, 1, 1)), and train "
            "and export without a scale"
        )
    return Normalization(mean, scales.pop() if scales else None, options.order or "", picture, mean_picture)


def read_mean_picture(file: Path, shape: Shape) -> Array:
    """A mean picture of Caffe's, [channels, rows, columns]. Raises FileError, also where its size is not the network's.
    """
    with naming(file):
        try:
            array = proto.array_of(proto.BlobProto.FromString(file.read_bytes()))
        except OSError:
            raise
        except Exception as error:  # whatever protobuf and numpy raise for foreign content
            raise FileError(file, f"no mean picture of Caffe's (.binaryproto): {error}") from error
        found = array.shape[1:] if array.ndim == 4 and array.shape[0] == 1 else array.shape
        if found != tuple(shape[1:]):
            raise FileError(file, f"is a mean picture of {text_of(found)}, and the network takes {text_of(shape[1:])}: "
                                  "crop it as training did, or give the means of its channels")  # fmt: skip
        if not np.isfinite(array).all():
            raise FileError(file, "holds NaN or infinite numbers")
        return array.reshape(found).astype("f4")


@dataclass
class ConfigFiles:
    """The contents of the files by name, and what is to be said of them."""

    contents: dict[str, bytes] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def compile_mode(bits: Sequence[int]) -> int:
    """For the widths of a network's layers."""
    if set(bits) <= {8}:
        return facts.COMPILE_8_BIT
    return facts.COMPILE_16_BIT if set(bits) == {16} else facts.COMPILE_MIXED


def config_files(options: Options, norm: Normalization, mode: int, name: str) -> ConfigFiles:
    """Writes mapper.cfg, and image_list.txt and the means where there is something for them."""
    files, means = ConfigFiles(), "null"
    if norm.mean_picture is not None:
        files.contents[MEAN_PICTURE] = proto.blob_of(norm.mean_picture[None]).SerializeToString(deterministic=True)
        means = f"./{MEAN_PICTURE}"
    elif norm.mean:
        files.contents[MEANS] = "".join(f"{mean:.9g}\n" for mean in norm.mean).encode()
        means = f"./{MEANS}"
    images = _image_list(options, norm, files.remarks)
    if images is None:
        files.remarks.append(f"{IMAGES} is not written: list {facts.LEAST_PICTURES} to {facts.MOST_PICTURES} pictures "
                             "of the real scene in it, one path a line, or give pictures=")  # fmt: skip
    else:
        files.contents[IMAGES] = images.encode()
    values = {
        "prototxt_file": f"./{MODEL}", "caffemodel_file": f"./{WEIGHTS}", "net_type": facts.NET_TYPE_CNN,
        "batch_num": 1, "sparse_rate": 0, "compile_mode": mode, "is_simulation": 0, "log_level": facts.LOG_WITH_DUMPS,
        "instruction_name": f"./{name}", "image_list": f"./{IMAGES}",
        "image_type": facts.IMAGE_TYPE_PICTURE if norm.picture else facts.IMAGE_TYPE_FEATURE_MAP,
        "norm_type": norm.norm_type, "mean_file": means,
    }  # fmt: skip
    if norm.order:
        values["RGB_order"] = norm.order
    if norm.scale is not None:
        values["data_scale"] = f"{norm.scale:.9g}"
    files.contents[CONFIG] = _config(values).encode()
    return files


def _config(values: dict[str, Any]) -> str:
    lines = ["# For nnie_mapper. Gathered from public accounts, never tried with the mapper; how sure each key is:",
             "# Whether the mapper takes comments is not told; without them: grep '^\\[' mapper.cfg"]  # fmt: skip
    for key, (text, certainty) in facts.KEYS.items():
        lines.append(f"# {text} ({certainty})")
        if key in values:
            lines.append(f"[{key}] {values[key]}")
        elif key == "gfpq_param_file":
            lines.append(f"# [{key}] ./nnie.json")
        else:
            lines.append(f"# [{key}] not set")
    lines.append(f"# {facts.MEAN_ORDER.text} ({facts.MEAN_ORDER.certainty})")
    return "\n".join(lines) + "\n"


def read_normalization(folder: Path, shape: Shape) -> Normalization:
    """What mapper.cfg and the means' file in a folder say, for a network's input. Raises OSError, FileError, and
    ValueError for other norm types."""
    values = {}
    for line in (folder / CONFIG).read_text().splitlines():
        if line.startswith("["):
            key, _, value = line[1:].partition("]")
            values[key] = value.strip()
    kind = int(values.get("norm_type", facts.NORM_NONE))
    mean: tuple[float, ...] = ()
    mean_picture = None
    if kind in (facts.NORM_CHANNEL_MEANS, facts.NORM_MEANS_AND_SCALE):
        mean = tuple(float(line) for line in (folder / Path(values["mean_file"])).read_text().split())
    elif kind in (facts.NORM_MEAN_PICTURE, facts.NORM_MEAN_PICTURE_AND_SCALE):
        mean_picture = read_mean_picture(folder / Path(values["mean_file"]), shape)
    elif kind not in (facts.NORM_NONE, facts.NORM_SCALE):
        raise ValueError(f"norm_type {kind} is not known here: 0 to 5")
    scaled = kind in (facts.NORM_SCALE, facts.NORM_MEANS_AND_SCALE, facts.NORM_MEAN_PICTURE_AND_SCALE)
    return Normalization(
        mean, float(values.get("data_scale", facts.DEFAULT_SCALE)) if scaled else None, values.get("RGB_order", ""),
        int(values.get("image_type", facts.IMAGE_TYPE_PICTURE)) == facts.IMAGE_TYPE_PICTURE, mean_picture,
    )  # fmt: skip


def _image_list(options: Options, norm: Normalization, remarks: list[str]) -> str | None:
    if options.tensors is not None:
        return "".join(" ".join(f"{x:.9g}" for x in np.ravel(sample)) + "\n" for sample in np.asarray(options.tensors))
    found = listed_pictures(options, norm, remarks)
    return "".join(f"{file.resolve()}\n" for file in found) if found else None


def listed_pictures(options: Options, norm: Normalization, remarks: list[str]) -> list[Path]:
    """The pictures that a user gives, as many as the mapper is to see. Raises ValueError where there are none there."""
    if options.pictures is None or not norm.picture:
        return []
    if isinstance(options.pictures, (str, Path)):
        found = sorted(file for file in Path(options.pictures).iterdir() if file.suffix.lower() in _PICTURES)
    else:
        found = [Path(file) for file in options.pictures]
    missing = [str(file) for file in found if not file.is_file()]
    if not found or missing:
        raise ValueError(f"no such picture: {', '.join(missing)}" if missing else
                         f"{options.pictures} holds no pictures ({', '.join(_PICTURES)})")  # fmt: skip
    if len(found) < facts.LEAST_PICTURES:
        remarks.append(f"{len(found)} pictures are few: the mapper is to see {facts.LEAST_PICTURES} to "
                       f"{facts.MOST_PICTURES} of the real scene")  # fmt: skip
    if len(found) > facts.MOST_PICTURES:
        remarks.append(f"of {len(found)} pictures {facts.MOST_PICTURES} are listed")
        found = [found[len(found) * i // facts.MOST_PICTURES] for i in range(facts.MOST_PICTURES)]
    return found
