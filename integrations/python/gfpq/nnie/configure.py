"""mapper.cfg and what goes with it for a network that is there already, such as integrations/caffe's export writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..parameters import Row
from . import inputs, mapper, network, proto
from .check import Findings, check_net
from .facts import COMPILE_MIXED, HIGH_PRECISION
from .mapper import ConfigFiles, Options


@dataclass
class Configured:
    """What was written; prints as lines. `findings` are the mapper's rules that the network does not keep."""

    files: list[str]
    remarks: list[str]
    findings: Findings

    def __str__(self) -> str:
        notes = [f"note: {remark}" for remark in self.remarks]
        return "\n".join([", ".join(self.files), *notes, str(self.findings)])


def configure(folder: str | Path, options: Options) -> Configured:
    """Writes mapper.cfg, and image_list.txt and mean.txt where there is something for them, beside a network's
    model.prototxt, model.caffemodel and parameters.json. `cut` and `depthwise` do not count.

    Raises FileError for files that can't be read or written; ValueError for options that do not fit the network, and
    where layers are of 8 and 16 bit and the names of the latter do not end in `_hp`.
    """
    folder = Path(folder)
    net = proto.read_prototxt(folder / mapper.MODEL)
    weighted = proto.read_network(folder / mapper.MODEL, folder / mapper.WEIGHTS)
    loaded = files.load_rows(folder / "parameters.json")
    rows = [{**row, "clip": param.largest} for row, param in loaded]
    bits = {row["layer"]: row["bits"] for row in rows}
    if mapper.compile_mode(list(bits.values())) == COMPILE_MIXED:
        others = {layer.name: 8 for layer in net.layer} | bits
        wrong = [name for name, width in others.items() if (width == 16) != name.endswith(HIGH_PRECISION)]
        if wrong:
            raise ValueError(f"layers of 16 bit, and no others, have names that end in {HIGH_PRECISION} where a "
                             f"network has both widths: rename {', '.join(wrong)} in the prototxts and in the weights")
    text = config_files_of(net, list(bits.values()), options)
    shape, = network.inputs_of(net).values()
    norm = mapper.normalization_of(options, shape)
    text.remarks += inputs.check(options, norm, shape) + inputs.against_ranges(options, norm, weighted, rows)
    files.write({folder / name: content for name, content in text.contents.items()})
    return Configured(list(text.contents), text.remarks, check_net(net))


def config_files_of(net: Any, bits: Sequence[int], options: Options) -> ConfigFiles:
    """mapper.cfg and what goes with it for a NetParameter whose layers have these widths. Raises ValueError."""
    shapes = list(network.inputs_of(net).values())
    if len(shapes) != 1:
        raise ValueError(f"the network has {len(shapes)} inputs, and the mapper takes one")
    norm = mapper.normalization_of(options, shapes[0])
    return mapper.config_files(options, norm, mapper.compile_mode(bits), net.name or "network")


def name_high_precision(layers: Sequence[Any], rows: list[Row]) -> dict[str, str]:
    """Where a network has layers of 8 and of 16 bit, ends the names of the latter in `_hp`, in the layers and the rows.

    Returns the new names by the old ones. Raises ValueError where a layer has such a name already and is not 16 bit.
    """
    bits = {row["layer"]: row["bits"] for row in rows}
    if mapper.compile_mode(list(bits.values())) != COMPILE_MIXED:
        return {}
    others = {layer.name: 8 for layer in layers} | bits
    new = {name: name + HIGH_PRECISION for name, width in bits.items()
           if width == 16 and not name.endswith(HIGH_PRECISION)}  # fmt: skip
    wrong = [name for name, width in others.items() if width != 16 and name.endswith(HIGH_PRECISION)]
    wrong += sorted({layer.name for layer in layers} & set(new.values()) - set(wrong))
    if wrong:
        raise ValueError(f"rename {', '.join(wrong)} in the prototxts and in the weights: names that end in "
                         f"{HIGH_PRECISION} are those of 16-bit layers")  # fmt: skip
    for layer in layers:
        layer.name = new.get(layer.name, layer.name)
    for row in rows:
        row["layer"] = new.get(row["layer"], row["layer"])
    return new
