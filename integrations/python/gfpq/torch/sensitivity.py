"""Which layers lose accuracy in 8 bit, and which of them must be 16 bit."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import torch
from torch import Tensor, nn

from .. import files
from ..parameters import DATA
from ..similarity import Similarity
from .calibrate import calibrate, call_with, evaluating
from .export import export
from .fake_quantize import FakeQuantize
from .placed import is_prepared, only, quantizers
from .prepare import prepare
from .recorded import aligned
from .running import tensors_in

LOW, HIGH = 8, 16
Metric = Callable[[nn.Module], float]


@dataclass(frozen=True)
class Loss:
    """A layer, or a call of a function: what the metric is with this one alone in 8 bit and all else in float, and how
    much that is below the float network's."""

    layer: str
    kind: str
    value: float
    loss: float


class Sensitivity(list[Loss]):
    """One Loss a layer, the largest first; prints as a table.

    `in_float`, `in_8_bit` and `in_16_bit` are the metric of the whole network. Where a value was wanted, `layer_bits`
    are the layers to pass to `prepare(..., layer_bits=...)`, `value` is the metric with them, and `reached` whether it
    is the wanted one.
    """

    def __init__(self, losses: Iterable[Loss], in_float: float, in_8_bit: float, in_16_bit: float) -> None:
        super().__init__(sorted(losses, key=lambda loss: -loss.loss))
        self.in_float, self.in_8_bit, self.in_16_bit = in_float, in_8_bit, in_16_bit
        self.wanted: float | None = None
        self.layer_bits: dict[str, int] = {}
        self.value = in_8_bit

    @property
    def reached(self) -> bool:
        return self.wanted is None or self.value >= self.wanted

    def __str__(self) -> str:
        lines = [f"float {self.in_float:.6g}, 8 bit {self.in_8_bit:.6g}, 16 bit {self.in_16_bit:.6g}"]
        if self.wanted is not None:
            lines.append(f"{'' if self.reached else 'not '}reached: {self.value:.6g} of {self.wanted:.6g} with "
                         f"{len(self.layer_bits)} of {len(self)} layers in 16 bit")  # fmt: skip
        rows: list[tuple[str, ...]] = [("layer", "kind", "alone in 8 bit", "loss", "bits")]
        for loss in self:
            bits = str(self.layer_bits.get(loss.layer, LOW)) if self.wanted is not None else ""
            rows.append((loss.layer or "(model)", loss.kind, f"{loss.value:.6g}", f"{loss.loss:.3g}", bits))
        return "\n".join([*lines, aligned(rows)])

    def plot(self, file: str | Path | None = None, axes: Any = None) -> Any:
        """Draws the losses, those of the layers in `layer_bits` as red crosses, into `axes` or a new figure.

        Saves it where `file` is given. Returns the axes. Takes matplotlib.
        """
        if axes is None:
            from matplotlib.figure import Figure

            axes = Figure(figsize=(7, 1.2 + 0.3 * len(self)), layout="constrained").subplots()
        for high, colour, marker in ((False, "C0", "o"), (True, "C3", "X")):
            chosen = [(loss.loss, place) for place, loss in enumerate(self) if (loss.layer in self.layer_bits) == high]
            axes.plot([x for x, _ in chosen], [y for _, y in chosen], marker, color=colour, markersize=8)
        axes.grid(axis="y", alpha=0.4)
        axes.set_yticks(range(len(self)), [loss.layer for loss in self])
        axes.invert_yaxis()
        axes.axvline(0, color="black", linestyle=":", linewidth=1)
        axes.set_xlabel("loss with this layer alone in 8 bit")
        if file is not None:
            axes.figure.savefig(file)
        return axes


def sensitivity(
    model: nn.Module, batches: Iterable[Any], metric: Metric | None = None, *, example_inputs: Any = None,
    wanted: float | None = None, input_of: Callable[[Any], Any] | None = None, progress: bool = False,
    resume: str | Path | None = None, **prepare_with: Any,
) -> Sensitivity:
    """Finds the loss of each layer of a float model in 8 bit, and the fewest layers that must be 16 bit.

    The model is prepared, calibrated and exported twice, in 8 and in 16 bit, and left as it is. Each layer is then put
    into 8 bit alone, its data and weights, with all else in float. Where `wanted` is given, the layers with the largest
    losses are put into 16 bit one after the other, with all else in 8 bit, until the metric is reached; then each of
    them goes back to 8 bit if the metric stays. It is a greedy choice: that there is no smaller one is not proven.

    Args:
        batches: for calibration, and for the metric where none is given; as for gfpq.torch.calibrate. Used several
            times: no iterator.
        metric: returns a number for a network as it is deployed, in evaluation, the larger the better: your validation.
            Default: the cosine similarity of the outputs on the batches to the float network's, of several outputs the
            smallest.
        example_inputs: as for gfpq.torch.prepare; without it functions such as Concat stay in float.
        wanted: the metric to reach.
        progress: show a bar; takes tqdm.
        resume: a file that keeps what was found, and from which a second call goes on.
        prepare_with: more arguments of gfpq.torch.prepare: skip, range, split_depthwise.

    The ranges are those of float data, for a layer's loss is not to hold its predecessors': prepared with `layer_bits`
    and calibrated, a network has slightly others, so look at its metric once more.

    It takes one call of the metric a layer and three more, and with `wanted` up to two more a layer. Raises ValueError
    for a prepared model, a metric that is NaN, and a `resume` of another model; what prepare, calibrate and export raise.
    """
    if is_prepared(model):
        raise ValueError("this model is prepared: give the float one, or a copy after gfpq.torch.remove(copy)")
    twins = {}
    for bits in (LOW, HIGH):
        prepared = copy.deepcopy(model)
        placed = prepare(prepared, bits, example_inputs=example_inputs, **prepare_with)
        _calibrate_on_float_data(prepared, batches, input_of)
        exported = export(prepared)
        twins[bits] = exported.twin
    network = _Network(twins[LOW], twins[HIGH])
    order = [operation.place for operation in exported.record.operations] if exported.record is not None else []
    kinds = {row.layer: row.kind for row in placed if row.layer in network.layers}
    layers = sorted(kinds, key=lambda layer: order.index(layer) if layer in order else len(order))
    if metric is None:
        metric = _CosineOfOutputs(network, batches, input_of)
    found = _Found(None if resume is None else Path(resume), model, layers, prepare_with)
    steps = _Progress(progress, len(layers) + 3)

    def value(name: str, low: Collection[str], high: Collection[str]) -> float:
        if name not in found.values:
            with network.quantized(low, high), torch.no_grad(), evaluating(network.model):
                number = float(metric(network.model))
            if math.isnan(number):
                raise ValueError(f"the metric of the network ({name}) is NaN, which no other number is above or below: "
                                 "look for NaN in the model's weights and in the batches")  # fmt: skip
            found.add(name, number)
        steps.advance()
        return found.values[name]

    in_float = value("float", (), ())
    whole = value("8 bit", layers, ()), value("16 bit", (), layers)
    losses = []
    for layer in layers:
        alone = value(f"alone: {layer}", [layer], ())
        losses.append(Loss(layer, kinds[layer], alone, in_float - alone))
    result = Sensitivity(losses, in_float, *whole)
    if wanted is not None:
        _choose(result, wanted, lambda high: value(f"in 16 bit: {', '.join(sorted(high))}", layers, high))
    steps.close()
    return result


def _calibrate_on_float_data(model: nn.Module, batches: Iterable[Any], input_of: Any) -> None:
    """Finds the ranges of data in a network that computes in float."""
    hooks = [quantizer.register_forward_hook(lambda _module, inputs, _output: inputs[0])
             for _, tensor, quantizer in quantizers(model) if tensor == DATA]  # fmt: skip
    try:
        with only(model, weights=False):
            calibrate(model, batches, input_of=input_of)
    finally:
        for hook in hooks:
            hook.remove()


def _choose(result: Sensitivity, wanted: float, value: Callable[[list[str]], float]) -> None:
    result.wanted = wanted
    chosen: list[str] = []
    for loss in result:
        if result.value >= wanted:
            break
        chosen.append(loss.layer)
        result.value = value(chosen)
    for layer in chosen[:-1][::-1] if result.reached else []:
        fewer = [other for other in chosen if other != layer]
        if (found := value(fewer)) >= wanted:
            chosen, result.value = fewer, found
    result.layer_bits = dict.fromkeys(chosen, HIGH)


class _Network:
    """The 8-bit twin, whose layers can be in float, 8 bit or 16 bit."""

    def __init__(self, low: nn.Module, high: nn.Module) -> None:
        self.model = low
        others = dict(high.named_modules())
        self.places: dict[str, list[tuple[str, FakeQuantize, FakeQuantize]]] = {}  # by layer: path, 8 bit, 16 bit
        for path, module in low.named_modules():
            if isinstance(module, FakeQuantize) and (module.initialized or module.range is None):
                other = others[path]
                assert isinstance(other, FakeQuantize)
                self.places.setdefault(module.name.rpartition(" ")[0], []).append((path, module, other))

    @property
    def layers(self) -> set[str]:
        return set(self.places)

    @contextmanager
    def quantized(self, low: Collection[str], high: Collection[str]) -> Iterator[None]:
        """Within it these layers are in 8 bit, those of `high` in 16 bit, and all others in float."""
        changed: list[tuple[str, FakeQuantize]] = []
        off: list[FakeQuantize] = []
        try:
            for layer, places in self.places.items():
                for path, in_8_bit, in_16_bit in places:
                    if layer in high:
                        self._put(path, in_16_bit)
                        changed.append((path, in_8_bit))
                    elif layer not in low:
                        in_8_bit.switched_off += 1
                        off.append(in_8_bit)
            yield
        finally:
            for path, quantizer in changed:
                self._put(path, quantizer)
            for quantizer in off:
                quantizer.switched_off -= 1

    def _put(self, path: str, quantizer: FakeQuantize) -> None:
        parent, _, key = path.rpartition(".")
        self.model.get_submodule(parent)._modules[key] = quantizer


class _CosineOfOutputs:
    """The metric where none is given."""

    def __init__(self, network: _Network, batches: Iterable[Any], input_of: Any) -> None:
        self.batches, self.input_of = batches, input_of
        with network.quantized((), ()), torch.no_grad(), evaluating(network.model):
            self.expected = self._outputs(network.model)

    def __call__(self, model: nn.Module) -> float:
        totals: dict[int, Similarity] = {}
        for (number, expected), (_, found) in zip(self.expected, self._outputs(model)):
            totals.setdefault(number, Similarity()).add(expected, found)
        cosines = [total.cosine for total in totals.values()]
        return math.nan if any(map(math.isnan, cosines)) else min(cosines)

    def _outputs(self, model: nn.Module) -> list[tuple[int, Any]]:
        """Each output of each batch, with its number among the model's."""
        outputs: list[tuple[int, Tensor]] = []
        for batch in self.batches:
            outputs += enumerate(tensor for _, tensor in tensors_in(call_with(model, batch, self.input_of)))
        if not outputs:
            raise ValueError("no batch, or no output that is a tensor: give a list of batches, or a metric")
        return [(number, tensor.detach().double().cpu().numpy()) for number, tensor in outputs]


class _Found:
    """The values of the metric so far, kept in a file."""

    def __init__(self, file: Path | None, model: nn.Module, layers: list[str], prepare_with: dict[str, Any]) -> None:
        self.file, self.values = file, dict[str, float]()
        digest = hashlib.sha256(repr((layers, sorted(prepare_with.items()))).encode())
        for key, tensor in model.state_dict().items():
            numbers = tensor.detach().cpu().reshape(-1).contiguous().view(torch.uint8)
            digest.update(key.encode() + numbers.numpy().tobytes())
        self.model = digest.hexdigest()
        if file is not None and file.exists():
            with files.naming(file):
                content = json.loads(file.read_text())
                if content["model"] != self.model:
                    raise ValueError("is of another model, or of other arguments: remove it, or give another file")
                self.values = {str(name): float(value) for name, value in content["values"].items()}

    def add(self, name: str, value: float) -> None:
        self.values[name] = value
        if self.file is not None:
            content = json.dumps({"model": self.model, "values": self.values}, indent=1)
            files.write({self.file: content.encode()})


class _Progress:
    def __init__(self, shown: bool, steps: int) -> None:
        self.bar: Any = None
        if shown:
            from tqdm import tqdm  # type: ignore[import-untyped]

            self.bar = tqdm(total=steps, desc="sensitivity")

    def advance(self) -> None:
        if self.bar is not None:
            self.bar.total = max(self.bar.total, self.bar.n + 1)
            self.bar.update()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
