"""The mapper's numbers against those of the exported network, layer by layer: where they depart first, and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import parameters
from ..files import FileError, load_rows, naming
from ..param import Param
from ..parameters import WEIGHT
from ..similarity import Similarity
from ..widths import WIDTHS
from . import dumps, facts, mapper, network, pictures, proto
from .compared import Compared, DumpComparison
from .dumps import Codes, Dump
from .mistakes import Given
from .run import Params, Pass, params_of, run
from .tensors import check_size, cosine_of, mapped, share_of_equal, share_within, split, with_deltas

Array = NDArray[Any]
EQUAL_SHARE = 0.98  # of the codes: below it a tensor departs; some numbers lie where rounding decides
FAR_SHARE = 0.001  # of the codes of data: what may be off by more than one step; of weights none
LOW_COSINE = 0.999  # of outputs, which the chip sums in fixed point
FAR_OUTPUT = 0.01  # of the largest: what an output may be off, computed from the mapper's own inputs
OUTPUT_ROUNDING = 1 / facts.OUTPUT_STEPS  # of a sum of two outputs, each off by half a step of 20.12
RANGE_STEPS = 1  # quantizing what was quantized may find a range one step lower


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
    if norm.order and np.array_equal(given.pixels, given.pixels[::-1]):
        comparison.remarks.append("the picture is grey: from it can't be told whether the mapper has the channels in the "
                                  f"order {norm.order}")  # fmt: skip
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
        self.files: dict[tuple[str, str, int], dict[str, Dump]] = {}
        for dump in found:
            self.files.setdefault((dump.layer, dump.tensor, dump.number), {})[dump.form] = dump
        self.remarks: list[str] = []
        keys = [dumps.key_of(layer.name) for layer in network.test_layers(net) if layer.type != "Input"]
        self.twice = {key for key in keys if keys.count(key) > 1}
        self.read: dict[tuple[str, int], Compared | None] = {}  # the layers' inputs
        self.inputs_dumped = any(tensor == "input" for _, tensor, _ in self.files)
        self.writers: dict[str, tuple[Any, int]] = {}  # which layer's output a blob is, as the network runs
        self.done = Pass()

    def compare(self) -> DumpComparison:
        tensors: list[Compared] = []
        layers = [layer for layer in network.test_layers(self.net) if layer.type != "Input"]
        keys = [dumps.key_of(layer.name) for layer in layers]
        if self.twice:
            self.remarks.append(f"left out, for several layers have files of these names: {_some(sorted(self.twice))}")
        self.done = run(self.net, {self.input_name: self.given.input}, self.params, self._instead)
        without = []
        for layer, key in zip(layers, keys):
            if key not in self.twice:
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
            yield self._quantized(layer, "weight", ours, [ours])
        for number in range(len(layer.bottom)):
            if (layer.name, number) in self.read:
                yield self.read[layer.name, number]
        for number in range(len(layer.top)):
            compared = self._output(layer, number, self.done.outputs[layer.name][number])
            if compared is not None and compared.cause:
                compared.cause = self._output_cause(layer, number, compared)
            yield compared

    def _instead(self, layer: Any, raw: list[Array], quantized: list[Array]) -> list[Array]:
        """Compares a layer's inputs while the network runs. Where they do not depart, the layer reads the mapper's
        numbers, so that roundings do not add up from layer to layer: those of the input's file; or where no inputs were
        dumped, ours within the half step by which the output that it is was rounded."""
        key, read = dumps.key_of(layer.name), list(quantized)
        for number, (bottom, ours) in enumerate(zip(layer.bottom, quantized)):
            if key not in self.twice and (key, "input", number) in self.files:
                compared = self._quantized(layer, f"input {number}", ours, raw, number)
                self.read[layer.name, number] = compared
                if compared is not None and not compared.cause:
                    read[number] = compared.theirs
            elif bottom in self.writers and not self.inputs_dumped:
                output = self._output(*self.writers[bottom], raw[number])
                if output is not None and not output.cause:
                    params = self.params.get((layer.name, number), [])
                    x = np.clip(raw[number], output.theirs - OUTPUT_ROUNDING / 2, output.theirs + OUTPUT_ROUNDING / 2)
                    read[number] = with_deltas(x, [p.delta for p in params], params[0].bits, 1) if params else x
        self.writers.update({top: (layer, number) for number, top in enumerate(layer.top)})
        return read

    def _quantized(
        self, layer: Any, tensor: str, ours: Array, raw: list[Array], number: int = 0
    ) -> Compared | None:  # fmt: skip
        """A tensor of codes, of dequantized numbers, or of both. `raw`: the layer's inputs or weights in float."""
        weight = tensor == "weight"
        forms = self.files[dumps.key_of(layer.name), "weight" if weight else "input", number]
        params = (self.weights if weight else self.params).get((layer.name, number), [])
        axis = 0 if weight else 1
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
        compared = _compared(layer.name, tensor, ours, theirs, share_of_equal(ours, theirs, bits))
        off = any(delta is not None and abs(delta - p.delta) > RANGE_STEPS for delta, p in zip(deltas, params))
        if params and params[0].bits != bits:
            compared.cause = f"width differs: the mapper has {bits} bit, the export {params[0].bits}"
        elif off or not self._agrees(layer, compared, raw[number], number, params, bits):
            compared.cause = self._cause(layer, tensor, raw, number, theirs, deltas, params, bits, axis)
        return compared

    def _agrees(
        self, layer: Any, compared: Compared, raw: Array, number: int, params: list[Param], bits: int
    ) -> bool:  # fmt: skip
        """Whether the codes are equal, or would be if the layers before had rounded their outputs as 20.12 does."""
        equal = compared.equal is None or compared.equal >= EQUAL_SHARE
        if not params:
            return equal
        weight = compared.tensor == "weight"
        computed = not weight and layer.bottom[number] != self.input_name

        def within(steps: int) -> float:
            deltas = [param.delta for param in params]
            rounding = OUTPUT_ROUNDING if computed else 0
            return share_within(raw, compared.theirs, deltas, bits, 0 if weight else 1, rounding, steps)

        if 1 - within(1) > (0 if weight else FAR_SHARE):
            return False
        return equal or (computed and compared.cosine >= LOW_COSINE and within(0) >= EQUAL_SHARE)

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
        self, layer: Any, tensor: str, raw: list[Array], number: int, theirs: Array, deltas: list[int | None],
        params: list[Param], bits: int, axis: int,
    ) -> str:  # fmt: skip
        """Why a tensor of codes departs: what, done to our numbers, makes the mapper's."""
        used = [p.delta if d is None else d for d, p in zip(deltas, params)] or [d for d in deltas if d is not None]
        ranges = [(p, d) for p, d in zip(params, deltas) if d is not None and abs(d - p.delta) > RANGE_STEPS]

        rounding = 0 if tensor == "weight" or layer.bottom[number] == self.input_name else OUTPUT_ROUNDING

        def explains(x: Array) -> bool:
            return share_within(x, theirs, used, bits, axis, rounding) >= EQUAL_SHARE

        if ranges and explains(raw[number]):
            param, delta = ranges[0]
            largest = 2.0 ** ((delta + WIDTHS[bits].largest_code) / WIDTHS[bits].steps)
            advice = "" if tensor == "weight" else ": did the mapper get nnie.json ([gfpq_param_file])?"
            return f"range differs: the mapper's ends at {largest:.6g}, the export's at {param.largest:.6g}{advice}"
        if tensor == "weight":
            return "weights differ: is the caffemodel the one of this export?"
        if layer.bottom[number] == self.input_name:
            for cause, x in self.given.mistaken():
                if explains(x):
                    return cause
            return self.given.unknown
        for other, x in enumerate(raw):
            if other != number and x.shape == theirs.shape and explains(x):
                return f"order of inputs: the file holds input {other} of the layer"
        if ranges:
            return "range differs, and the numbers too"
        return "the numbers differ with the same range: look at the layers before it, and at the order of the inputs"

    def _output(self, layer: Any, number: int, ours: Array) -> Compared | None:
        key = dumps.key_of(layer.name)
        forms = self.files.get((key, "output", number))
        if not forms or key in self.twice:
            return None
        theirs = dumps.read_linear(forms["linear"])
        check_size(forms["linear"], theirs.size, ours)
        compared = _compared(layer.name, f"output {number}", ours, theirs.reshape(ours.shape), None)
        exact = all(self._is_exact(layer, place) for place in range(len(layer.bottom)))
        far = exact and compared.largest > FAR_OUTPUT * np.abs(ours).max(initial=0)
        if (compared.cosine < LOW_COSINE or far) and compared.largest > OUTPUT_ROUNDING:
            bias = f": look at its bias ({facts.BIAS_HEX}), which is not compared" if len(layer.blobs) > 1 else ""
            compared.cause = f"the numbers differ, and the layer's inputs and weights do not{bias}"
            if layer.blobs and (key, "weight", 0) not in self.files:
                compared.cause = "the numbers differ: look at the layer's weights, bias and range, which were not dumped"
        return compared

    def _is_exact(self, layer: Any, number: int) -> bool:
        """Whether a layer was run on the mapper's own input, or what the network is to be given."""
        read = self.read.get((layer.name, number))
        return layer.bottom[number] == self.input_name if read is None else not read.cause

    def _output_cause(self, layer: Any, number: int, compared: Compared) -> str:
        if list(layer.bottom) == [self.input_name] and (layer.name, 0) not in self.read:
            alone = proto.NetParameter(input=[self.input_name], layer=[layer])
            for cause, x in self.given.mistaken():
                made = run(alone, {self.input_name: x}, self.params).outputs[layer.name][number]
                if np.abs(made - compared.theirs).max() <= FAR_OUTPUT * np.abs(made).max():
                    return cause
        for later in self._in_place_after(layer, layer.top[number]):
            other = self.done.outputs[later][0]
            if other.shape == compared.ours.shape and cosine_of(other, compared.theirs) >= LOW_COSINE:
                return (f"in-place sharing: the file holds the output of {later}, which works in place on it or was "
                        "joined with the layer")  # fmt: skip
        return compared.cause

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
