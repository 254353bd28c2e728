"""From an exported network to the files that nnie_mapper takes."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..caffe_layers import QUANTIZED
from ..errors import GfpqError, NotSupportedError, some
from ..parameters import Row
from ..similarity import Similarity
from ..torch.model import example_of, mapped, prepared_parts
from ..torch.record import record
from ..torch.running import tensors_in
from ..torch.steady import difference as between_calls
from ..torch.values import values_of
from . import inputs, mapper, proto
from .build import Output, build
from .check import Findings, check_net
from .facts import COMPILE_MIXED
from .mapper import Options
from .network import Shape, text_of
from .run import params_of, run

_LARGEST_DIFFERENCE = 1e-4  # of the largest output: what rounding may do
_LEAST_COSINE = 0.98  # of quantized outputs: a rounding may move a number by a step


@dataclass
class Deployed:
    """What an export for nnie_mapper wrote; prints as lines.

    `net` is a NetParameter with the blobs. `outputs` are its outputs, each with its shape; `made` is what any operation
    makes, with its blob. `rows` are those of
    parameters.json, by the prototxt's names. `findings` are the mapper's rules that the network does not keep, as far
    as they are known. `largest_difference` is that of a layer's numbers to the model's, in float, as a part of the
    largest of them.
    """

    net: Any
    inputs: dict[str, Shape]
    outputs: list[Output]
    rows: list[Row]
    findings: Findings
    largest_difference: float
    made: list[Output] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{len(self.net.layer)} layers: {', '.join(self.files)}"]
        lines += [f"input {name}: {text_of(shape)}" for name, shape in self.inputs.items()]
        lines += [f"output {o.blob}: {text_of(o.shape)}, of {o.operation}" for o in self.outputs]
        lines.append(f"in float the layers differ from the model's by {self.largest_difference:.1e} of the "
                     "largest number at most")  # fmt: skip
        lines += [f"note: {remark}" for remark in self.remarks]
        return "\n".join([*lines, str(self.findings)])


def deploy(plain: nn.Module, twin: nn.Module, rows: list[Row], options: Options) -> Deployed:
    """Makes the files for the mapper of an exported network.

    Args:
        plain, twin, rows: of a gfpq.torch.Export.

    The network that is written is run and compared with both models. Raises NotSupportedError for operations that
    Caffe's layers can't compute, with the line of the model's code and what to use instead; ValueError for options that
    do not fit; GfpqError where the written network computes something else.
    """
    example = _one_sample(twin)
    bits = {row["layer"]: row["bits"] for row in rows}
    recorded = record(plain, example)
    unsteady = between_calls(plain, example, recorded)
    if unsteady:
        raise NotSupportedError(f"no network for the mapper: {unsteady}")
    name = type(plain).__name__.lower()
    mixed = mapper.compile_mode(list(bits.values())) == COMPILE_MIXED
    high = {place for place, width in bits.items() if width == 16} if mixed else set()
    built = build(
        recorded, plain, cut=options.cut, depthwise=options.depthwise, high_precision=high, name=name
    )  # fmt: skip
    built.check()
    if not built.outputs:
        raise ValueError("the network has no outputs that depend on its input")
    shape = next(iter(built.inputs.values()))
    norm = mapper.normalization_of(options, shape)
    renamed = _renamed(rows, built.first_layers)
    unchecked = inputs.check(options, norm, shape)
    unlike = inputs.against_ranges(options, norm, built.net, renamed)
    text = mapper.config_files(options, norm, mapper.compile_mode([row["bits"] for row in renamed]), name)
    remarks = [*built.remarks, *text.remarks, *unchecked, *unlike]
    left = sorted({row["layer"] for row in rows} - set(built.first_layers))
    if left:
        remarks.append(f"no layer of the network, and without parameters: {some(left)}")
    floating = [layer.name for layer in built.net.layer if layer.type in QUANTIZED and
                layer.name not in {row["layer"] for row in renamed}]  # fmt: skip
    if floating:
        remarks.append(f"without a range here, so that the mapper finds its own: {some(floating)}")
    difference = _verify(built.net, list(built.inputs), built.made, example, plain, twin, renamed)
    for remark in unlike:
        warnings.warn(f"gfpq.nnie: {remark}", stacklevel=3)
    files = {mapper.MODEL: proto.text_of(built.net).encode(), mapper.WEIGHTS: proto.bytes_of(built.net)}
    files |= text.contents
    return Deployed(built.net, built.inputs, built.outputs, renamed, check_net(built.net), difference, built.made,
                    remarks, files)  # fmt: skip


def _one_sample(twin: nn.Module) -> Any:
    example = example_of(twin)
    if example is None:
        raise ValueError("what the model is called with is not known: "
                         + ("parts of it were prepared: gfpq.torch.remove(model), and prepare the whole with "
                            "example_inputs" if "" not in prepared_parts(twin) and prepared_parts(twin) else
                            "gfpq.torch.prepare(..., example_inputs=x)"))  # fmt: skip
    return mapped(lambda item: item[:1] if isinstance(item, Tensor) and item.dim() else item, example)


def _renamed(rows: list[Row], layers: dict[str, list[str]]) -> list[Row]:
    """The rows by the prototxt's names: `module` is the model's name where that differs."""
    renamed = []
    for row in rows:
        for layer in layers.get(row["layer"], ()):
            renamed.append(row if layer == row["layer"] else {**row, "layer": layer, "module": row["layer"]})
    return renamed


def _verify(
    net: Any, names: list[str], made: list[Output], example: Any, plain: nn.Module, twin: nn.Module, rows: list[Row]
) -> float:
    """Runs the network and both models, and compares them layer by layer. Returns the largest difference in float."""
    given = dict(zip(names, (tensor.detach().cpu().numpy() for _, tensor in tensors_in(example))))
    largest = 0.0
    for model, params, what in ((plain, None, "in float"), (twin, params_of(rows), "with quantized data")):
        values = values_of(model, example, [output.operation for output in made])
        blobs = run(net, given, params).blobs
        other = sorted({output.operation for output in made} - set(values))
        if other:
            raise NotSupportedError(f"no network for the mapper: {some(other)}: computed with a parametrized weight: "
                                    "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight') before "
                                    "gfpq.torch.prepare")  # fmt: skip
        for output in made:
            expected = values[output.operation][output.number].cpu().numpy()
            found = blobs[output.blob]
            if not np.isfinite(expected).all():
                raise GfpqError(f"no network for the mapper: {output.operation} makes NaN or infinite numbers of the "
                                f"example inputs, {what}")  # fmt: skip
            similarity = Similarity()
            similarity.add(expected, found.reshape(expected.shape))
            part = similarity.largest_error / max(float(np.abs(expected).max(initial=0.0)), 1e-30)
            wrong = not similarity.cosine >= _LEAST_COSINE if params else not part <= _LARGEST_DIFFERENCE
            if wrong:
                raise GfpqError(f"the network for the mapper computes something else than the model, {what}: "
                                f"{output.blob} differs by {part:.1e} of the largest number, cosine "
                                f"{similarity.cosine:.6f}. Nothing was written. Where the model goes into training in "
                                "its forward, or writes with numpy into a tensor, leave that out; else please report "
                                "the model")  # fmt: skip
            largest = largest if params else max(largest, part)
    return largest
