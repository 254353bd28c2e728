"""The mapper's numbers against those of the exported network, layer by layer: where they depart first, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import parameters
from ..files import FileError, load_rows, naming
from ..param import Param
from ..parameters import WEIGHT
from ..similarity import Similarity
from ..torch.recorded import aligned
from ..widths import WIDTHS
from . import dumps, facts, mapper, network, pictures, proto
from .dumps import Codes, Dump
from .mistakes import Given
from .run import Params, Pass, params_of, run
from .tensors import check_size, cosine_of, mapped, share_of_equal, split, with_deltas

Array = NDArray[Any]
EQUAL_SHARE = 0.98  # of the codes: below it a tensor departs; some numbers lie where rounding decides
LOW_COSINE = 0.999  # of outputs, which the chip sums in fixed point
RANGE_STEPS = 1  # quantizing what was quantized may find a range one step lower


@dataclass
class Compared:
    """A tensor of a layer, the mapper's against ours."""

    layer: str
    tensor: str  # "weight", "input 0", "output 0"
    cosine: float
    sqnr: float
    largest: float
    equal: float | None  # share of equal codes; None for outputs and for tensors without codes
    cause: str = ""  # why it departs; empty: it does not
    ours: Array = field(repr=False, default_factory=lambda: np.zeros(0))
    theirs: Array = field(repr=False, default_factory=lambda: np.zeros(0))


@dataclass
class DumpComparison:
    """All tensors for which there is a file, in the network's order; prints as the first departure, and a table."""

    tensors: list[Compared]
    remarks: list[str]

    @property
    def departures(self) -> list[Compared]:
        """The tensors that depart. What comes after the first may only inherit it."""
        return [compared for compared in self.tensors if compared.cause]

    @property
    def first_line(self) -> str:
        """What departs first, and why it may."""
        if not self.departures:
            return f"no departure in {len(self.tensors)} tensors"
        first = self.departures[0]
        return f"first departure: {first.layer} {first.tensor}: {first.cause}"

    def table(self) -> list[tuple[str, ...]]:
        """One row a tensor. The first row is the heading."""
        rows: list[tuple[str, ...]] = [
            ("layer", "tensor", "cosine", "SQNR dB", "largest difference", "equal codes", "departs")
        ]
        for c in self.tensors:
            share = "" if c.equal is None else f"{c.equal:.2%}"
            numbers = f"{c.cosine:.6f}", f"{c.sqnr:.2f}", f"{c.largest:.6g}"
            rows.append((c.layer, c.tensor, *numbers, share, c.cause.partition(":")[0]))
        return rows

    def __str__(self) -> str:
        return "\n".join([self.first_line, aligned(self.table()), *(f"note: {remark}" for remark in self.remarks)])

    def html(self) -> str:
        """A page with the table and pictures of the tensors."""
        from .page import page_of

        return page_of(self)


def compare(deployed: str | Path, mapper_quant: str | Path, picture: str | Path) -> DumpComparison:
    """Compares what the mapper or the simulator dumped with the exported network.

    Args:
        deployed: the folder that an export wrote: model.prototxt, model.caffemodel, parameters.json, mapper.cfg.
        mapper_quant: the folder with the dumps, of the last picture in image_list.
        picture: that picture, in the network's size; or a tensor's .npy or text.

    What a dump's file is called and holds is public from one account alone (gfpq.nnie.facts). Raises FileError for a
    file that can't be read or used, or where no file belongs to a layer.
    """
    folder, dumped = Path(deployed), Path(mapper_quant)
    net = proto.read_network(folder / mapper.MODEL, folder / mapper.WEIGHTS)
    rows = [row for row, _ in load_rows(folder / "parameters.json")]
    inputs = network.inputs_of(net)
    if len(inputs) != 1:
        raise FileError(folder / mapper.MODEL, f"has {len(inputs)} inputs, and a picture is for one")
    ((input_name, shape),) = inputs.items()
    with naming(folder / mapper.CONFIG):
        norm = mapper.read_normalization(folder, shape)
    given = Given(folder, Path(picture), shape, norm, pictures.load(Path(picture), shape, norm))
    found, others = dumps.find(dumped)
    comparison = _Comparing(net, rows, given, input_name, found).compare()
    if not comparison.tensors:
        raise FileError(dumped, f"holds no file of a layer of {folder / mapper.MODEL}: names are like "
                                f"LAYER_input0_C_H_W{facts.INPUT_HEX}")  # fmt: skip
    comparison.remarks.append(f"how sure {facts.DUMPS.text} are: {facts.DUMPS.certainty}")
    if others:
        comparison.remarks.append(f"files that are no dumps: {_some(others)}")
    return comparison


class _Comparing:
    def __init__(
        self, net: Any, rows: list[parameters.Row], given: Given, input_name: str, found: list[Dump]
    ) -> None:
        self.net, self.given, self.input_name = net, given, input_name
        self.params = params_of(rows)
        self.weights: Params = {}
        for row in rows:
            if row["tensor"] == WEIGHT:
                self.weights.setdefault((row["layer"], 0), []).append(parameters.param_of(row))
        self.done: Pass = run(net, {input_name: given.input}, self.params)
        self.files: dict[tuple[str, str, int], dict[str, Dump]] = {}
        for dump in found:
            self.files.setdefault((dump.layer, dump.tensor, dump.number), {})[dump.form] = dump
        self.remarks: list[str] = []

    def compare(self) -> DumpComparison:
        tensors: list[Compared] = []
        layers = [layer for layer in network.test_layers(self.net) if layer.type != "Input"]
        keys = [dumps.key_of(layer.name) for layer in layers]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            self.remarks.append(f"left out, for several layers have files of these names: {_some(sorted(twice))}")
        without = []
        for layer, key in zip(layers, keys):
            if key not in twice:
                before = len(tensors)
                tensors += [compared for compared in self._layer(layer, key) if compared is not None]
                if len(tensors) == before:
                    without.append(layer.name)
        if without:
            self.remarks.append(f"layers without a file: {_some(without)}")
        strange = sorted({dump.file.name for forms in self.files.values() for dump in forms.values()
                          if dump.layer not in keys})  # fmt: skip
        own = tuple(f"{key}_permute_" for layer, key in zip(layers, keys) if layer.type == "Upsample")
        if own and any(name.startswith(own) for name in strange):
            self.remarks.append(f"{facts.UPSAMPLE_PERMUTES.text} ({facts.UPSAMPLE_PERMUTES.certainty})")
        if strange:
            self.remarks.append(f"files without a layer: {_some(strange)}")
        if any(form == "unknown" for forms in self.files.values() for form in forms):
            self.remarks.append("biases are not compared: by what they are scaled is not told")
        return DumpComparison(tensors, self.remarks)

    def _layer(self, layer: Any, key: str) -> Iterator[Compared | None]:
        forms = self.files.get((key, "weight", 0))
        if forms and layer.blobs:
            ours = proto.array_of(layer.blobs[0])
            params = self.weights.get((layer.name, 0), [])
            yield self._quantized(layer, "weight", ours, ours, params, forms, 0)
        for number in range(len(layer.bottom)):
            forms = self.files.get((key, "input", number))
            if forms:
                ours, raw = self.done.inputs[layer.name][number], self.done.given[layer.name][number]
                params = self.params.get((layer.name, number), [])
                yield self._quantized(layer, f"input {number}", ours, raw, params, forms, 1)
        for number in range(len(layer.top)):
            forms = self.files.get((key, "output", number))
            if forms:
                yield self._output(layer, number, forms["linear"])

    def _quantized(
        self, layer: Any, tensor: str, ours: Array, raw: Array, params: list[Param], forms: dict[str, Dump], axis: int
    ) -> Compared | None:
        """A tensor of codes, of dequantized numbers, or of both."""
        codes = dumps.read_codes(forms["code"]) if "code" in forms else None
        floats = dumps.read_floats(forms["float"]) if "float" in forms else None
        if floats is None and not params:
            self.remarks.append(f"{layer.name} {tensor}: left out, for there are codes alone, and here no range")
            return None
        for form, numbers in (("code", None if codes is None else codes.codes), ("float", floats)):
            if numbers is not None:
                check_size(forms[form], numbers.size, ours)
        bits = codes.bits if codes else params[0].bits if params else 8
        groups = max(1, len(params))
        theirs, deltas = mapped(codes, floats, params, bits, ours.shape, groups, axis)
        if codes and floats is not None:
            self._check_agreement(layer, tensor, codes, theirs, deltas, axis)
        share = share_of_equal(ours, theirs, bits)
        compared = _compared(layer.name, tensor, ours, theirs, share)
        off = [delta is not None and abs(delta - p.delta) > RANGE_STEPS for delta, p in zip(deltas, params)]
        if params and params[0].bits != bits:
            compared.cause = f"width differs: the mapper has {bits} bit, the export {params[0].bits}"
        elif share < EQUAL_SHARE or any(off):
            compared.cause = self._cause(layer, tensor, raw, theirs, deltas, params, bits, axis)
        return compared

    def _check_agreement(
        self, layer: Any, tensor: str, codes: Codes, theirs: Array, deltas: list[int | None], axis: int
    ) -> None:
        """Tells where the codes and the dequantized numbers are not those of one tensor."""
        tensors = [split(x, theirs.shape, len(deltas), axis) for x in (codes.codes, codes.zeros, theirs)]
        for k, zeros, numbers, delta in zip(*tensors, deltas):
            wanted = np.where(zeros, dumps.ZERO, k + (delta or 0))
            if (wanted != dumps.exponents_of(numbers, codes.bits)).any():
                self.remarks.append(f"{layer.name} {tensor}: the codes and the dequantized numbers disagree, and the "
                                    "latter are compared")  # fmt: skip
                return

    def _cause(
        self, layer: Any, tensor: str, raw: Array, theirs: Array, deltas: list[int | None], params: list[Param],
        bits: int, axis: int,
    ) -> str:  # fmt: skip
        """Why a tensor of codes departs: what, done to our numbers, makes the mapper's."""
        used = [p.delta if d is None else d for d, p in zip(deltas, params)] or [d for d in deltas if d is not None]
        ranges = [(p, d) for p, d in zip(params, deltas) if d is not None and abs(d - p.delta) > RANGE_STEPS]

        def explains(x: Array) -> bool:
            return share_of_equal(with_deltas(x, used, bits, axis), theirs, bits) >= EQUAL_SHARE

        if ranges and explains(raw):
            param, delta = ranges[0]
            largest = 2.0 ** ((delta + WIDTHS[bits].largest_code) / WIDTHS[bits].steps)
            advice = "" if tensor == "weight" else ": did the mapper get nnie.json ([gfpq_param_file])?"
            return f"range differs: the mapper's ends at {largest:.6g}, the export's at {param.largest:.6g}{advice}"
        if tensor == "weight":
            return "weights differ: is the caffemodel the one of this export?"
        own = int(tensor.split()[1])
        if layer.bottom[own] == self.input_name:
            for cause, x in self.given.mistaken():
                if explains(x):
                    return cause
            return self.given.unknown
        for number, other in enumerate(self.done.given[layer.name]):
            if number != own and other.shape == theirs.shape and explains(other):
                return f"order of inputs: the file holds input {number} of the layer"
        if ranges:
            return "range differs, and the numbers too"
        return "the numbers differ with the same range: look at the layers before it, and at the order of the inputs"

    def _output(self, layer: Any, number: int, dump: Dump) -> Compared:
        theirs, ours = dumps.read_linear(dump), self.done.outputs[layer.name][number]
        check_size(dump, theirs.size, ours)
        compared = _compared(layer.name, f"output {number}", ours, theirs.reshape(ours.shape), None)
        if compared.cosine < LOW_COSINE:
            compared.cause = "the numbers differ, and the layer's inputs and weights do not"
            for later in self._in_place_after(layer, layer.top[number]):
                other = self.done.outputs[later][0]
                if other.shape == ours.shape and cosine_of(other, theirs.reshape(ours.shape)) >= LOW_COSINE:
                    compared.cause = (f"in-place sharing: the file holds the output of {later}, which works in place "
                                      "on it or was joined with the layer")  # fmt: skip
        return compared

    def _in_place_after(self, layer: Any, top: str) -> Iterator[str]:
        """The layers that follow on a blob one after the other, and keep its shape."""
        layers = network.test_layers(self.net)
        blobs, after = {top}, False
        for other in layers:
            if after and len(other.bottom) == 1 and other.bottom[0] in blobs and other.type in network.SAME_SHAPE:
                blobs.update(other.top)
                yield other.name
            after = after or other.name == layer.name


def _compared(layer: str, tensor: str, ours: Array, theirs: Array, share: float | None) -> Compared:
    similarity = Similarity()
    similarity.add(ours, theirs)
    numbers = similarity.cosine, similarity.sqnr, similarity.largest_error
    return Compared(layer, tensor, *numbers, share, "", ours, theirs)


def _some(names: list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
